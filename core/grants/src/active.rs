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

/// Counts of holds on an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pins {
    readers: u32,
    writers: u32,
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
    /// The machine frame, once the first mapping was committed.
    pub machine: Option<Mfn>,
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

    /// Counts one hold of each kind given.
    pub fn add(&mut self, kinds: Kinds, write: bool) -> Granted<()> {
        let count = u32::from(kinds.host) + u32::from(kinds.device);
        let counter = if write {
            &mut self.writers
        } else {
            &mut self.readers
        };
        match counter.checked_add(count) {
            Some(sum) => {
                *counter = sum;
                Ok(())
            }
            None => deny(Status::NoSpace, "the grant entry is held too many times"),
        }
    }

    /// Gives back what `add` counted. Guards see to it that nothing is given back twice.
    pub fn remove(&mut self, kinds: Kinds, write: bool) {
        let count = u32::from(kinds.host) + u32::from(kinds.device);
        let counter = if write {
            &mut self.writers
        } else {
            &mut self.readers
        };
        debug_assert!(*counter >= count, "a grant pin was released twice");
        *counter = counter.saturating_sub(count);
    }
}

impl Active {
    pub const fn is_idle(&self) -> bool {
        self.pins.is_empty() && !self.transfer
    }
}
