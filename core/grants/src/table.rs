//! The lender's table: its shared frames, our records beside them, and how both grow.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU8, Ordering};

use spin::mutex::{SpinMutex, SpinMutexGuard};
use spin::once::Once;
use vocabulary::{refuse, DomainId, Errno, GrantRef, Refused, PAGE_SIZE};

use crate::active::Active;
use crate::denied::{deny, Denied, Granted, Status};
use crate::entry::Entry;
use crate::SharedPage;

/// Entries our records grow by: as many as a frame of the denser version holds.
const CHUNK: u32 = 512;
/// Statuses in a status frame.
const STATUSES: u32 = (PAGE_SIZE / 2) as u32;
/// Frames a table may have, whatever the configuration says: 32-bit references to version-1 entries.
const FRAME_LIMIT: u32 = 1 << 20;

/// The layout of a table's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 8 bytes an entry, the in-use flags in it.
    V1,
    /// 16 bytes an entry, the in-use flags in status frames.
    V2,
}

impl Version {
    /// The version of a number; there are 1 and 2.
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::V1),
            2 => Some(Self::V2),
            _ => None,
        }
    }

    /// Its number.
    pub const fn number(self) -> u32 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }

    /// Bytes of an entry.
    pub(crate) const fn entry_bytes(self) -> usize {
        match self {
            Self::V1 => 8,
            Self::V2 => 16,
        }
    }

    /// Entries in a frame.
    pub(crate) const fn entries_per_frame(self) -> u32 {
        (PAGE_SIZE / self.entry_bytes()) as u32
    }
}

/// Our records of 512 entries, once they are there.
type Chunk<R> = Once<Box<[SpinMutex<Active, R>]>, R>;

/// What a domain lends.
///
/// `F` is the hypervisor's hold on a frame that it shares with the guest, and says how to wait for a lock.
pub struct GrantTable<F: SharedPage> {
    domain: DomainId,
    frames: Box<[Once<F, F::Relax>]>,
    statuses: Box<[Once<F, F::Relax>]>,
    active: Box<[Chunk<F::Relax>]>,
    /// Frames in place; `active` covers them.
    frame_count: AtomicU32,
    status_count: AtomicU32,
    version: AtomicU8,
    /// The version is being changed: no new pins.
    pub(crate) changing: AtomicBool,
    pub(crate) control: SpinMutex<(), F::Relax>,
}

/// `count` values in a box, or nothing.
pub(crate) fn try_boxed<T>(count: u32, make: impl FnMut() -> T) -> Option<Box<[T]>> {
    let mut values = Vec::new();
    values.try_reserve_exact(count as usize).ok()?;
    values.extend(core::iter::repeat_with(make).take(count as usize));
    Some(values.into_boxed_slice())
}

impl<F: SharedPage> GrantTable<F> {
    /// The table of `domain`, empty, of version 1, that may grow to `max_frames` (`max_grant_frames`).
    /// It takes a few dozen bytes a possible frame at once, 24 KiB a frame on demand.
    ///
    /// # Errors
    /// `ENOMEM`; `EINVAL` for more than 2^20 frames.
    pub fn new(domain: DomainId, max_frames: u32) -> Refused<Self> {
        if max_frames > FRAME_LIMIT {
            return refuse(Errno::EINVAL, "too many grant frames");
        }
        let boxes = || {
            let statuses = status_frames_for(max_frames);
            Some((
                try_boxed(max_frames, Once::new)?,
                try_boxed(statuses, Once::new)?,
                try_boxed(max_frames, Once::new)?,
            ))
        };
        let Some((frames, statuses, active)) = boxes() else {
            return refuse(Errno::ENOMEM, "no memory for a grant table");
        };
        Ok(Self {
            domain,
            frames,
            statuses,
            active,
            frame_count: AtomicU32::new(0),
            status_count: AtomicU32::new(0),
            version: AtomicU8::new(1),
            changing: AtomicBool::new(false),
            control: SpinMutex::new(()),
        })
    }

    /// The domain it belongs to.
    pub fn domain(&self) -> DomainId {
        self.domain
    }

    /// `GNTTABOP_get_version`.
    #[inline]
    pub fn version(&self) -> Version {
        match self.version.load(Ordering::Acquire) {
            2 => Version::V2,
            _ => Version::V1,
        }
    }

    pub(crate) fn store_version(&self, version: Version) {
        self.version
            .store(version.number() as u8, Ordering::Release);
    }

    /// `GNTTABOP_query_size`: frames it has.
    #[inline]
    pub fn frame_count(&self) -> u32 {
        self.frame_count.load(Ordering::Acquire)
    }

    /// `GNTTABOP_query_size`: frames it may have.
    pub fn max_frames(&self) -> u32 {
        self.frames.len() as u32
    }

    /// Status frames it may have.
    pub fn max_status_frames(&self) -> u32 {
        self.statuses.len() as u32
    }

    /// Frames of version 2 that the table must have for status frame `index` to be in use.
    pub const fn frames_for_status_frame(&self, index: u32) -> u32 {
        let entries = index.saturating_mul(STATUSES);
        (entries / Version::V2.entries_per_frame()).saturating_add(1)
    }

    /// Status frames it has, which version 1 does not use.
    pub fn status_frame_count(&self) -> u32 {
        self.status_count.load(Ordering::Acquire)
    }

    /// A shared frame, if the table has grown to it: for `setup_table` and `add_to_physmap`.
    #[inline]
    pub fn frame(&self, index: u32) -> Option<&F> {
        if index >= self.frame_count() {
            return None;
        }
        self.frames.get(index as usize)?.get()
    }

    /// A status frame, if there is one: for `get_status_frames` and `add_to_physmap`.
    pub fn status_frame(&self, index: u32) -> Option<&F> {
        if index >= self.status_frame_count() {
            return None;
        }
        self.statuses.get(index as usize)?.get()
    }

    /// `GNTTABOP_setup_table`: grows to at least `frames` frames. `allocate` gives zeroed frames; it is
    /// called with the table's control lock held. What was added before it ran dry stays.
    ///
    /// # Errors
    /// `General`: more than the table may have. `NoSpace`: no memory.
    pub fn grow(&self, frames: u32, mut allocate: impl FnMut() -> Option<F>) -> Granted<()> {
        let _control = self.control.lock();
        if frames > self.max_frames() {
            return deny(
                Status::General,
                "more grant frames than the domain may have",
            );
        }
        if self.version() == Version::V2 {
            self.grow_statuses(frames, &mut allocate)?;
        }
        for index in self.frame_count()..frames {
            let no_memory = Denied {
                status: Status::NoSpace,
                rule: "no memory for grant frames",
            };
            let (Some(frame), Some(active)) = (
                self.frames.get(index as usize),
                self.active.get(index as usize),
            ) else {
                return Err(no_memory);
            };
            active.try_call_once(|| {
                try_boxed(CHUNK, || SpinMutex::new(Active::default())).ok_or(no_memory)
            })?;
            frame.try_call_once(|| allocate().ok_or(no_memory))?;
            self.frame_count.store(index + 1, Ordering::Release);
        }
        Ok(())
    }

    /// `GNTTABOP_get_status_frames`: checks that the table has `count` of them.
    ///
    /// # Errors
    /// `General`: version 1, or fewer.
    pub fn check_status_frames(&self, count: u32) -> Granted<()> {
        if self.version() != Version::V2 {
            return deny(
                Status::General,
                "only version 2 grant tables have status frames",
            );
        }
        if count > status_frames_for(self.frame_count()) {
            return deny(
                Status::General,
                "more status frames than the grant table has",
            );
        }
        Ok(())
    }

    /// Makes room for the statuses of `frames` frames of version 2. Under the control lock.
    pub(crate) fn grow_statuses(
        &self,
        frames: u32,
        allocate: &mut impl FnMut() -> Option<F>,
    ) -> Granted<()> {
        for index in self.status_frame_count()..status_frames_for(frames) {
            let no_memory = Denied {
                status: Status::NoSpace,
                rule: "no memory for status frames",
            };
            let Some(place) = self.statuses.get(index as usize) else {
                return Err(no_memory);
            };
            place.try_call_once(|| allocate().ok_or(no_memory))?;
            self.status_count.store(index + 1, Ordering::Release);
        }
        Ok(())
    }

    /// How many entries the table has now.
    #[inline]
    pub fn entry_count(&self) -> u32 {
        self.frame_count() * self.version().entries_per_frame()
    }

    /// Locks the record of an entry that exists.
    pub(crate) fn lock(&self, reference: GrantRef) -> Granted<SpinMutexGuard<'_, Active>> {
        Ok(self.existing(reference)?.lock())
    }

    /// The record of an entry that exists.
    #[inline]
    pub(crate) fn existing(&self, reference: GrantRef) -> Granted<&SpinMutex<Active, F::Relax>> {
        let bad = Denied {
            status: Status::BadReference,
            rule: "no such grant entry",
        };
        if reference.0 >= self.entry_count() {
            return Err(bad);
        }
        self.record(reference).ok_or(bad)
    }

    /// The record of an entry, if the table ever covered it.
    #[inline]
    pub(crate) fn record(&self, reference: GrantRef) -> Option<&SpinMutex<Active, F::Relax>> {
        let chunk = self.active.get((reference.0 / CHUNK) as usize)?.get()?;
        chunk.get((reference.0 % CHUNK) as usize)
    }

    /// The shared entry, in the table's version. With its record locked, so that the version stays.
    #[inline]
    pub(crate) fn entry(&self, reference: GrantRef) -> Granted<Entry<'_, F>> {
        self.entry_as(self.version(), reference).ok_or(Denied {
            status: Status::BadReference,
            rule: "no such grant entry",
        })
    }

    /// The shared entry of a reference in a version of choice.
    #[inline(always)]
    pub(crate) fn entry_as(&self, version: Version, reference: GrantRef) -> Option<Entry<'_, F>> {
        let each = version.entries_per_frame();
        let frame = self.frame(reference.0 / each)?;
        let status = match version {
            Version::V1 => None,
            Version::V2 => {
                let statuses = self.status_frame(reference.0 / STATUSES)?;
                Some((statuses, (reference.0 % STATUSES) as usize))
            }
        };
        Some(Entry::new(
            version,
            frame,
            (reference.0 % each) as usize,
            status,
        ))
    }

    /// The first entry at or after `from` that somebody holds: what keeps a dying domain's table alive,
    /// and a debug dump's list. Nothing more after the last entry.
    pub fn next_pinned(&self, from: GrantRef) -> Option<GrantRef> {
        let end = self.frame_count() * CHUNK;
        (from.0..end).map(GrantRef).find(|reference| {
            self.record(*reference)
                .is_some_and(|record| !record.lock().is_idle())
        })
    }

    /// Whether nobody holds any entry.
    pub fn is_idle(&self) -> bool {
        self.next_pinned(GrantRef(0)).is_none()
    }
}

/// Status frames that `frames` frames of version 2 need.
pub(crate) const fn status_frames_for(frames: u32) -> u32 {
    (frames * Version::V2.entries_per_frame()).div_ceil(STATUSES)
}
