//! Scrubbing of freed frames by idle CPUs, in bounded steps.

use vocabulary::Mfn;

use crate::allocation::FrameAllocator;
use crate::links::FrameLinks;
use crate::lists::Block;
use crate::MAX_ORDER;

/// Free frames taken out to be zeroed, so that the zeroing needs no lock. Hand it back with
/// [`FrameAllocator::scrub_done`]; dropping it would lose the frames.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct ScrubWork {
    block: Block,
}

impl ScrubWork {
    /// How many frames are left to zero.
    pub const fn left(&self) -> u32 {
        self.block.dirty_frames()
    }
}

/// The frames to zero. Each counts as zeroed from when it was given; those that were not stay as they are.
impl Iterator for ScrubWork {
    type Item = Mfn;

    fn next(&mut self) -> Option<Mfn> {
        if self.left() == 0 {
            return None;
        }
        let frame = self.block.first + self.block.dirty_start;
        self.block.dirty_start += 1;
        if self.left() == 0 {
            (self.block.dirty_start, self.block.dirty_end) = (0, 0);
        }
        Some(Mfn(frame.into()))
    }
}

impl<const NODES: usize> FrameAllocator<NODES> {
    /// Takes out up to 2^max_order frames with old contents, on `node` if it has some, else anywhere. `None`:
    /// all free memory is clean. The frames stay counted as free but cannot be allocated meanwhile, so keep
    /// `max_order` small: 5 (128 KiB) is about ten microseconds of zeroing.
    pub fn scrub_take(
        &mut self,
        links: &impl FrameLinks,
        node: u8,
        max_order: u8,
    ) -> Option<ScrubWork> {
        let start = usize::from(node).min(NODES.saturating_sub(1));
        let (node, first) = (0..NODES).find_map(|step| {
            let node = (start + step) % NODES;
            Some((node, self.nodes.get(node)?.find_dirty()?))
        })?;
        let lists = self.nodes.get_mut(node)?;
        let mut block = lists.unlink(links, first);
        while block.order > max_order.min(MAX_ORDER) {
            let (low, high) = block.halves();
            let (kept, rest) = if low.dirty_frames() != 0 {
                (low, high)
            } else {
                (high, low)
            };
            lists.push(links, rest);
            block = kept;
        }
        lists.scrubbing += u64::from(block.frames());
        Some(ScrubWork { block })
    }

    /// Takes back frames that the caller has zeroed, or some of them.
    pub fn scrub_done(&mut self, links: &impl FrameLinks, work: ScrubWork) {
        let block = work.block;
        let node = self.regions.find(block.first).map(|region| region.node);
        if let Some(lists) = node.and_then(|node| self.nodes.get_mut(usize::from(node))) {
            lists.scrubbing = lists.scrubbing.saturating_sub(block.frames().into());
        }
        self.give_back(links, block);
    }

    /// One bounded step of scrubbing under the caller's lock: zeroes up to 2^max_order frames through `zero`
    /// and answers how many; 0 when all free memory is clean.
    pub fn scrub_step(
        &mut self,
        links: &impl FrameLinks,
        node: u8,
        max_order: u8,
        mut zero: impl FnMut(Mfn),
    ) -> u64 {
        let Some(mut work) = self.scrub_take(links, node, max_order) else {
            return 0;
        };
        let mut count = 0;
        for frame in work.by_ref() {
            zero(frame);
            count += 1;
        }
        self.scrub_done(links, work);
        count
    }
}
