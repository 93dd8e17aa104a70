//! Our own record of an entry in use: who uses it, how often, and what it lent when it was first pinned.

use vocabulary::{DomainId, Mfn};

use crate::denied::{deny, Granted, Status};
use crate::entry::Lent;

/// How an entry is held: by the processor's or by a device's page tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kinds {
    pub host: bool,
    pub device: bool,
}

impl Kinds {
    fn count(self) -> u16 {
        u16::from(self.host) + u16::from(self.device)
    }
}

/// Counts of holds on an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pins {
    readers: u16,
    writers: u16,
}

/// An entry in use. All at their defaults while it is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Active {
    pub pins: Pins,
    /// A transfer into the entry was committed and has not ended.
    pub transfer: bool,
    /// What was found when the entry was first pinned.
    pub use_: Option<Use>,
}

/// The terms on which an entry in use was lent. The lender may not change them while it is in use, so
/// that whatever it writes meanwhile is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub borrower: DomainId,
    pub lent: Lent,
    /// The machine frame, once the first mapping was committed; `Mfn::INVALID` before.
    pub machine: Mfn,
    /// The entry's cache attribute flags (`GTF_PWT`, `GTF_PCD`, `GTF_PAT`).
    pub cache: u16,
}

impl Pins {
    pub const fn is_empty(self) -> bool {
        self.readers == 0 && self.writers == 0
    }

    pub const fn has_writers(self) -> bool {
        self.writers != 0
    }

    /// With one more hold of each kind given.
    pub fn plus(self, kinds: Kinds, write: bool) -> Granted<Self> {
        let mut pins = self;
        let sum = pins.counter(write).checked_add(kinds.count());
        let Some(sum) = sum else {
            return deny(Status::NoSpace, "the grant entry is held too many times");
        };
        *pins.counter(write) = sum;
        Ok(pins)
    }

    /// Without what `plus` counted. Guards see to it that nothing is given back twice.
    pub fn minus(self, kinds: Kinds, write: bool) -> Self {
        let mut pins = self;
        let counter = pins.counter(write);
        debug_assert!(*counter >= kinds.count(), "a grant pin was released twice");
        *counter = counter.saturating_sub(kinds.count());
        pins
    }

    fn counter(&mut self, write: bool) -> &mut u16 {
        if write {
            &mut self.writers
        } else {
            &mut self.readers
        }
    }
}

impl Active {
    pub const fn is_idle(&self) -> bool {
        self.pins.is_empty() && !self.transfer
    }
}
