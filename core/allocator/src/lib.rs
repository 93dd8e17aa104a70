//! The machine's frame allocator: a buddy system per NUMA node and per address width.
//!
//! Free frames form blocks of 2^order frames, aligned to their size, in lists by node, zone and order. A zone
//! is the set of frames whose number needs the same count of bits, so "below 2^N" is a comparison of zone
//! numbers, and memory that narrow devices can reach is used last. Each free block knows which part of it may
//! hold somebody's old contents; idle CPUs scrub that part away in bounded steps.
//!
//! The crate stores only list heads and counts: what belongs to a frame lives in the frame table, behind
//! [`FrameLinks`]. Nothing here allocates, and no operation's cost depends on the size of memory.
#![cfg_attr(not(test), no_std)]

mod allocation;
mod cache;
mod claim;
mod links;
mod lists;
mod low;
mod nodes;
mod ranges;
mod regions;
mod scrub;

#[cfg(test)]
mod tests;

pub use allocation::{Allocation, Contents, FrameAllocator, Request};
pub use cache::FrameCache;
pub use claim::Claim;
pub use links::{FrameLinks, FrameState, FrameUse, FreeLink, NO_FRAME};
pub use low::LowMemory;
pub use nodes::{NodeChoice, NodeSet};
pub use regions::MAX_REGIONS;
pub use scrub::ScrubWork;

/// The largest block is 2^18 frames: 1 GiB.
pub const MAX_ORDER: u8 = 18;

/// Narrowest address width that a request may name, in bits: the lowest zone is the first MiB.
pub const MIN_ADDRESS_BITS: u8 = 20;

/// Count of orders, 0 to [`MAX_ORDER`].
const ORDERS: usize = MAX_ORDER as usize + 1;
/// Zone 0 holds frame numbers of up to this many bits.
const LOWEST_ZONE_BITS: u32 = MIN_ADDRESS_BITS as u32 - vocabulary::PAGE_SHIFT;
/// Count of zones: frame numbers have at most 32 bits.
const ZONES: usize = (u32::BITS - LOWEST_ZONE_BITS) as usize + 1;

/// The zone of a frame.
const fn zone_of(frame: u32) -> usize {
    (u32::BITS - frame.leading_zeros()).saturating_sub(LOWEST_ZONE_BITS) as usize
}
