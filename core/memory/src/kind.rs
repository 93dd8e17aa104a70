//! The type count: how a frame becomes one thing and stops being it.
//!
//! `Writable` is taken and dropped by any CPU without a lock, so it goes by compare-exchange. The other types are
//! taken, changed and dropped only with the paging lock of the frame's owner held; since everybody else only
//! ever replaces a word that says "no references" or "writable", the lock's holder may plainly store once a
//! table type has a reference.

use core::sync::atomic::Ordering;

use vocabulary::{refuse, DomainId, Errno, Refused};

use crate::environment::{Host, Stale};
use crate::page_info::{
    PageInfo, PageType, FOREIGN, KIND_LOW, PARTIAL, PINNED, TYPE, TYPES, TYPES_FULL, UPPER_SHIFT,
    VALIDATED,
};

/// A writable frame with room for references: what the hot path looks for.
const WRITABLE: u64 = PageType::Writable.bits() | VALIDATED;

/// What a request for a table or descriptor type found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// One more reference to a validated frame.
    Counted,
    /// The first reference: the caller must validate and then [`PageInfo::set_validated`] (or give up).
    Fresh,
    /// The frame is of the type, but some promotion or demotion stopped part way.
    Partial,
}

impl PageInfo {
    /// Takes a writable type reference. EBUSY where the frame is in use as something else. The caller holds a
    /// general reference.
    #[inline]
    pub(crate) fn take_writable<H: Host>(&self, host: &H) -> Refused<()> {
        if self.take_writable_at_once() {
            return Ok(());
        }
        self.take_writable_slowly(host)
    }

    /// [`take_writable`](Self::take_writable) where the frame was writable last and nobody interferes; `false`:
    /// nothing was taken, try it the slow way.
    #[inline(always)]
    pub(crate) fn take_writable_at_once(&self) -> bool {
        let kind = self.kind.load(Ordering::Relaxed);
        // With no reference yet the upper half is a timestamp, and it ends here.
        let taken = (kind & KIND_LOW) + 1;
        kind & (TYPE | VALIDATED | TYPES_FULL) == WRITABLE && self.replace(kind, taken)
    }

    #[inline(never)]
    fn take_writable_slowly<H: Host>(&self, host: &H) -> Refused<()> {
        loop {
            let kind = self.kind();
            let writable = kind & TYPE == PageType::Writable.bits();
            if kind & TYPES == 0 {
                let changes = kind & TYPE != 0 && !writable;
                let validated = if changes { 0 } else { VALIDATED };
                let taken = PageType::Writable.bits() | validated | 1;
                if self.replace(kind, taken) {
                    if changes {
                        self.flush_former_use(kind, host);
                        self.kind.fetch_or(VALIDATED, Ordering::AcqRel);
                    }
                    return Ok(());
                }
            } else if !writable {
                return refuse(
                    Errno::EBUSY,
                    "a frame in use as a table, as descriptors or read-only is not writable",
                );
            } else if kind & TYPES_FULL != 0 {
                return refuse(Errno::EBUSY, "the frame has too many references");
            } else if kind & VALIDATED == 0 {
                host.relax(); // Another CPU is flushing what was cached of the former use.
            } else if self.replace(kind, kind + 1) {
                return Ok(());
            }
        }
    }

    #[inline(always)]
    fn replace(&self, old: u64, new: u64) -> bool {
        self.kind
            .compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// Flushes what CPUs may still hold of the use that ended with `former`, after the type changed (so that
    /// no new translation of the former use can be made) and before the new one counts.
    fn flush_former_use<H: Host>(&self, former: u64, host: &H) {
        let stale = if self.state() & FOREIGN != 0 {
            Stale::Anywhere
        } else {
            Stale::OfDomain(self.owner())
        };
        host.flush_stale(stale, (former >> UPPER_SHIFT) as u32);
    }

    /// Drops a writable type reference that the caller owns; `clock` is read where it was the last one.
    #[inline(always)]
    pub(crate) fn drop_writable(&self, clock: impl Fn() -> u32) {
        let mut kind = self.kind.load(Ordering::Relaxed);
        loop {
            debug_assert!(kind & TYPES != 0 && kind & TYPE == PageType::Writable.bits());
            let mut left = kind.wrapping_sub(1);
            if left & TYPES == 0 {
                left = (left & KIND_LOW) | u64::from(clock()) << UPPER_SHIFT;
            }
            match self
                .kind
                .compare_exchange_weak(kind, left, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(now) => kind = now,
            }
        }
    }

    /// Drops one type reference of whatever type (the end of a share).
    pub(crate) fn drop_type_count(&self, clock: u32) {
        let mut kind = self.kind();
        while kind & TYPES != 0 {
            let mut left = kind - 1;
            if left & TYPES == 0 {
                left = (left & KIND_LOW) | u64::from(clock) << UPPER_SHIFT;
            }
            if self.replace(kind, left) {
                return;
            }
            kind = self.kind();
        }
    }

    /// Takes one more reference of a table or descriptor type that the frame has; `false`: nothing was taken,
    /// ask [`claim`](Self::claim). The paging lock of the owner is held, and a general reference.
    #[inline(always)]
    pub(crate) fn claim_at_once(&self, wanted: PageType) -> bool {
        let kind = self.kind();
        // Only a type with references is validated, but for `Writable` and `None`.
        let another = kind & (TYPE | VALIDATED | TYPES_FULL) == wanted.bits() | VALIDATED;
        if another {
            // Plain store: see the head of this file.
            self.kind.store(kind + 1, Ordering::Release);
        }
        another
    }

    /// Takes a reference of a table or descriptor type. EINVAL where the frame is something else. The paging
    /// lock of the owner is held, and a general reference.
    pub(crate) fn claim<H: Host>(&self, wanted: PageType, host: &H) -> Refused<Claim> {
        if self.claim_at_once(wanted) {
            return Ok(Claim::Counted);
        }
        self.claim_slowly(wanted, host)
    }

    fn claim_slowly<H: Host>(&self, wanted: PageType, host: &H) -> Refused<Claim> {
        loop {
            let kind = self.kind();
            if kind & TYPES != 0 {
                if kind & TYPE != wanted.bits() {
                    return refuse(Errno::EINVAL, "the frame is in use as another type");
                }
                if kind & TYPES_FULL != 0 {
                    return refuse(Errno::EBUSY, "the frame has too many references");
                }
                return Ok(Claim::Partial);
            }
            if self.replace(kind, wanted.bits() | 1) {
                let former = kind & TYPE;
                if former != 0 && former != wanted.bits() {
                    self.flush_former_use(kind, host);
                }
                return Ok(Claim::Fresh);
            }
        }
    }

    /// Promotion is done; entries are in `groups` only. The paging lock is held.
    #[inline]
    pub(crate) fn set_validated(&self, groups: Groups) {
        let kind = self.kind() & KIND_LOW & !PARTIAL | VALIDATED;
        let upper = u64::from(groups.0) << UPPER_SHIFT;
        self.kind.store(kind | upper, Ordering::Release);
    }

    /// Where a validated table may have present entries; the paging lock is held.
    #[inline]
    pub(crate) fn groups(&self) -> Groups {
        Groups((self.kind() >> UPPER_SHIFT) as u32)
    }

    /// Notes that entry `index` of a validated table is going to be present. The paging lock is held.
    #[inline(always)]
    pub(crate) fn note_present(&self, index: usize) {
        let kind = self.kind.load(Ordering::Relaxed);
        let mark = u64::from(Groups::of(index).0) << UPPER_SHIFT;
        if kind & mark == 0 {
            self.kind.store(kind | mark, Ordering::Release);
        }
    }

    /// Drops a type reference that is not the last one and gives `true`; does nothing and gives `false` where
    /// it is the last. The paging lock is held, the type a table's or descriptors'.
    #[inline(always)]
    pub(crate) fn drop_unless_last(&self) -> bool {
        let kind = self.kind();
        let more = kind & TYPES > 1;
        if more {
            self.kind.store(kind.wrapping_sub(1), Ordering::Release);
        }
        more
    }

    /// Drops the last type reference of a table that was demoted (or never got validated). The paging lock is
    /// held. The type stays as a memory of what may be cached.
    #[inline]
    pub(crate) fn drop_last(&self, clock: u32) {
        let former = self.kind() & TYPE;
        self.kind
            .store(former | u64::from(clock) << UPPER_SHIFT, Ordering::Release);
    }

    /// Stores how far a table got that stops here, part way. The paging lock is held.
    pub(crate) fn set_progress(&self, progress: Progress) {
        let kind = (self.kind() & KIND_LOW & !VALIDATED) | PARTIAL;
        self.kind.store(kind | progress.bits(), Ordering::Release);
    }

    /// How far a partial table got.
    pub(crate) fn progress(&self) -> Progress {
        Progress::of(self.kind())
    }

    /// Sets or clears the mark that the guest pinned the table. The paging lock is held.
    pub(crate) fn set_pinned(&self, pinned: bool) {
        let kind = self.kind() & !PINNED;
        let mark = if pinned { PINNED } else { 0 };
        self.kind.store(kind | mark, Ordering::Release);
    }

    /// Whether the frame is a validated table of `owner` with this type. The paging lock is held.
    #[inline(always)]
    pub(crate) fn is_live(&self, page_type: PageType, owner: DomainId) -> bool {
        // Only a table with references is validated.
        self.kind() & (TYPE | VALIDATED) == page_type.bits() | VALIDATED && self.owner() == owner
    }

    /// The type of the frame, where it is a validated table of `owner`. The paging lock is held.
    #[inline]
    pub(crate) fn live_table(&self, owner: DomainId) -> Option<PageType> {
        let page_type = PageType::of(self.kind());
        (page_type.level().is_some() && self.is_live(page_type, owner)).then_some(page_type)
    }
}

/// Which of a table's 32 groups of 16 entries may hold present ones. A validated table has this in the upper
/// half of its kind word, so that demotion does not read what is empty; the lock's holder keeps it true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Groups(pub(crate) u32);

impl Groups {
    /// No entry is present.
    pub(crate) const NONE: Self = Self(0);
    /// Nothing is known.
    pub(crate) const ALL: Self = Self(u32::MAX);

    /// The group of entry `index` (taken modulo 512).
    #[inline(always)]
    pub(crate) const fn of(index: usize) -> Self {
        Self(1_u32.wrapping_shl((index >> 4) as u32))
    }

    /// These and the group of entry `index`.
    #[inline(always)]
    pub(crate) const fn with(self, index: usize) -> Self {
        Self(self.0 | Self::of(index).0)
    }
}

/// Who accounts for the one type reference of a partial table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// Nobody: a promotion stopped, and whoever asks for the type next goes on with it. The frame also keeps
    /// one general reference of its own.
    Orphan,
    /// Nobody, as above; an entry was refused with the errno, and the entries before it are being undone.
    Failing(u8),
    /// A table entry or [`Paging`](crate::Paging)'s leftover: a demotion stopped.
    Held,
}

/// How far a partial table got: entries `0..entries` are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) entries: usize,
    pub(crate) holder: Holder,
}

const ENTRIES_MASK: u64 = 0x3ff;
const HELD: u64 = 1 << 10;
const ERRNO_SHIFT: u32 = 16;

impl Progress {
    fn bits(self) -> u64 {
        let holder = match self.holder {
            Holder::Orphan => 0,
            Holder::Failing(errno) => u64::from(errno) << ERRNO_SHIFT,
            Holder::Held => HELD,
        };
        (self.entries as u64 & ENTRIES_MASK | holder) << UPPER_SHIFT
    }

    fn of(kind: u64) -> Self {
        let upper = kind >> UPPER_SHIFT;
        let errno = (upper >> ERRNO_SHIFT) as u8;
        let holder = match errno {
            _ if upper & HELD != 0 => Holder::Held,
            0 => Holder::Orphan,
            errno => Holder::Failing(errno),
        };
        Self {
            entries: (upper & ENTRIES_MASK) as usize,
            holder,
        }
    }
}
