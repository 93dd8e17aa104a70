//! The list of a domain's frames and how many it may have. The hypervisor keeps it inside a lock of its own,
//! which nests inside the paging lock.

use core::sync::atomic::Ordering;

use vocabulary::{refuse, DomainId, Errno, Mfn, Refused};

use crate::frame_table::{FrameTable, Freed};
use crate::page_info::PageInfo;

/// No frame, in a link.
pub(crate) const NONE: u32 = u32::MAX;

/// One doubly linked list through the links words of its frames.
#[derive(Debug)]
struct List {
    head: u32,
    tail: u32,
}

impl List {
    const EMPTY: Self = Self {
        head: NONE,
        tail: NONE,
    };

    fn push_back(&mut self, frames: FrameTable<'_>, mfn: u32) {
        let last = self.tail;
        if let Some(page) = page(frames, mfn) {
            page.set_list_links(last, NONE);
        }
        match page(frames, last) {
            Some(before) => before.set_list_links(before.list_links().0, mfn),
            None => self.head = mfn,
        }
        self.tail = mfn;
    }

    /// Takes a frame off that is on this list.
    fn unlink(&mut self, frames: FrameTable<'_>, mfn: u32) {
        let Some(this) = page(frames, mfn) else {
            return;
        };
        let (previous, next) = this.list_links();
        this.set_list_links(NONE, NONE);
        match page(frames, previous) {
            Some(before) => before.set_list_links(before.list_links().0, next),
            None => self.head = next,
        }
        match page(frames, next) {
            Some(after) => after.set_list_links(previous, after.list_links().1),
            None => self.tail = previous,
        }
    }
}

fn page(frames: FrameTable<'_>, mfn: u32) -> Option<&PageInfo> {
    if mfn == NONE {
        return None;
    }
    frames.ram(Mfn(u64::from(mfn)))
}

impl PageInfo {
    fn list_links(&self) -> (u32, u32) {
        let links = self.links.load(Ordering::Relaxed);
        ((links >> 32) as u32, links as u32)
    }

    fn set_list_links(&self, previous: u32, next: u32) {
        let links = u64::from(previous) << 32 | u64::from(next);
        self.links.store(links, Ordering::Relaxed);
    }
}

/// A domain's frames.
#[derive(Debug)]
pub struct DomainPages {
    domain: DomainId,
    /// Frames that the domain has.
    live: List,
    /// Frames that teardown has looked at; they wait for references of others to go.
    dying: List,
    dying_started: bool,
    total: u64,
    max: u64,
}

impl DomainPages {
    /// No frames, and none allowed.
    pub const fn new(domain: DomainId) -> Self {
        Self {
            domain,
            live: List::EMPTY,
            dying: List::EMPTY,
            dying_started: false,
            total: 0,
            max: 0,
        }
    }

    /// Whose frames these are.
    pub const fn domain(&self) -> DomainId {
        self.domain
    }

    /// Frames on the list: the domain's, and those given back that others still reference.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// The most frames the domain may have.
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// Changes the most frames the domain may have; what it has beyond that stays.
    pub fn set_max(&mut self, max: u64) {
        self.max = max;
    }

    /// Whether `count` more frames are allowed. ENOMEM where not, EINVAL where the domain is dying.
    pub fn check_room(&self, count: u64) -> Refused<()> {
        if self.dying_started {
            return refuse(Errno::EINVAL, "a dying domain gets no memory");
        }
        match self.total.checked_add(count) {
            Some(total) if total <= self.max => Ok(()),
            _ => refuse(
                Errno::ENOMEM,
                "the domain would have more memory than it may",
            ),
        }
    }

    /// Puts a frame on the list that [`FrameTable::assign`] has just made the domain's. ENOMEM beyond the
    /// maximum: the frame is on no list then, and [`FrameTable::steal`] takes it back. Numbers of 2^32 and
    /// more do not fit: EINVAL.
    pub fn insert(&mut self, frames: FrameTable<'_>, mfn: Mfn) -> Refused<()> {
        self.check_room(1)?;
        let Ok(number) = u32::try_from(mfn.0) else {
            return refuse(Errno::EINVAL, "the frame's number does not fit a list");
        };
        self.live.push_back(frames, number);
        self.total = self.total.saturating_add(1);
        Ok(())
    }

    /// Takes a frame off the list to which no reference is left. Does nothing with a frame of the hypervisor
    /// that was shared with the domain, which is on no list.
    pub fn remove(&mut self, frames: FrameTable<'_>, freed: &Freed) {
        let Some(page) = frames.ram(freed.mfn()) else {
            return;
        };
        if page.is_hypervisors() || freed.owner() != self.domain {
            return;
        }
        let Ok(number) = u32::try_from(freed.mfn().0) else {
            return;
        };
        let (previous, next) = page.list_links();
        // A frame at an end of a list is that list's head or tail; in the middle it does not matter whose.
        if (previous == NONE && self.dying.head == number)
            || (next == NONE && self.dying.tail == number)
        {
            self.dying.unlink(frames, number);
        } else if previous != NONE || self.live.head == number {
            self.live.unlink(frames, number);
        } else {
            return; // It never got on a list.
        }
        self.total = self.total.saturating_sub(1);
    }

    /// The domain gets no more frames from now on.
    pub fn begin_teardown(&mut self) {
        self.dying_started = true;
    }

    /// The next frame for [`Mmu::relinquish`](crate::Mmu::relinquish): it moves from the domain's frames to
    /// those that wait for others. `None` when all have.
    pub fn next_to_relinquish(&mut self, frames: FrameTable<'_>) -> Option<Mfn> {
        self.dying_started = true;
        let number = self.live.head;
        page(frames, number)?;
        self.live.unlink(frames, number);
        self.dying.push_back(frames, number);
        Some(Mfn(u64::from(number)))
    }

    /// Whether teardown has begun: the domain gets no more frames then.
    pub const fn is_dying(&self) -> bool {
        self.dying_started
    }

    /// The domain's frames, oldest first. The list must not change meanwhile: the lock stays held.
    pub fn iter<'t>(&self, frames: FrameTable<'t>) -> Frames<'t> {
        Frames {
            frames,
            next: self.live.head,
            left: self.total,
        }
    }

    /// The frame after `mfn` in the list, or the first for `None`: for walks that let go of the lock between
    /// steps and hold a general reference to the frame they stand on.
    pub fn after(&self, frames: FrameTable<'_>, mfn: Option<Mfn>) -> Option<Mfn> {
        let next = match mfn {
            None => self.live.head,
            Some(mfn) => frames.ram(mfn)?.list_links().1,
        };
        page(frames, next).map(|_| Mfn(u64::from(next)))
    }
}

/// An iterator over a domain's frames.
#[derive(Debug)]
pub struct Frames<'t> {
    frames: FrameTable<'t>,
    next: u32,
    left: u64,
}

impl Iterator for Frames<'_> {
    type Item = Mfn;

    fn next(&mut self) -> Option<Mfn> {
        self.left = self.left.checked_sub(1)?;
        let mfn = self.next;
        self.next = page(self.frames, mfn)?.list_links().1;
        Some(Mfn(u64::from(mfn)))
    }
}
