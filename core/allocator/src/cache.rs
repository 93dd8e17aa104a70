//! A CPU's own few single frames, so that most single allocations take no lock.

use vocabulary::{refuse, Errno, Mfn, Refused};

use crate::allocation::{Contents, FrameAllocator, Request};
use crate::links::{FrameLinks, FrameState, FrameUse, NO_FRAME};

/// Up to `SIZE` single frames of one CPU. They count as given out in the allocator's numbers; the lists do
/// not have them. Only for requests without address limit, node or claim.
pub struct FrameCache<const SIZE: usize = 32> {
    frames: [u32; SIZE],
    count: usize,
}

impl<const SIZE: usize> Default for FrameCache<SIZE> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const SIZE: usize> FrameCache<SIZE> {
    /// An empty cache.
    pub const fn new() -> Self {
        Self {
            frames: [NO_FRAME; SIZE],
            count: 0,
        }
    }

    /// How many frames are in it.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether nothing is in it.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Takes a frame out, the latest put in first; with it, whether it may hold old contents. `None` when the
    /// cache is empty: [`refill`](Self::refill) it under the allocator's lock.
    pub fn take(&mut self, links: &impl FrameLinks) -> Option<(Mfn, bool)> {
        let last = self.count.checked_sub(1)?;
        let frame = *self.frames.get(last)?;
        self.count = last;
        let dirty = links.state(frame).frame_use() == FrameUse::CachedDirty;
        links.set_state(frame, FrameState::new(FrameUse::Allocated, 0));
        Some((Mfn(frame.into()), dirty))
    }

    /// Puts a frame in that the allocator or a cache gave out. Answers false when the cache is full: free the
    /// frame, or [`drain`](Self::drain) first, under the allocator's lock. EBADF: the frame is not given out
    /// (a double free).
    pub fn put(&mut self, links: &impl FrameLinks, frame: Mfn, clean: bool) -> Refused<bool> {
        let Ok(number) = u32::try_from(frame.0) else {
            return refuse(Errno::ENOENT, "the frames are not the allocator's");
        };
        if links.state(number).frame_use() != FrameUse::Allocated {
            return refuse(Errno::EBADF, "a frame is not in use: freed twice");
        }
        let Some(slot) = self.frames.get_mut(self.count) else {
            return Ok(false);
        };
        *slot = number;
        self.count += 1;
        let frame_use = if clean {
            FrameUse::CachedClean
        } else {
            FrameUse::CachedDirty
        };
        links.set_state(number, FrameState::new(frame_use, 0));
        Ok(true)
    }

    /// Fills the cache to half with clean frames if there are any, of `request`'s node and width (its order
    /// is ignored). ENOMEM only when not one frame could be had.
    pub fn refill<const NODES: usize>(
        &mut self,
        allocator: &mut FrameAllocator<NODES>,
        links: &impl FrameLinks,
        request: Request,
    ) -> Refused<()> {
        let single = Request {
            order: 0,
            contents: Contents::Zeroed,
            ..request
        };
        while self.count < SIZE.div_ceil(2) {
            match allocator.allocate(links, single) {
                Ok(allocation) => {
                    let clean = allocation.dirty().next().is_none();
                    self.put(links, allocation.first, clean)?;
                }
                Err(refusal) if self.is_empty() => return Err(refusal),
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Gives frames back to the allocator until `keep` are left.
    pub fn drain<const NODES: usize>(
        &mut self,
        allocator: &mut FrameAllocator<NODES>,
        links: &impl FrameLinks,
        keep: usize,
    ) -> Refused<()> {
        while self.count > keep {
            let Some((frame, dirty)) = self.take(links) else {
                break;
            };
            allocator.free(links, frame, 0, !dirty)?;
        }
        Ok(())
    }
}
