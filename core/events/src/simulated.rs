//! What a guest shares by itself, for tests of who uses it: in this program's memory, with a test as the guest.
#![allow(clippy::indexing_slicing)] // A vCPU or a word that there is not is the tested crate's mistake, and ends the test.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, AtomicU8, Ordering::SeqCst};

use vocabulary::VcpuId;

use crate::{Bitmap, SharedInfo};

/// `shared_info` and `vcpu_info`s.
#[derive(Debug)]
pub struct Info {
    /// The bits of events that are pending, 64 a word.
    pub pending: Vec<AtomicU64>,
    /// Those of events that are masked.
    pub mask: Vec<AtomicU64>,
    /// Each vCPU's `evtchn_pending_sel`.
    pub selector: Vec<AtomicU64>,
    /// Each vCPU's `evtchn_upcall_pending`.
    pub upcall: Vec<AtomicU8>,
}

impl Info {
    /// Those of so many vCPUs, with nothing pending or masked.
    pub fn new(vcpus: u32) -> Self {
        let words = |count: u32| (0..count).map(|_| AtomicU64::new(0)).collect();
        Self {
            pending: words(64),
            mask: words(64),
            selector: words(vcpus),
            upcall: (0..vcpus).map(|_| AtomicU8::new(0)).collect(),
        }
    }

    /// The words of a bitmap.
    pub fn map(&self, map: Bitmap) -> &[AtomicU64] {
        match map {
            Bitmap::Pending => &self.pending,
            Bitmap::Mask => &self.mask,
        }
    }
}

impl SharedInfo for Info {
    fn load(&self, map: Bitmap, word: usize) -> u64 {
        self.map(map)[word].load(SeqCst)
    }
    fn fetch_or(&self, map: Bitmap, word: usize, bits: u64) -> u64 {
        self.map(map)[word].fetch_or(bits, SeqCst)
    }
    fn fetch_and(&self, map: Bitmap, word: usize, bits: u64) -> u64 {
        self.map(map)[word].fetch_and(bits, SeqCst)
    }
    fn fetch_or_selector(&self, vcpu: VcpuId, bits: u64) -> u64 {
        self.selector[vcpu.0 as usize].fetch_or(bits, SeqCst)
    }
    fn set_upcall_pending(&self, vcpu: VcpuId) -> bool {
        self.upcall[vcpu.0 as usize].swap(1, SeqCst) != 0
    }
}
