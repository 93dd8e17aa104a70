//! The two-level ABI: a pending bit and a mask bit a port, and a selector word a vCPU.

use vocabulary::{Port, VcpuId};

use crate::shared::BITMAP_WORDS;
use crate::shared::{Bitmap, SharedInfo};

/// What raising an event did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Raised {
    /// The event was not pending before.
    pub newly: bool,
    /// The vCPU's upcall became pending.
    pub upcall: bool,
    /// The guest broke its own state so that the event cannot be delivered.
    pub broken: Option<&'static str>,
}

/// The word and the bit of a port, or nothing for a port above the ABI's range.
#[inline]
fn place(port: Port) -> Option<(usize, u64)> {
    let word = (port.0 / 64) as usize;
    (word < BITMAP_WORDS).then_some((word, 1 << (port.0 % 64)))
}

/// Sets the port's pending bit and, if that is news and it is not masked, tells the vCPU.
#[inline]
pub(crate) fn raise(info: &impl SharedInfo, port: Port, vcpu: VcpuId) -> Raised {
    let Some((word, bit)) = place(port) else {
        return Raised::default();
    };
    if info.fetch_or(Bitmap::Pending, word, bit) & bit != 0 {
        return Raised::default();
    }
    let masked = info.load(Bitmap::Mask, word) & bit != 0;
    let upcall = !masked && select(info, word, vcpu);
    Raised {
        newly: true,
        upcall,
        broken: None,
    }
}

/// Clears the mask bit and tells the vCPU if the event was masked and is pending. Whether its upcall became pending.
#[inline]
pub(crate) fn unmask(info: &impl SharedInfo, port: Port, vcpu: VcpuId) -> bool {
    let Some((word, bit)) = place(port) else {
        return false;
    };
    info.fetch_and(Bitmap::Mask, word, !bit) & bit != 0
        && info.load(Bitmap::Pending, word) & bit != 0
        && select(info, word, vcpu)
}

/// Clears the port's pending bit.
pub(crate) fn clear(info: &impl SharedInfo, port: Port) {
    if let Some((word, bit)) = place(port) {
        info.fetch_and(Bitmap::Pending, word, !bit);
    }
}

/// Whether the port's pending bit is set.
pub(crate) fn is_pending(info: &impl SharedInfo, port: Port) -> bool {
    place(port).is_some_and(|(word, bit)| info.load(Bitmap::Pending, word) & bit != 0)
}

/// Whether the port's mask bit is set.
pub(crate) fn is_masked(info: &impl SharedInfo, port: Port) -> bool {
    place(port).is_some_and(|(word, bit)| info.load(Bitmap::Mask, word) & bit != 0)
}

/// Points the vCPU at a word of the bitmap; whether its upcall became pending by that.
#[inline]
fn select(info: &impl SharedInfo, word: usize, vcpu: VcpuId) -> bool {
    let bit = 1 << (word as u32 % 64);
    info.fetch_or_selector(vcpu, bit) & bit == 0 && !info.set_upcall_pending(vcpu)
}
