//! CPUID's answers, and a list of them.

use arrayvec::ArrayVec;

use crate::table::Output;

/// What CPUID answers for one leaf and subleaf.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leaf {
    /// The first register.
    pub eax: u32,
    /// The second register.
    pub ebx: u32,
    /// The third register.
    pub ecx: u32,
    /// The fourth register.
    pub edx: u32,
}

impl Leaf {
    /// All zeros: the answer for what is not there.
    pub const NONE: Self = Self::new(0, 0, 0, 0);

    /// An answer from its registers.
    pub const fn new(eax: u32, ebx: u32, ecx: u32, edx: u32) -> Self {
        Self { eax, ebx, ecx, edx }
    }

    /// One of the registers.
    pub const fn get(&self, output: Output) -> u32 {
        match output {
            Output::Eax => self.eax,
            Output::Ebx => self.ebx,
            Output::Ecx => self.ecx,
            Output::Edx => self.edx,
        }
    }

    /// Sets one of the registers.
    pub const fn set(&mut self, output: Output, value: u32) {
        match output {
            Output::Eax => self.eax = value,
            Output::Ebx => self.ebx = value,
            Output::Ecx => self.ecx = value,
            Output::Edx => self.edx = value,
        }
    }
}

/// The most answers a policy has.
pub const MOST_ENTRIES: usize = 64;

/// An answer and its question. Leaves without subleaves have the subleaf [`Entry::ANY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The leaf.
    pub leaf: u32,
    /// The subleaf.
    pub subleaf: u32,
    /// The answer.
    pub answer: Leaf,
}

impl Entry {
    /// The subleaf of leaves that have none (`XEN_CPUID_NO_SUBLEAF` in the public header `domctl.h`).
    pub const ANY: u32 = u32::MAX;
}

/// Answers by leaf and subleaf.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Leaves {
    entries: ArrayVec<Entry, MOST_ENTRIES>,
}

impl Leaves {
    /// Sets an answer. Those that do not fit any more are left out; there is room for all that a policy makes.
    pub(crate) fn put(&mut self, leaf: u32, subleaf: u32, answer: Leaf) {
        match self.position(leaf, subleaf) {
            Some(entry) => entry.answer = answer,
            None => {
                let entry = Entry {
                    leaf,
                    subleaf,
                    answer,
                };
                // Not an error: see above.
                let _ = self.entries.try_push(entry);
            }
        }
    }

    fn position(&mut self, leaf: u32, subleaf: u32) -> Option<&mut Entry> {
        self.entries
            .iter_mut()
            .find(|entry| entry.leaf == leaf && entry.subleaf == subleaf)
    }

    /// The answer to a question; zeros where there is none.
    pub(crate) fn get(&self, leaf: u32, subleaf: u32) -> Leaf {
        self.entries
            .iter()
            .find(|entry| {
                entry.leaf == leaf && (entry.subleaf == subleaf || entry.subleaf == Entry::ANY)
            })
            .map_or(Leaf::NONE, |entry| entry.answer)
    }

    /// Forgets the answers from a leaf on, up to another.
    pub(crate) fn remove(&mut self, first: u32, last: u32) {
        self.entries
            .retain(|entry| entry.leaf < first || entry.leaf > last);
    }
}
