//! What the allocator keeps in each frame's entry of the frame table, and how it reaches it.

/// No frame: the end of a list.
pub const NO_FRAME: u32 = u32::MAX;

/// The allocator's word about one frame, kept in the frame table for as long as the machine runs. Nobody else
/// writes it. All zero is the state of a frame that the allocator never gave out.
///
/// Bits 0..=4: order of the free block, where the frame is the first of one. Bits 5..=7: [`FrameUse`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct FrameState(pub u8);

/// What the allocator does with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameUse {
    /// Inside a free block but not its first frame, being scrubbed, or not the allocator's at all.
    Covered,
    /// First frame of a free block.
    FreeHead,
    /// Given out.
    Allocated,
    /// In a CPU's cache of single frames, with nothing in it but zeroes.
    CachedClean,
    /// In a CPU's cache of single frames, with somebody's old contents.
    CachedDirty,
    /// Found broken and never given out again.
    Broken,
}

impl FrameState {
    const ORDER_MASK: u8 = 0x1f;
    const USE_SHIFT: u32 = 5;

    pub(crate) const fn new(frame_use: FrameUse, order: u8) -> Self {
        Self((frame_use as u8) << Self::USE_SHIFT | (order & Self::ORDER_MASK))
    }

    /// What the allocator does with the frame.
    pub const fn frame_use(self) -> FrameUse {
        match self.0 >> Self::USE_SHIFT {
            1 => FrameUse::FreeHead,
            2 => FrameUse::Allocated,
            3 => FrameUse::CachedClean,
            4 => FrameUse::CachedDirty,
            5 => FrameUse::Broken,
            _ => FrameUse::Covered,
        }
    }

    /// The order of the free block whose first frame this is.
    pub(crate) const fn order(self) -> u8 {
        self.0 & Self::ORDER_MASK
    }
}

/// What a free block's first frame holds beside its state: two list links and the part of the block that is
/// not known to be zero. Only free frames have it, so its 16 bytes may be shared with what the frame table
/// keeps for frames in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeLink {
    /// First frame of the previous block in the list, or [`NO_FRAME`].
    pub previous: u32,
    /// First frame of the next block in the list, or [`NO_FRAME`].
    pub next: u32,
    /// Offset in the block, in frames, of the first frame that may be dirty.
    pub dirty_start: u32,
    /// Offset in the block, in frames, behind the last frame that may be dirty; `dirty_start` where all is clean.
    pub dirty_end: u32,
}

/// The allocator's way into the frame table. It asks only about frames of regions that it was given.
///
/// Every call happens under the lock that guards the allocator, except those of a
/// [`FrameCache`](crate::FrameCache), which concern frames that the cache's CPU owns.
pub trait FrameLinks {
    /// The allocator's word of the frame.
    fn state(&self, frame: u32) -> FrameState;
    /// Stores the allocator's word of the frame.
    fn set_state(&self, frame: u32, state: FrameState);
    /// The link of a free block's first frame.
    fn link(&self, frame: u32) -> FreeLink;
    /// Stores the link of a free block's first frame.
    fn set_link(&self, frame: u32, link: FreeLink);
}
