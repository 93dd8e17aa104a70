//! The page-table state of a domain, and the bundle of frame table, memory and host that operations work on.

use vocabulary::{refuse, DomainId, Errno, Mfn, Refused};

use crate::budget::{Attempt, Budget, Stop};
use crate::entry::{self, CACHE_BITS};
use crate::environment::{Host, TableMemory};
use crate::frame_table::FrameTable;
use crate::page_info::PageType;

/// A domain's page-table state. The hypervisor keeps it inside the domain's paging lock, so that holding
/// `&mut Paging` proves that the lock is held: whatever changes tables or descriptor frames of the domain asks
/// for it.
#[derive(Debug)]
pub struct Paging {
    pub(crate) domain: DomainId,
    /// What the domain may not set in a present L1 entry.
    pub(crate) l1_disallowed: u64,
    /// A table whose last reference went in an operation that ran out of budget: its general and its type
    /// reference belong to this field until [`Mmu::finish`] has dropped them.
    pub(crate) leftover: Option<Mfn>,
    /// The frame that [`Mmu::relinquish`] is in the middle of, with a general reference.
    pub(crate) relinquishing: Option<Mfn>,
}

impl Paging {
    /// The state of a domain without tables.
    pub const fn new(domain: DomainId) -> Self {
        Self {
            domain,
            l1_disallowed: entry::L1_DISALLOWED,
            leftover: None,
            relinquishing: None,
        }
    }

    /// Whose tables these are.
    pub const fn domain(&self) -> DomainId {
        self.domain
    }

    /// Lets the domain choose memory types in its mappings (PWT, PCD, PAT), or no longer: for one that may
    /// access device memory.
    pub fn allow_cache_control(&mut self, allowed: bool) {
        self.l1_disallowed = if allowed {
            entry::L1_DISALLOWED & !CACHE_BITS
        } else {
            entry::L1_DISALLOWED
        };
    }

    /// Checks the bits of a present L1 entry: only those that choose a memory type may be disallowed.
    #[inline(always)]
    pub(crate) fn check_l1(&self, entry: u64) -> Refused<()> {
        if entry & CACHE_BITS != 0 && entry & self.l1_disallowed != 0 {
            return refuse(
                Errno::EINVAL,
                "a mapping sets bits that are not the domain's to set",
            );
        }
        Ok(())
    }

    /// Whether work is left over that [`Mmu::finish`] must do (any operation on the domain does it first).
    #[inline]
    pub const fn has_leftover(&self) -> bool {
        self.leftover.is_some()
    }
}

/// The frame table, the way to frames' contents, and the host: what operations on page tables need. A handle,
/// made where it is needed and copied freely.
#[derive(Debug)]
pub struct Mmu<'a, M, H> {
    /// The frame table.
    pub frames: FrameTable<'a>,
    /// The way to the contents of frames.
    pub memory: &'a M,
    /// The host's services.
    pub host: &'a H,
}

impl<M, H> Clone for Mmu<'_, M, H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M, H> Copy for Mmu<'_, M, H> {}

impl<'a, M: TableMemory, H: Host> Mmu<'a, M, H> {
    /// A bundle.
    pub const fn new(frames: FrameTable<'a>, memory: &'a M, host: &'a H) -> Self {
        Self {
            frames,
            memory,
            host,
        }
    }

    /// Releases a general reference that the caller owns, and frees the frame where it was the last.
    #[inline]
    pub(crate) fn release(&self, mfn: Mfn) {
        if let Some(freed) = self.frames.release(mfn, || self.host.tlb_clock()) {
            self.host.free(freed);
        }
    }

    /// Goes on with work that an earlier operation left over. Every operation that takes a budget calls this
    /// first. A hypercall handler calls it last as well, and answers "continue" where it says
    /// [`Stop::Again`], so that frames do not stay tables for longer than the guest can tell.
    #[inline]
    pub fn finish(&self, paging: &mut Paging, budget: &mut Budget) -> Attempt<()> {
        match paging.leftover {
            None => Ok(()),
            Some(_) => self.finish_slowly(paging, budget),
        }
    }

    #[cold]
    fn finish_slowly(&self, paging: &mut Paging, budget: &mut Budget) -> Attempt<()> {
        let Some(mfn) = paging.leftover else {
            return Ok(());
        };
        let level = self
            .frames
            .ram(mfn)
            .and_then(|page| page.page_type().level());
        if let Some(level) = level {
            if self.put_table(mfn, level, budget).is_err() {
                return Err(Stop::Again);
            }
        }
        paging.leftover = None;
        Ok(())
    }

    /// Drops the general and type reference to a table that the caller owned; what does not fit the budget is
    /// left over.
    #[inline]
    pub(crate) fn put_table_or_leave(
        &self,
        paging: &mut Paging,
        mfn: Mfn,
        level: crate::page_info::Level,
        budget: &mut Budget,
    ) {
        debug_assert!(paging.leftover.is_none());
        if self.put_table(mfn, level, budget).is_err() {
            paging.leftover = Some(mfn);
        }
    }

    /// The type of a frame of the domain that is a table in use. `None`: it is none, and a write to it by the
    /// guest that faulted is the guest's own fault.
    #[inline]
    pub fn table_type(&self, paging: &Paging, mfn: Mfn) -> Option<PageType> {
        self.frames.get(mfn)?.live_table(paging.domain)
    }
}
