//! What this crate asks of the machine: reading and writing tables, and a few services of the host.

use core::sync::atomic::{AtomicU64, Ordering};

use vocabulary::{DomainId, Mfn};

use crate::entry::{ENTRIES, HYPERVISOR_SLOTS};
use crate::frame_table::Freed;

/// The entries of one table frame.
pub type Table = [AtomicU64; ENTRIES];

/// The way to the contents of frames. `hw` maps the frame for the time of the call; tests have a vector.
///
/// Only frames of RAM are asked for. Frames may be asked for while another one is held, four deep at most.
pub trait TableMemory {
    /// Runs `work` on the 512 entries of `frame`.
    fn with_table<R>(&self, frame: Mfn, work: impl FnOnce(&Table) -> R) -> R;

    /// Reads entry `index` (taken modulo 512).
    #[inline]
    fn read(&self, frame: Mfn, index: usize) -> u64 {
        self.with_table(frame, |table| slot(table, index).load(Ordering::Relaxed))
    }

    /// Writes entry `index` (taken modulo 512) and gives what was there, in one step.
    #[inline]
    fn swap(&self, frame: Mfn, index: usize, value: u64) -> u64 {
        self.with_table(frame, |table| {
            slot(table, index).swap(value, Ordering::SeqCst)
        })
    }

    /// Writes entry `index` (taken modulo 512) if it still is `current`; fails with what it is.
    #[inline]
    fn compare_exchange(
        &self,
        frame: Mfn,
        index: usize,
        current: u64,
        new: u64,
    ) -> Result<u64, u64> {
        self.with_table(frame, |table| {
            slot(table, index).compare_exchange(current, new, Ordering::SeqCst, Ordering::SeqCst)
        })
    }
}

/// Entry `index` modulo 512: the mask proves to the compiler that it is in range.
#[inline]
pub(crate) fn slot(table: &Table, index: usize) -> &AtomicU64 {
    let [first, ..] = table;
    table.get(index & (ENTRIES - 1)).unwrap_or(first)
}

/// What a domain may do with a frame of device memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoAccess {
    /// Nothing: mapping it is refused.
    Denied,
    /// Read it: a writable mapping silently becomes a read-only one.
    ReadOnly,
    /// Anything.
    Full,
}

/// Where stale translations of a frame can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// Only on CPUs in the dirty mask of this domain.
    OfDomain(DomainId),
    /// On any CPU.
    Anywhere,
}

/// Services of the hypervisor that the rules need.
pub trait Host {
    /// What `domain` may do with `frame`, which is not RAM. Must deny frames above the processor's physical
    /// address width and frames that the hypervisor keeps (APICs, IOMMUs). The answer may change at any time:
    /// an entry that maps such a frame holds no reference. Of [`DomainId::XEN`] it is asked which frames of the
    /// hypervisor's own whoever may name that owner can read ([`IoAccess::ReadOnly`]): the machine-to-physical table.
    fn io_access(&self, domain: DomainId, frame: Mfn) -> IoAccess;

    /// Whether a mapping request in the name of `domain` may name frames of `owner` all the same (the control
    /// domain may, of ordinary domains). Asked only where the two differ; never about the hypervisor's own.
    fn may_map_foreign(&self, domain: DomainId, owner: DomainId) -> bool {
        let _ = (domain, owner);
        false
    }

    /// The entries of top-level slots 256 to 271 in tables of `domain`.
    fn hypervisor_slots(&self, domain: DomainId) -> [u64; HYPERVISOR_SLOTS];

    /// The TLB clock: a count that goes up with every full flush on any CPU. Not 0. A CPU whose last flush
    /// happened at a clock later than a frame's timestamp holds no translation from before that timestamp.
    fn tlb_clock(&self) -> u32;

    /// Flushes TLB and paging-structure caches of every CPU in question that has not flushed since `timestamp`,
    /// of all address spaces (PCIDs) and with global entries, and returns when it is done. A paging lock may be
    /// held.
    fn flush_stale(&self, stale: Stale, timestamp: u32);

    /// The last reference to the frame went. The host takes it off its owner's list
    /// ([`DomainPages::remove`](crate::DomainPages::remove)), turns it into a free frame
    /// ([`FrameTable::into_free`](crate::FrameTable::into_free)) and gives it to the allocator. Called with
    /// some domain's paging lock held, perhaps not the owner's.
    fn free(&self, frame: Freed);

    /// One turn of a spin loop: pause, and serve flush requests of other CPUs.
    fn relax(&self) {
        core::hint::spin_loop();
    }
}
