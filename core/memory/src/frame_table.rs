//! The frame table: who owns a frame, and the general references that keep it from being given to anyone else.
//!
//! Everything here is lock-free: any CPU may call it for any frame at any time, unless a function says otherwise.

use core::sync::atomic::Ordering;

use vocabulary::{refuse, DomainId, Errno, Mfn, Refused};

use crate::environment::{Host, Stale};
use crate::page_info::{
    owner_bits, PageInfo, PageType, ALLOCATED, COUNT, COUNT_FULL, FOREIGN, FREE, HYPERVISOR,
    KIND_LOW, OWNER, OWNER_SHIFT, RAM, TYPE, TYPES, UPPER_SHIFT, VALIDATED,
};

/// How a domain may see a frame of the hypervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Read-only mappings.
    ReadOnly,
    /// Read-only and writable mappings.
    Writable,
}

/// A frame to which no reference is left. Whoever holds this is the only one to know the frame, and must give
/// it back: see [`Host::free`].
#[must_use = "the frame is lost unless it goes back to the allocator"]
#[derive(Debug, PartialEq, Eq)]
pub struct Freed {
    mfn: Mfn,
    owner: DomainId,
}

impl Freed {
    /// The frame.
    pub const fn mfn(&self) -> Mfn {
        self.mfn
    }

    /// Whose it was; its list of pages still has it.
    pub const fn owner(&self) -> DomainId {
        self.owner
    }
}

/// All frames' [`PageInfo`], by frame number. A handle: copy it freely.
#[derive(Clone, Copy, Debug)]
pub struct FrameTable<'t> {
    pages: &'t [PageInfo],
}

impl<'t> FrameTable<'t> {
    /// A table over `pages`, the first of which is frame 0. Holes may be all-zero memory that is read-only.
    pub const fn new(pages: &'t [PageInfo]) -> Self {
        Self { pages }
    }

    /// The entry of a frame; `None` beyond the table. Ask [`PageInfo::is_ram`] about holes.
    #[inline]
    pub fn get(&self, mfn: Mfn) -> Option<&'t PageInfo> {
        self.pages.get(usize::try_from(mfn.0).ok()?)
    }

    /// The entry of a frame that is RAM.
    #[inline]
    pub fn ram(&self, mfn: Mfn) -> Option<&'t PageInfo> {
        self.get(mfn).filter(|page| page.is_ram())
    }

    /// Frames that the table has room for.
    pub const fn len(&self) -> usize {
        self.pages.len()
    }

    /// Whether the table has no frames at all.
    pub const fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Boot: makes a frame that was a hole a free frame of RAM. Its entry must be writable memory by now.
    pub fn add_ram(&self, mfn: Mfn) {
        if let Some(page) = self.get(mfn) {
            if page.state() == 0 {
                page.state.store(RAM | FREE, Ordering::Release);
            }
        }
    }

    /// Makes a free frame `owner`'s, with the one reference that ownership is. The caller has just had the
    /// frame from the allocator (nobody else knows it) and, for a domain, puts it on the domain's list
    /// ([`DomainPages::insert`](crate::DomainPages::insert)). Flushes translations of its former life.
    /// Both [`DomainId::XEN`] and [`DomainId::INVALID`] make it the hypervisor's own, which no domain, whatever
    /// it may name, can map until it is shared ([`share_with_guest`](Self::share_with_guest)): its owner is
    /// `INVALID`.
    pub fn assign<H: Host>(&self, mfn: Mfn, owner: DomainId, host: &H) -> Refused<()> {
        let Some(page) = self.get(mfn) else {
            return refuse(Errno::EINVAL, "the frame is no RAM");
        };
        let state = page.state();
        if state & FREE == 0 {
            return refuse(Errno::EBUSY, "the frame is not free");
        }
        let timestamp = (state & COUNT) as u32;
        if timestamp != 0 {
            host.flush_stale(Stale::Anywhere, timestamp);
        }
        page.kind.store(0, Ordering::Relaxed);
        page.links.store(u64::MAX, Ordering::Relaxed); // On no list.
        let (owner, own) = match owner {
            DomainId::XEN | DomainId::INVALID => (DomainId::INVALID, HYPERVISOR),
            owner => (owner, 0),
        };
        let byte = state & !(OWNER | FREE | COUNT | FOREIGN | ALLOCATED | HYPERVISOR);
        let live = byte | owner_bits(owner) | ALLOCATED | own | 1;
        page.state.store(live, Ordering::Release);
        Ok(())
    }

    /// Flushes translations that a free frame's former life may have left. The caller has the frame from the allocator.
    pub fn flush_former<H: Host>(&self, mfn: Mfn, host: &H) {
        let Some(page) = self.ram(mfn).filter(|page| page.is_free()) else {
            return;
        };
        let timestamp = (page.state() & COUNT) as u32;
        if timestamp != 0 {
            host.flush_stale(Stale::Anywhere, timestamp);
        }
    }

    /// Lets `domain` map a frame that is the hypervisor's own: it becomes the owner, yet the frame stays the
    /// hypervisor's data and never goes to the allocator by itself. With [`DomainId::XEN`] only domains that
    /// may name that owner can map it (the machine-to-physical table, trace buffers).
    /// A read-only share holds a type reference of type `None`, so that it can never become writable.
    pub fn share_with_guest(&self, mfn: Mfn, domain: DomainId, sharing: Sharing) -> Refused<()> {
        let Some(page) = self.ram(mfn) else {
            return refuse(Errno::EINVAL, "the frame is no RAM");
        };
        let state = page.state();
        let mine = owner_bits(DomainId::INVALID) | HYPERVISOR | ALLOCATED;
        if state & (OWNER | HYPERVISOR | ALLOCATED) != mine || page.kind() & TYPES != 0 {
            return refuse(Errno::EBUSY, "the frame is not the hypervisor's to share");
        }
        let kind = match sharing {
            Sharing::ReadOnly => PageType::None.bits() | VALIDATED | 1,
            Sharing::Writable => PageType::Writable.bits() | VALIDATED | 1,
        };
        page.kind.store(kind, Ordering::Release);
        let shared = state & !OWNER | owner_bits(domain);
        page.state.store(shared, Ordering::Release);
        Ok(())
    }

    /// Ends a share: the domain can make no new mapping. The frame goes with its last mapping, as [`Freed`]
    /// whose owner is the domain (which never had it on its list); `Some` where that is now.
    pub fn end_share(&self, mfn: Mfn, clock: u32) -> Option<Freed> {
        let page = self.ram(mfn)?;
        if page.state() & HYPERVISOR == 0 || page.kind() & TYPES == 0 {
            return None;
        }
        page.drop_type_count(clock);
        self.give_back(page, mfn, clock)
    }

    /// Gives a frame of the hypervisor's own back that is not shared: `Some` unless it is none, or somebody
    /// still references it.
    pub fn release_own(&self, mfn: Mfn, clock: u32) -> Option<Freed> {
        let page = self.ram(mfn)?;
        let mine = owner_bits(DomainId::INVALID) | HYPERVISOR;
        if page.state() & (OWNER | HYPERVISOR) != mine {
            return None;
        }
        self.give_back(page, mfn, clock)
    }

    /// Takes a general reference to a frame of `owner`, without a guard. Fails with EINVAL unless `owner` holds
    /// the frame. Give it back with [`release`](Self::release).
    #[inline]
    pub fn take(&self, mfn: Mfn, owner: DomainId) -> Refused<&'t PageInfo> {
        match self.get(mfn) {
            Some(page) if page.take_at_once(owner_bits(owner) | ALLOCATED, 0) => Ok(page),
            Some(page) if page.take(owner_bits(owner) | ALLOCATED, 0) => Ok(page),
            _ => refuse(Errno::EINVAL, "the frame does not belong to the domain"),
        }
    }

    /// As [`take`](Self::take), on behalf of a domain other than the owner that is going to map the frame
    /// (grants, foreign mappings): later flushes of stale translations then ask every CPU.
    #[inline]
    pub fn take_foreign(&self, mfn: Mfn, owner: DomainId) -> Refused<&'t PageInfo> {
        match self.get(mfn) {
            Some(page) if page.take(owner_bits(owner) | ALLOCATED, FOREIGN) => Ok(page),
            _ => refuse(Errno::EINVAL, "the frame does not belong to the domain"),
        }
    }

    /// Takes a general reference to any frame that has one, whoever owns it and even if the owner gave it
    /// back: for teardown, which found the frame on a list.
    pub(crate) fn take_listed(&self, mfn: Mfn) -> Option<&'t PageInfo> {
        let page = self.ram(mfn)?;
        page.state
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |state| {
                let live = state & FREE == 0 && state & COUNT != 0 && state & COUNT_FULL == 0;
                live.then(|| state + 1)
            })
            .ok()
            .map(|_| page)
    }

    /// Gives a general reference back that the caller owns. `clock` is [`Host::tlb_clock`], read after the
    /// last translation made under the reference was taken out of its table.
    #[inline]
    pub fn release(&self, mfn: Mfn, clock: impl FnOnce() -> u32) -> Option<Freed> {
        self.get(mfn)
            .and_then(|page| self.release_page(page, mfn, clock))
    }

    #[inline(always)]
    pub(crate) fn release_page(
        &self,
        page: &PageInfo,
        mfn: Mfn,
        clock: impl FnOnce() -> u32,
    ) -> Option<Freed> {
        let state = page.state.fetch_sub(1, Ordering::AcqRel);
        debug_assert!(state & COUNT != 0, "a general reference was released twice");
        if state & COUNT != 1 {
            return None;
        }
        Some(page.last_reference_went(mfn, clock()))
    }

    /// The owner gives the frame back: no new reference can be taken, and when the others are gone it is free.
    /// Fails with EINVAL where `owner` does not hold the frame or already gave it back. `clock` is read after the
    /// last reference went, not before: a flush in between would seem to have covered what it did not.
    pub fn release_allocation(
        &self,
        mfn: Mfn,
        owner: DomainId,
        clock: impl FnOnce() -> u32,
    ) -> Refused<Option<Freed>> {
        const RULE: &str = "the frame does not belong to the domain";
        let Some(page) = self.ram(mfn) else {
            return refuse(Errno::EINVAL, RULE);
        };
        let wanted = owner_bits(owner) | ALLOCATED;
        let state = page.state();
        if state & (OWNER | ALLOCATED) != wanted {
            return refuse(Errno::EINVAL, RULE);
        }
        if state & HYPERVISOR != 0 {
            return refuse(Errno::EPERM, "the frame is shared by the hypervisor");
        }
        // Another CPU may have been faster, and the frame another domain's by now.
        let still = |state| (state & (OWNER | ALLOCATED) == wanted).then_some(state & !ALLOCATED);
        let taken = page
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, still);
        if taken.is_err() {
            return refuse(Errno::EINVAL, RULE);
        }
        Ok(self.release_page(page, mfn, clock))
    }

    fn give_back(&self, page: &PageInfo, mfn: Mfn, clock: u32) -> Option<Freed> {
        let before = page.state.fetch_and(!ALLOCATED, Ordering::AcqRel);
        if before & ALLOCATED == 0 {
            return None;
        }
        self.release_page(page, mfn, || clock)
    }

    /// Takes a frame away from its owner at once (exchange, transfer). Needs that nobody else knows the frame:
    /// exactly the owner's reference, no type reference. EINVAL where it is not the owner's, EBUSY where in use.
    pub fn steal(&self, mfn: Mfn, owner: DomainId, clock: impl FnOnce() -> u32) -> Refused<Freed> {
        let Some(page) = self.ram(mfn) else {
            return refuse(Errno::EINVAL, "the frame is no RAM");
        };
        let state = page.state();
        let wanted = owner_bits(owner) | ALLOCATED;
        if state & (OWNER | ALLOCATED | HYPERVISOR) != wanted {
            return refuse(Errno::EINVAL, "the frame does not belong to the domain");
        }
        let alone = state & COUNT == 1;
        let taken = (state & !ALLOCATED) - u64::from(alone);
        if !alone
            || page
                .state
                .compare_exchange(state, taken, Ordering::AcqRel, Ordering::Relaxed)
                .is_err()
        {
            return refuse(Errno::EBUSY, "the frame is in use");
        }
        Ok(page.last_reference_went(mfn, clock()))
    }

    /// Turns a freed frame into a free one, for the allocator, and remembers when it was freed. Its owner's
    /// list must not have it any more.
    pub fn into_free(&self, freed: Freed) -> Mfn {
        if let Some(page) = self.ram(freed.mfn) {
            let timestamp = page.kind() >> UPPER_SHIFT;
            let byte = page.state() & !(OWNER | ALLOCATED | HYPERVISOR | FOREIGN | COUNT);
            page.kind.store(0, Ordering::Relaxed);
            page.links.store(0, Ordering::Relaxed);
            page.state.store(byte | FREE | timestamp, Ordering::Release);
        }
        freed.mfn
    }
}

impl PageInfo {
    /// [`take`](Self::take) where nobody interferes and the frame is no data of the hypervisor; `false`: nothing
    /// was taken, look again.
    #[inline(always)]
    pub(crate) fn take_at_once(&self, wanted: u64, mark: u64) -> bool {
        let state = self.state();
        state & (OWNER | ALLOCATED | COUNT_FULL | FREE | HYPERVISOR) == wanted
            && self
                .state
                .compare_exchange(
                    state,
                    (state + 1) | mark,
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                )
                .is_ok()
    }

    /// Takes a general reference where the owner and liveness bits of the state are `wanted`, adding `mark`.
    /// A hole is never written, since its state is zero and `wanted` is not.
    #[cold]
    #[inline(never)]
    pub(crate) fn take(&self, wanted: u64, mark: u64) -> bool {
        let mut state = self.state();
        while state & (OWNER | ALLOCATED | COUNT_FULL | FREE) == wanted {
            match self.state.compare_exchange_weak(
                state,
                (state + 1) | mark,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    /// The frame's last reference went: notes the time, for whoever gets the frame next.
    #[cold]
    #[inline(never)]
    fn last_reference_went(&self, mfn: Mfn, clock: u32) -> Freed {
        let kind = self.kind();
        debug_assert!(kind & TYPES == 0, "a freed frame still has a type");
        let stamped = (kind & KIND_LOW & !TYPE) | u64::from(clock) << UPPER_SHIFT;
        self.kind.store(stamped, Ordering::Release);
        Freed {
            mfn,
            owner: DomainId((self.state() >> OWNER_SHIFT) as u16),
        }
    }
}
