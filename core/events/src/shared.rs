//! What the guest and the hypervisor share beside the FIFO ABI's pages: the trait through which it is reached.
//!
//! All of it is written by the guest at any moment, so that every value read is untrusted: it decides
//! what *that* guest is told and nothing else. Read-modify-write operations must be full barriers (as
//! `lock`-prefixed instructions are), and every operation must end without waiting for another processor.

use vocabulary::VcpuId;

/// Words of the two-level bitmaps on x86-64: 64 words of 64 ports.
pub const BITMAP_WORDS: usize = 64;

/// One of the two bitmaps in `shared_info` (public `xen.h`), a bit a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bitmap {
    /// `evtchn_pending`: the event happened and was not consumed.
    Pending,
    /// `evtchn_mask`: the guest does not want to be told.
    Mask,
}

/// A domain's `shared_info` page and its vCPUs' `vcpu_info`, wherever they live now.
///
/// `word` is below [`BITMAP_WORDS`]; `vcpu` exists. An implementer answers 0 or `true` for what is not mapped.
pub trait SharedInfo {
    /// Reads a word of a bitmap.
    fn load(&self, map: Bitmap, word: usize) -> u64;
    /// Sets `bits` in a word of a bitmap atomically; answers the word before.
    fn fetch_or(&self, map: Bitmap, word: usize, bits: u64) -> u64;
    /// Keeps only `bits` of a word of a bitmap atomically; answers the word before.
    fn fetch_and(&self, map: Bitmap, word: usize, bits: u64) -> u64;
    /// Sets `bits` in the vCPU's `evtchn_pending_sel` atomically; answers the word before.
    fn fetch_or_selector(&self, vcpu: VcpuId, bits: u64) -> u64;
    /// Sets the vCPU's `evtchn_upcall_pending` to 1 atomically; answers whether it was set before.
    fn set_upcall_pending(&self, vcpu: VcpuId) -> bool;
}
