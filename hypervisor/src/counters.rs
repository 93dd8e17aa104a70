//! What each vCPU did, counted all the time: hypercalls by number, exceptions by vector, emulated
//! instructions. Written by the vCPU's own processor only, so a count is a load and a store.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Hypercall numbers that are counted one by one; the last stands for all above.
pub const HYPERCALLS: usize = 64;

/// Exception vectors.
const TRAPS: usize = 32;

/// What is counted: a name, and how many counts it has. The first name is one that `xenperf -p` knows.
pub const GROUPS: [(&str, usize); 5] = [
    ("hypercalls", HYPERCALLS),
    ("exceptions", TRAPS),
    ("emulated page-table writes", 1),
    ("emulated instructions", 1),
    ("upcalls", 1),
];
/// Counts of all groups together.
pub const VALUES: usize = HYPERCALLS + TRAPS + 3;

/// Counters of one vCPU.
pub struct Counters {
    hypercalls: [AtomicU64; HYPERCALLS],
    traps: [AtomicU64; TRAPS],
    /// Emulated page-table writes.
    pub table_writes: AtomicU64,
    /// Emulated privileged instructions.
    pub privileged: AtomicU64,
    /// Bounces of events into the guest.
    pub upcalls: AtomicU64,
}

impl Counters {
    /// All zero.
    pub const fn new() -> Self {
        Self {
            hypercalls: [const { AtomicU64::new(0) }; HYPERCALLS],
            traps: [const { AtomicU64::new(0) }; TRAPS],
            table_writes: AtomicU64::new(0),
            privileged: AtomicU64::new(0),
            upcalls: AtomicU64::new(0),
        }
    }

    /// Counts a hypercall.
    #[inline(always)]
    pub fn hypercall(&self, number: u64) {
        let slot = (number as usize).min(HYPERCALLS - 1);
        if let Some(counter) = self.hypercalls.get(slot) {
            count(counter);
        }
    }

    /// Counts an exception.
    #[inline(always)]
    pub fn trap(&self, vector: u32) {
        if let Some(counter) = self.traps.get(vector as usize & 31) {
            count(counter);
        }
    }

    /// All counts, in the order of [`GROUPS`].
    pub fn all(&self) -> impl Iterator<Item = u64> + '_ {
        let single = [&self.table_writes, &self.privileged, &self.upcalls];
        let single = single.into_iter().map(|counter| counter.load(Relaxed));
        self.hypercalls().chain(self.traps()).chain(single)
    }

    /// Counts of hypercalls, by number.
    pub fn hypercalls(&self) -> impl Iterator<Item = u64> + '_ {
        self.hypercalls.iter().map(|counter| counter.load(Relaxed))
    }

    /// Counts of exceptions, by vector.
    pub fn traps(&self) -> impl Iterator<Item = u64> + '_ {
        self.traps.iter().map(|counter| counter.load(Relaxed))
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self::new()
    }
}

/// Adds one to a counter that only this processor writes.
#[inline(always)]
pub fn count(counter: &AtomicU64) {
    counter.store(counter.load(Relaxed).wrapping_add(1), Relaxed);
}
