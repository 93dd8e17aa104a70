//! The allocator itself: giving blocks out and taking them back.

use vocabulary::{refuse, Errno, Mfn, Refusal, Refused};

use crate::claim::Claim;
use crate::links::{FrameLinks, FrameState, FrameUse};
use crate::lists::{Block, NodeLists, CLEAN, DIRTY};
use crate::low::LowMemory;
use crate::nodes::{NodeChoice, NodeSet};
use crate::regions::Regions;
use crate::{zone_of, MAX_ORDER, MIN_ADDRESS_BITS, ZONES};

/// What the caller will do with the frames, which decides whether it pays for clean ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Contents {
    /// They must be zero: clean frames are preferred, the caller zeroes what [`Allocation::dirty`] names.
    #[default]
    Zeroed,
    /// The caller overwrites them whole: dirty frames are preferred.
    Overwritten,
}

/// What kind of block is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// 2^order frames, aligned to their size; at most [`MAX_ORDER`].
    pub order: u8,
    /// Every byte's machine address must fit this many bits: [`MIN_ADDRESS_BITS`] at least, 64 for no limit.
    pub max_address_bits: u8,
    /// Where.
    pub node: NodeChoice,
    /// What for.
    pub contents: Contents,
}

impl Request {
    /// 2^order frames, anywhere, to be zeroed.
    pub const fn of_order(order: u8) -> Self {
        Self {
            order,
            max_address_bits: 64,
            node: NodeChoice::Any,
            contents: Contents::Zeroed,
        }
    }
}

/// Frames given out, all in one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Allocation {
    /// The first frame.
    pub first: Mfn,
    /// How many frames.
    pub frames: u64,
    dirty_start: u64,
    dirty_end: u64,
}

impl Allocation {
    pub(crate) fn of_range(first: u32, frames: u32, dirty_start: u32, dirty_end: u32) -> Self {
        Self {
            first: Mfn(first.into()),
            frames: frames.into(),
            dirty_start: dirty_start.into(),
            dirty_end: dirty_end.into(),
        }
    }

    /// The frames that may hold somebody's old contents; all others are zero.
    pub fn dirty(&self) -> impl Iterator<Item = Mfn> {
        (self.dirty_start..self.dirty_end).map(Mfn)
    }

    /// Every frame.
    pub fn all(&self) -> impl Iterator<Item = Mfn> {
        (self.first.0..self.first.0.saturating_add(self.frames)).map(Mfn)
    }
}

/// The machine's free memory, for up to `NODES` NUMA nodes.
pub struct FrameAllocator<const NODES: usize = 8> {
    pub(crate) nodes: [NodeLists; NODES],
    pub(crate) regions: Regions,
    /// Frames promised to domains by claims and not yet taken.
    pub(crate) claimed: u64,
    /// Zones below this one are used only when no node has memory above.
    protected_zones: usize,
    low: LowMemory,
}

impl<const NODES: usize> Default for FrameAllocator<NODES> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const NODES: usize> FrameAllocator<NODES> {
    /// An allocator without memory. About 5 KiB a node; fit for a static.
    pub const fn new() -> Self {
        Self {
            nodes: [NodeLists::EMPTY; NODES],
            regions: Regions::new(),
            claimed: 0,
            protected_zones: 0,
            low: LowMemory::never(),
        }
    }

    /// Leaves memory below 2^bits bytes untouched while any node has memory above. Without this, low memory is
    /// used last only within each node. Worth calling on machines of several nodes, with `bits` such that
    /// node 0 keeps most of its memory above.
    pub fn protect_below(&mut self, bits: u8) {
        self.protected_zones = highest_zone(bits).map_or(0, |zone| zone + 1).min(ZONES - 1);
    }

    /// Allocates. EINVAL: order, address width or node out of range; ENOMEM: no such block free, or all that
    /// is free is claimed by others.
    pub fn allocate(&mut self, links: &impl FrameLinks, request: Request) -> Refused<Allocation> {
        self.allocate_claimed(links, request, &mut Claim::none())
    }

    /// Allocates for the holder of a claim, whose outstanding frames are used up first. Refusals as for
    /// [`allocate`](Self::allocate).
    pub fn allocate_claimed(
        &mut self,
        links: &impl FrameLinks,
        request: Request,
        claim: &mut Claim,
    ) -> Refused<Allocation> {
        let block = self.take(
            links,
            request,
            claim,
            1u64.checked_shl(request.order.into()),
        )?;
        for frame in block.first..=block.last() {
            links.set_state(frame, FrameState::new(FrameUse::Allocated, 0));
        }
        Ok(Allocation::of_range(
            block.first,
            block.frames(),
            block.first + block.dirty_start,
            block.first + block.dirty_end,
        ))
    }

    /// Takes a block off the lists for an allocation of `frames` frames, and settles the claim.
    pub(crate) fn take(
        &mut self,
        links: &impl FrameLinks,
        request: Request,
        claim: &mut Claim,
        frames: Option<u64>,
    ) -> Refused<Block> {
        let Some(frames) = frames.filter(|_| request.order <= MAX_ORDER) else {
            return refuse(Errno::EINVAL, "a block has at most 2^18 frames");
        };
        let Some(zone) = highest_zone(request.max_address_bits) else {
            return refuse(Errno::EINVAL, "an address limit has at least 20 bits");
        };
        if frames > self.available_to(claim) {
            return refuse(Errno::ENOMEM, "too little memory is free and unclaimed");
        }
        let (node, first) = self.find(request, zone)?;
        let Some(lists) = self.nodes.get_mut(node) else {
            return refuse(Errno::EINVAL, "no such NUMA node");
        };
        let mut block = lists.unlink(links, first);
        while block.order > request.order {
            let (low, high) = block.halves();
            // The low half is kept, so that successive requests get ascending frames, unless the high one
            // suits the caller's wish for clean frames better.
            let keep_high =
                request.contents == Contents::Zeroed && high.dirty_frames() < low.dirty_frames();
            let (kept, rest) = if keep_high { (high, low) } else { (low, high) };
            lists.push(links, rest);
            block = kept;
        }
        self.spend_claim(claim, frames);
        Ok(block)
    }

    /// Node and first frame of the block to serve the request from.
    fn find(&self, request: Request, zone: usize) -> Refused<(usize, u32)> {
        let preferred = match request.contents {
            Contents::Zeroed => CLEAN,
            Contents::Overwritten => DIRTY,
        };
        let (first, nodes, others) = match request.node {
            NodeChoice::Any => (self.fullest_node(), NodeSet::EMPTY, true),
            NodeChoice::Prefer { first, nodes } => (first, nodes, true),
            NodeChoice::Only(node) => (node, NodeSet::EMPTY, false),
        };
        if usize::from(first) >= NODES {
            return refuse(Errno::EINVAL, "no such NUMA node");
        }
        for low in [self.protected_zones, 0] {
            let in_turn = nodes.in_turn(first, NODES, others);
            let found = in_turn.into_iter().find_map(|node| {
                let lists = self.nodes.get(node)?;
                Some((node, lists.find(request.order, low, zone, preferred)?))
            });
            if let Some(found) = found {
                return Ok(found);
            }
            if self.protected_zones == 0 {
                break;
            }
        }
        refuse(Errno::ENOMEM, "no free block is large and low enough")
    }

    fn fullest_node(&self) -> u8 {
        let mut fullest = (0, 0);
        for (index, node) in (0u8..).zip(&self.nodes) {
            if node.free > fullest.1 {
                fullest = (index, node.free);
            }
        }
        fullest.0
    }

    /// Has [`runs_low`](Self::runs_low) tell of less than `limit` free frames, or of less than half of what is free now.
    pub fn watch(&mut self, limit: u64) {
        self.low = LowMemory::below(limit, self.free_frames());
    }

    /// Whether free memory, less what is claimed, has fallen to a threshold that was not told. Call it after memory was
    /// given out or claimed.
    pub fn runs_low(&mut self) -> bool {
        let free = self.free_frames().saturating_sub(self.claimed);
        self.low.observe(free)
    }

    /// Notes that there may be more memory again. Call it after some came back.
    pub fn note_rise(&mut self) {
        if self.low.has_told() {
            self.runs_low();
        }
    }

    /// Takes back the 2^order frames from `first`, which may be a part of what was given out. `clean` says that
    /// they are all zero. EINVAL: misaligned or too large; ENOENT: not this allocator's; EBADF: a frame is not
    /// given out (a double free). A refusal changes nothing.
    pub fn free(
        &mut self,
        links: &impl FrameLinks,
        first: Mfn,
        order: u8,
        clean: bool,
    ) -> Refused<()> {
        let size = 1u64.checked_shl(order.into()).unwrap_or(0);
        if order > MAX_ORDER || first.0 & size.wrapping_sub(1) != 0 {
            return refuse(
                Errno::EINVAL,
                "a block is aligned to its size of at most 2^18",
            );
        }
        self.free_range(links, first, size, clean)
    }

    /// Checks that all `count` frames from `first` are this allocator's and in the given use.
    pub(crate) fn check_use(
        &self,
        links: &impl FrameLinks,
        first: Mfn,
        count: u64,
        expected: FrameUse,
    ) -> Refused<(u32, u32)> {
        let outside = Refusal::new(Errno::ENOENT, "the frames are not the allocator's");
        let first = u32::try_from(first.0).map_err(|_| outside)?;
        let count = u32::try_from(count).map_err(|_| outside)?;
        let region = self.regions.find(first).ok_or(outside)?;
        if !region.covers(first, count) {
            return Err(outside);
        }
        let end = first + count;
        if (first..end).any(|frame| links.state(frame).frame_use() != expected) {
            return refuse(Errno::EBADF, "a frame is not in use: freed twice");
        }
        Ok((first, end))
    }

    /// Puts a block whose frames' states are all `Covered` back, joined with its buddies as far as possible.
    pub(crate) fn give_back(&mut self, links: &impl FrameLinks, mut block: Block) {
        let Some(region) = self.regions.find(block.first) else {
            return;
        };
        let Some(lists) = self.nodes.get_mut(usize::from(region.node)) else {
            return;
        };
        while block.order < MAX_ORDER {
            let buddy = block.first ^ block.frames();
            let pair = block.first & !block.frames();
            let size = block.frames() * 2;
            // Buddies of different zones stay apart: a block never straddles an address width.
            if !region.covers(pair, size) || zone_of(pair) != zone_of(pair + (size - 1)) {
                break;
            }
            if links.state(buddy) != FrameState::new(FrameUse::FreeHead, block.order) {
                break;
            }
            block = block.joined(lists.unlink(links, buddy));
        }
        lists.push(links, block);
    }

    /// Free frames on all nodes, those being scrubbed included.
    pub fn free_frames(&self) -> u64 {
        self.nodes
            .iter()
            .map(|node| node.free + node.scrubbing)
            .sum()
    }

    /// Free frames on a node, those being scrubbed included.
    pub fn free_on_node(&self, node: u8) -> u64 {
        self.nodes
            .get(usize::from(node))
            .map_or(0, |lists| lists.free + lists.scrubbing)
    }

    /// Frames of a node that the allocator was ever given.
    pub fn total_on_node(&self, node: u8) -> u64 {
        self.nodes
            .get(usize::from(node))
            .map_or(0, |lists| lists.total)
    }

    /// Frames that the allocator was ever given.
    pub fn total_frames(&self) -> u64 {
        self.nodes.iter().map(|node| node.total).sum()
    }

    /// Free frames that may hold old contents.
    pub fn dirty_frames(&self) -> u64 {
        self.nodes.iter().map(|node| node.dirty).sum()
    }

    /// Free frames whose addresses need more than `min_bits` and at most `max_bits` bits, on one node or all.
    /// Widths are rounded to whole zones: everything below 1 MiB counts as 20 bits wide.
    pub fn free_by_width(&self, min_bits: u8, max_bits: u8, node: Option<u8>) -> u64 {
        let low = highest_zone(min_bits).map_or(0, |zone| zone + 1);
        let Some(high) = highest_zone(max_bits) else {
            return 0;
        };
        (0u8..)
            .zip(&self.nodes)
            .filter(|(number, _)| node.is_none_or(|wanted| wanted == *number))
            .map(|(_, lists)| lists.free_in_zones(low, high))
            .sum()
    }

    /// The NUMA node of a frame, if the allocator knows the frame.
    pub fn node_of(&self, frame: Mfn) -> Option<u8> {
        let frame = u32::try_from(frame.0).ok()?;
        self.regions.find(frame).map(|region| region.node)
    }
}

/// The highest zone whose frames all have addresses of at most `bits` bits.
fn highest_zone(bits: u8) -> Option<usize> {
    let above = usize::from(bits.checked_sub(MIN_ADDRESS_BITS)?);
    Some(above.min(ZONES - 1))
}
