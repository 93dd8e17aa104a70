//! Exact ranges: regions given at start, reservations, and contiguous memory of any length.

use vocabulary::{refuse, Errno, Mfn, Refused};

use crate::allocation::{Allocation, FrameAllocator, Request};
use crate::claim::Claim;
use crate::links::{FrameLinks, FrameState, FrameUse, NO_FRAME};
use crate::lists::Block;
use crate::regions::Region;
use crate::{zone_of, MAX_ORDER};

impl<const NODES: usize> FrameAllocator<NODES> {
    /// Gives the allocator `count` frames of RAM from `first`, all free, lying on `node`. `clean` says that
    /// they are all zero. The frame table must have entries for them, with zero in the allocator's word.
    /// EINVAL: node or frame numbers out of range; EEXIST: overlaps an earlier region; ENOSPC: too many.
    pub fn add_region(
        &mut self,
        links: &impl FrameLinks,
        first: Mfn,
        count: u64,
        node: u8,
        clean: bool,
    ) -> Refused<()> {
        let end = first.0.checked_add(count).map(u32::try_from);
        let (Ok(start), Some(Ok(end))) = (u32::try_from(first.0), end) else {
            return refuse(Errno::EINVAL, "memory above 16 TiB is not managed");
        };
        let Some(lists) = self.nodes.get_mut(usize::from(node)) else {
            return refuse(Errno::EINVAL, "no such NUMA node");
        };
        if start == end || end == NO_FRAME {
            return refuse(Errno::EINVAL, "a memory region has at least one frame");
        }
        self.regions.add(Region { start, end, node })?;
        lists.total += count;
        let (dirty_start, dirty_end) = if clean { (0, 0) } else { (start, end) };
        self.give_back_range(links, start, end, (dirty_start, dirty_end));
        Ok(())
    }

    /// Takes exactly these frames, all of them free, out of the free memory. They count as given out and may
    /// be freed later. ENOENT: not the allocator's; EBUSY: one of them is not free. A refusal changes nothing.
    pub fn reserve(&mut self, links: &impl FrameLinks, first: Mfn, count: u64) -> Refused<()> {
        let end = first.0.checked_add(count).map(u32::try_from);
        let (Ok(start), Some(Ok(end))) = (u32::try_from(first.0), end) else {
            return refuse(Errno::ENOENT, "the frames are not the allocator's");
        };
        let mut frame = start;
        while frame < end {
            let Some(region) = self.regions.find(frame) else {
                return refuse(Errno::ENOENT, "the frames are not the allocator's");
            };
            let Some((head, order)) = free_block_around(links, region, frame) else {
                return refuse(Errno::EBUSY, "a frame to reserve is in use");
            };
            frame = head + (1 << order);
        }
        let mut frame = start;
        while frame < end {
            frame = self.carve(links, frame, end);
        }
        Ok(())
    }

    /// Takes `frame` up to the end of its free block or `end` out of that block and answers where it stopped.
    fn carve(&mut self, links: &impl FrameLinks, frame: u32, end: u32) -> u32 {
        let found = self.regions.find(frame).and_then(|region| {
            let (head, _) = free_block_around(links, region, frame)?;
            let lists = self.nodes.get_mut(usize::from(region.node))?;
            Some(lists.unlink(links, head))
        });
        let Some(block) = found else {
            return end;
        };
        let block_end = block.last() + 1;
        let stop = end.min(block_end);
        for taken in frame..stop {
            links.set_state(taken, FrameState::new(FrameUse::Allocated, 0));
        }
        let dirty = (
            block.first + block.dirty_start,
            block.first + block.dirty_end,
        );
        self.give_back_range(links, block.first, frame, dirty);
        self.give_back_range(links, stop, block_end, dirty);
        stop
    }

    /// Allocates `frames` frames in one piece, aligned to the next power of two of their count and at least to
    /// 2^`request.order`; `request`'s other wishes hold. Refusals as for [`allocate`](Self::allocate).
    pub fn allocate_contiguous(
        &mut self,
        links: &impl FrameLinks,
        frames: u64,
        request: Request,
        claim: &mut Claim,
    ) -> Refused<Allocation> {
        let order = frames.checked_next_power_of_two().map(u64::trailing_zeros);
        let Some(order) = order
            .and_then(|order| u8::try_from(order).ok())
            .filter(|order| frames != 0 && *order <= MAX_ORDER)
        else {
            return refuse(Errno::EINVAL, "a contiguous range has 1 to 2^18 frames");
        };
        let order = order.max(request.order);
        let block = self.take(links, Request { order, ..request }, claim, Some(frames))?;
        let stop = block.first + frames as u32;
        let dirty = (
            block.first + block.dirty_start,
            block.first + block.dirty_end,
        );
        for frame in block.first..stop {
            links.set_state(frame, FrameState::new(FrameUse::Allocated, 0));
        }
        self.give_back_range(links, stop, block.last() + 1, dirty);
        Ok(Allocation::of_range(
            block.first,
            frames as u32,
            dirty.0.min(stop),
            dirty.1.min(stop),
        ))
    }

    /// Takes back `count` frames from `first`, in one piece but of any alignment. Refusals as for
    /// [`free`](Self::free).
    pub fn free_range(
        &mut self,
        links: &impl FrameLinks,
        first: Mfn,
        count: u64,
        clean: bool,
    ) -> Refused<()> {
        let (start, end) = self.check_use(links, first, count, FrameUse::Allocated)?;
        for frame in start..end {
            links.set_state(frame, FrameState::default());
        }
        let dirty = if clean { (0, 0) } else { (start, end) };
        self.give_back_range(links, start, end, dirty);
        Ok(())
    }

    /// Marks a frame that is given out as broken: it never comes back. EBADF: it is not given out; ENOENT: not
    /// the allocator's.
    pub fn retire(&mut self, links: &impl FrameLinks, frame: Mfn) -> Refused<()> {
        let (frame, _) = self.check_use(links, frame, 1, FrameUse::Allocated)?;
        links.set_state(frame, FrameState::new(FrameUse::Broken, 0));
        Ok(())
    }

    /// Whether the frame is the allocator's and in nobody's hands, by the lists (frames in CPU caches and
    /// those being scrubbed are not). For checks and dumps; walks up to 19 entries.
    pub fn is_free(&self, links: &impl FrameLinks, frame: Mfn) -> bool {
        u32::try_from(frame.0).is_ok_and(|frame| {
            self.regions
                .find(frame)
                .is_some_and(|region| free_block_around(links, region, frame).is_some())
        })
    }

    /// Puts frames `start..end` back as the largest aligned blocks that fit; those in `dirty` are dirty.
    fn give_back_range(
        &mut self,
        links: &impl FrameLinks,
        start: u32,
        end: u32,
        dirty: (u32, u32),
    ) {
        let mut frame = start;
        while frame < end {
            let mut order = largest_order(frame, end);
            while zone_of(frame) != zone_of(frame + ((1 << order) - 1)) {
                order -= 1;
            }
            self.give_back(
                links,
                Block::with_dirty_range(frame, order, dirty.0, dirty.1),
            );
            frame += 1 << order;
        }
    }
}

/// The largest order of a block that starts at `frame` and ends at or before `end`, which is above `frame`.
fn largest_order(frame: u32, end: u32) -> u8 {
    let alignment = frame.trailing_zeros();
    let room = (end - frame).ilog2();
    alignment.min(room).min(MAX_ORDER.into()) as u8
}

/// First frame and order of the free block that holds `frame`.
fn free_block_around(links: &impl FrameLinks, region: Region, frame: u32) -> Option<(u32, u8)> {
    (0..=MAX_ORDER).find_map(|order| {
        let head = frame & !((1 << order) - 1);
        let state = (head >= region.start).then(|| links.state(head))?;
        let free = state.frame_use() == FrameUse::FreeHead && state.order() >= order;
        free.then(|| (head, state.order()))
    })
}
