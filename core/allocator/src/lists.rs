//! The lists of free blocks of one NUMA node, by zone, cleanliness and order.

use crate::links::{FrameLinks, FrameState, FrameUse, FreeLink, NO_FRAME};
use crate::{zone_of, ORDERS, ZONES};

/// A free block: frames `first..first + 2^order`, of which those at offsets `dirty_start..dirty_end` may hold
/// old contents. The dirty part is one range, so joining two dirty halves may count clean frames between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub first: u32,
    pub order: u8,
    pub dirty_start: u32,
    pub dirty_end: u32,
}

impl Block {
    /// The block whose dirty frames are those of the absolute range `dirty_start..dirty_end` that lie in it.
    pub fn with_dirty_range(first: u32, order: u8, dirty_start: u32, dirty_end: u32) -> Self {
        let size = 1u32 << order;
        let start = dirty_start.saturating_sub(first).min(size);
        let end = dirty_end.saturating_sub(first).min(size);
        Self::with_offsets(first, order, start, end)
    }

    fn with_offsets(first: u32, order: u8, start: u32, end: u32) -> Self {
        let (dirty_start, dirty_end) = if start < end { (start, end) } else { (0, 0) };
        Self {
            first,
            order,
            dirty_start,
            dirty_end,
        }
    }

    pub const fn frames(&self) -> u32 {
        1 << self.order
    }

    /// The last frame of the block.
    pub const fn last(&self) -> u32 {
        self.first + (self.frames() - 1)
    }

    pub const fn dirty_frames(&self) -> u32 {
        self.dirty_end - self.dirty_start
    }

    /// The block's lower and upper half. The order must not be 0.
    pub fn halves(self) -> (Self, Self) {
        let order = self.order.saturating_sub(1);
        let size = 1u32 << order;
        (
            Self::with_offsets(
                self.first,
                order,
                self.dirty_start.min(size),
                self.dirty_end.min(size),
            ),
            Self::with_offsets(
                self.first + size,
                order,
                self.dirty_start.saturating_sub(size),
                self.dirty_end.saturating_sub(size),
            ),
        )
    }

    /// The block that this one and its buddy form.
    pub fn joined(self, buddy: Self) -> Self {
        let (low, high) = if self.first < buddy.first {
            (self, buddy)
        } else {
            (buddy, self)
        };
        let size = low.frames();
        let (start, end) = match (low.dirty_frames(), high.dirty_frames()) {
            (0, _) => (high.dirty_start + size, high.dirty_end + size),
            (_, 0) => (low.dirty_start, low.dirty_end),
            _ => (low.dirty_start, high.dirty_end + size),
        };
        let end = if low.dirty_frames() + high.dirty_frames() == 0 {
            start
        } else {
            end
        };
        Self::with_offsets(low.first, low.order + 1, start, end)
    }
}

/// Index of the list of blocks that are clean throughout.
pub(crate) const CLEAN: usize = 0;
/// Index of the list of blocks with a dirty part.
pub(crate) const DIRTY: usize = 1;

#[derive(Clone, Copy)]
struct Zone {
    /// First block of each list, by cleanliness and order.
    heads: [[u32; ORDERS]; 2],
    /// Which orders have a block, by cleanliness.
    orders: [u32; 2],
    free: u32,
}

impl Zone {
    const EMPTY: Self = Self {
        heads: [[NO_FRAME; ORDERS]; 2],
        orders: [0; 2],
        free: 0,
    };
}

/// The free blocks of one node.
#[derive(Clone, Copy)]
pub(crate) struct NodeLists {
    zones: [Zone; ZONES],
    /// Which zones have a block, by cleanliness.
    occupied: [u32; 2],
    /// Frames in the lists.
    pub free: u64,
    /// Of those, frames that may be dirty.
    pub dirty: u64,
    /// Frames out for scrubbing: free, but not in the lists.
    pub scrubbing: u64,
    /// Frames the node ever gave to the allocator.
    pub total: u64,
}

impl NodeLists {
    pub const EMPTY: Self = Self {
        zones: [Zone::EMPTY; ZONES],
        occupied: [0; 2],
        free: 0,
        dirty: 0,
        scrubbing: 0,
        total: 0,
    };

    /// Frames in the lists of zones `low..=high`.
    pub fn free_in_zones(&self, low: usize, high: usize) -> u64 {
        self.zones
            .get(low..=high.min(ZONES - 1))
            .unwrap_or(&[])
            .iter()
            .map(|zone| u64::from(zone.free))
            .sum()
    }

    /// Puts a block at the head of its list and marks its first frame.
    pub fn push(&mut self, links: &impl FrameLinks, block: Block) {
        let zone_number = zone_of(block.first);
        let kind = usize::from(block.dirty_frames() != 0);
        let Some(zone) = self.zones.get_mut(zone_number) else {
            return;
        };
        let order = usize::from(block.order);
        let Some(head) = zone
            .heads
            .get_mut(kind)
            .and_then(|list| list.get_mut(order))
        else {
            return;
        };
        let next = core::mem::replace(head, block.first);
        links.set_link(
            block.first,
            FreeLink {
                previous: NO_FRAME,
                next,
                dirty_start: block.dirty_start,
                dirty_end: block.dirty_end,
            },
        );
        links.set_state(
            block.first,
            FrameState::new(FrameUse::FreeHead, block.order),
        );
        if next != NO_FRAME {
            let link = links.link(next);
            links.set_link(
                next,
                FreeLink {
                    previous: block.first,
                    ..link
                },
            );
        }
        zone.free += block.frames();
        set_bit(&mut zone.orders, kind, order);
        set_bit(&mut self.occupied, kind, zone_number);
        self.free += u64::from(block.frames());
        self.dirty += u64::from(block.dirty_frames());
    }

    /// Takes the block that starts at `first` out of its list. Its first frame must be a free head.
    pub fn unlink(&mut self, links: &impl FrameLinks, first: u32) -> Block {
        let order = links.state(first).order();
        let link = links.link(first);
        let block = Block {
            first,
            order,
            dirty_start: link.dirty_start,
            dirty_end: link.dirty_end,
        };
        let kind = usize::from(block.dirty_frames() != 0);
        if link.next != NO_FRAME {
            let next = links.link(link.next);
            links.set_link(
                link.next,
                FreeLink {
                    previous: link.previous,
                    ..next
                },
            );
        }
        if link.previous != NO_FRAME {
            let previous = links.link(link.previous);
            links.set_link(
                link.previous,
                FreeLink {
                    next: link.next,
                    ..previous
                },
            );
        } else {
            self.set_head(zone_of(first), kind, usize::from(order), link.next);
        }
        links.set_state(first, FrameState::default());
        if let Some(zone) = self.zones.get_mut(zone_of(first)) {
            zone.free -= block.frames();
        }
        self.free -= u64::from(block.frames());
        self.dirty -= u64::from(block.dirty_frames());
        block
    }

    fn set_head(&mut self, zone_number: usize, kind: usize, order: usize, head: u32) {
        let Some(zone) = self.zones.get_mut(zone_number) else {
            return;
        };
        if let Some(slot) = zone
            .heads
            .get_mut(kind)
            .and_then(|list| list.get_mut(order))
        {
            *slot = head;
        }
        if head == NO_FRAME {
            clear_bit(&mut zone.orders, kind, order);
            if zone.orders.get(kind) == Some(&0) {
                clear_bit(&mut self.occupied, kind, zone_number);
            }
        }
    }

    /// The first frame of the block to take for `order` from zones `low..=high`: the highest zone that can
    /// serve it, there `preferred` cleanliness before the other, there the smallest block that fits.
    pub fn find(&self, order: u8, low: usize, high: usize, preferred: usize) -> Option<u32> {
        let mut zones = self.occupied.iter().fold(0, |all, kind| all | kind);
        zones &= u32::MAX.checked_shl(low as u32).unwrap_or(0);
        zones &= u32::MAX >> (u32::BITS - 1).saturating_sub(high as u32);
        while zones != 0 {
            let number = u32::BITS - 1 - zones.leading_zeros();
            zones &= !(1 << number);
            let zone = self.zones.get(number as usize)?;
            for kind in [preferred, 1 - preferred] {
                let fitting = zone.orders.get(kind)? & (u32::MAX << order);
                if fitting != 0 {
                    let fit = fitting.trailing_zeros() as usize;
                    return zone.heads.get(kind)?.get(fit).copied();
                }
            }
        }
        None
    }

    /// The first frame of the largest block with a dirty part, in the highest zone that has one.
    pub fn find_dirty(&self) -> Option<u32> {
        let zones = *self.occupied.get(DIRTY)?;
        let number = (u32::BITS - 1).checked_sub(zones.leading_zeros())?;
        let zone = self.zones.get(number as usize)?;
        let order = (u32::BITS - 1).checked_sub(zone.orders.get(DIRTY)?.leading_zeros())?;
        zone.heads.get(DIRTY)?.get(order as usize).copied()
    }
}

fn set_bit(masks: &mut [u32; 2], kind: usize, bit: usize) {
    if let Some(mask) = masks.get_mut(kind) {
        *mask |= 1 << bit;
    }
}

fn clear_bit(masks: &mut [u32; 2], kind: usize, bit: usize) {
    if let Some(mask) = masks.get_mut(kind) {
        *mask &= !(1 << bit);
    }
}
