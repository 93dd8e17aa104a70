//! How much work an operation may still do before it must stop and be called again.

use vocabulary::Refusal;

/// Work left, in table entries looked at. An operation that finds it empty stops between two entries, keeps its
/// state in the frame table, and answers [`Stop::Again`]. Any budget above zero makes progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget(u32);

/// The budget is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

impl Budget {
    /// A budget of `entries` table entries. A present bottom-level entry costs up to about 40 instructions.
    pub const fn new(entries: u32) -> Self {
        Self(entries)
    }

    /// A budget that never ends, for work that is bounded otherwise (building dom0).
    pub const fn unlimited() -> Self {
        Self(u32::MAX)
    }

    /// Whether anything is left: asked before each piece of work, which is charged for when it is done. The
    /// last piece may overdraw, so that the smallest budget still gets something done.
    #[inline]
    pub fn check(&self) -> Result<(), Exhausted> {
        if self.0 == 0 {
            return Err(Exhausted);
        }
        Ok(())
    }

    /// Takes `entries` off for work that is done.
    #[inline]
    pub fn charge(&mut self, entries: u32) {
        if self.0 != u32::MAX {
            self.0 = self.0.saturating_sub(entries);
        }
    }

    /// Entries left.
    pub const fn left(&self) -> u32 {
        self.0
    }
}

/// Why an operation did not finish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The budget ran out. The state is kept: make the same call again to go on.
    Again,
    /// The request breaks a rule. Nothing of it remains.
    Refused(Refusal),
}

/// The result of an operation with a budget.
pub type Attempt<T> = Result<T, Stop>;

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Exhausted> for Stop {
    fn from(_: Exhausted) -> Self {
        Self::Again
    }
}
