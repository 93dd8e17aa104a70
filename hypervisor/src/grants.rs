//! A domain's grant table and what it borrowed, with the frames that it shares with the hypervisor.

use core::sync::atomic::{
    AtomicU32,
    Ordering::{AcqRel, Acquire, Release},
};

use grants::{GrantTable, Maptrack, SharedFrame};
use hw::sync::SpinLock;
use hw::window::Window;
use memory::Sharing;
use vocabulary::{DomainId, Mfn, Refused};

use crate::{levels, machine};

/// Frames a grant table may have (`max_grant_frames`, Xen's default of 64).
const MOST_FRAMES: u32 = 64;
/// Frames of handles a domain may use (`max_maptrack_frames`, Xen's default of 1024).
const MOST_MAPTRACK_FRAMES: u32 = 1024;

/// A frame of a grant table: the hypervisor's own, shared writable with the domain.
#[derive(Debug)]
pub struct GrantFrame {
    frame: Mfn,
}

impl GrantFrame {
    /// Takes a zeroed frame and shares it with `domain`.
    pub fn share(domain: DomainId) -> Option<Self> {
        let frame = machine::take_own(0)?;
        if machine::frames()
            .share_with_guest(frame, domain, Sharing::Writable)
            .is_err()
        {
            machine::give_back_own(frame);
            return None;
        }
        Some(Self { frame })
    }

    /// Its number.
    pub fn number(&self) -> Mfn {
        self.frame
    }

    #[inline]
    fn word<R>(&self, offset: usize, work: impl FnOnce(&AtomicU32) -> R) -> Option<R> {
        Window::open(self.frame)
            .half_words()
            .get(offset / 4)
            .map(work)
    }
}

impl SharedFrame for GrantFrame {
    #[inline]
    fn load(&self, offset: usize) -> u32 {
        self.word(offset, |word| word.load(Acquire)).unwrap_or(0)
    }

    #[inline]
    fn store(&self, offset: usize, value: u32) {
        self.word(offset, |word| word.store(value, Release));
    }

    #[inline]
    fn compare_exchange(&self, offset: usize, current: u32, new: u32) -> Result<u32, u32> {
        self.word(offset, |word| {
            word.compare_exchange(current, new, AcqRel, Acquire)
        })
        .unwrap_or(Err(0))
    }

    #[inline]
    fn fetch_or(&self, offset: usize, bits: u32) -> u32 {
        self.word(offset, |word| word.fetch_or(bits, AcqRel))
            .unwrap_or(0)
    }

    #[inline]
    fn fetch_and(&self, offset: usize, bits: u32) -> u32 {
        self.word(offset, |word| word.fetch_and(bits, AcqRel))
            .unwrap_or(0)
    }
}

/// What a domain lends and has borrowed.
pub struct DomainGrants {
    /// What it lends.
    pub table: GrantTable<GrantFrame>,
    /// What it has borrowed.
    pub borrowed: Maptrack,
    /// Held around what grows the table or changes its version: frames that are taken meanwhile may wait for other
    /// processors to flush, and one that waits for the table's own lock would not answer.
    pub shape: SpinLock<(), { levels::GRANT_SHAPE }>,
}

impl DomainGrants {
    /// Nothing lent, nothing borrowed.
    pub fn new(domain: DomainId, vcpus: u32) -> Refused<Self> {
        Ok(Self {
            table: GrantTable::new(domain, MOST_FRAMES)?,
            borrowed: Maptrack::new(domain, vcpus, MOST_MAPTRACK_FRAMES)?,
            shape: SpinLock::new(()),
        })
    }
}
