//! The plain model, and the frame table in vectors that the allocator under test works on.

use core::cell::Cell;

use vocabulary::Mfn;

use crate::*;

/// A frame table in vectors.
pub struct Table {
    states: Vec<Cell<FrameState>>,
    links: Vec<Cell<FreeLink>>,
}

impl Table {
    pub fn new(frames: usize) -> Self {
        let link = FreeLink {
            previous: 0,
            next: 0,
            dirty_start: 0,
            dirty_end: 0,
        };
        Self {
            states: vec![Cell::default(); frames],
            links: vec![Cell::new(link); frames],
        }
    }

    /// The free blocks, by first frame and order.
    pub fn blocks(&self) -> Vec<(u32, u8)> {
        let heads = (0u32..).zip(&self.states);
        heads
            .filter(|(_, state)| state.get().frame_use() == FrameUse::FreeHead)
            .map(|(frame, state)| (frame, state.get().order()))
            .collect()
    }
}

impl FrameLinks for Table {
    fn state(&self, frame: u32) -> FrameState {
        self.states[frame as usize].get()
    }
    fn set_state(&self, frame: u32, state: FrameState) {
        self.states[frame as usize].set(state);
    }
    fn link(&self, frame: u32) -> FreeLink {
        assert_eq!(self.state(frame).frame_use(), FrameUse::FreeHead);
        self.links[frame as usize].get()
    }
    fn set_link(&self, frame: u32, link: FreeLink) {
        self.links[frame as usize].set(link);
    }
}

/// Two nodes, a hole between and a region that starts unaligned.
pub const REGIONS: [(u64, u64, u8); 4] = [
    (0x10, 0x90, 0),
    (0x100, 0x700, 0),
    (0x800, 0x7ff, 1),
    (0x1003, 0x5fd, 1),
];
pub const FRAMES: usize = 0x1600;

/// The allocator under test beside the model.
pub struct Machine {
    pub table: Table,
    pub allocator: FrameAllocator<2>,
    /// Given out (true also for frames that are no memory).
    pub used: Vec<bool>,
    /// Has old contents in truth.
    pub dirty: Vec<bool>,
    /// Pieces that can be freed.
    pub pieces: Vec<(u64, u64)>,
}

impl Machine {
    pub fn new(clean: bool) -> Self {
        let mut machine = Self {
            table: Table::new(FRAMES),
            allocator: FrameAllocator::new(),
            used: vec![true; FRAMES],
            dirty: vec![!clean; FRAMES],
            pieces: Vec::new(),
        };
        for (first, count, node) in REGIONS {
            machine
                .allocator
                .add_region(&machine.table, Mfn(first), count, node, clean)
                .unwrap();
            machine.used[first as usize..(first + count) as usize].fill(false);
        }
        machine
    }

    pub fn free_in_model(&self) -> u64 {
        self.used.iter().filter(|used| !**used).count() as u64
    }

    pub fn node(frame: u64) -> Option<u8> {
        let found = REGIONS.iter().find(|r| (r.0..r.0 + r.1).contains(&frame));
        found.map(|region| region.2)
    }

    /// Takes note of an allocation after checking all that was promised of it.
    pub fn gave(&mut self, allocation: &Allocation, request: Request, frames: u64) {
        let first = allocation.first.0;
        assert_eq!(allocation.frames, frames);
        assert_eq!(first % (1 << request.order), 0);
        let limit = 1u128 << request.max_address_bits;
        assert!(u128::from(first + frames) << 12 <= limit);
        if let NodeChoice::Only(node) = request.node {
            assert_eq!(Self::node(first), Some(node));
        }
        let named: Vec<u64> = allocation.dirty().map(|frame| frame.0).collect();
        for frame in first..first + frames {
            let index = frame as usize;
            assert!(!self.used[index], "frame {frame:#x} given out twice");
            assert!(!self.dirty[index] || named.contains(&frame));
            self.used[index] = true;
            self.dirty[index] = true;
        }
        self.pieces.push((first, frames));
    }

    pub fn free(&mut self, piece: usize, clean: bool) {
        let (first, count) = self.pieces.swap_remove(piece);
        self.allocator
            .free_range(&self.table, Mfn(first), count, clean)
            .unwrap();
        let range = first as usize..(first + count) as usize;
        self.used[range.clone()].fill(false);
        self.dirty[range].fill(!clean);
    }

    /// The lists hold exactly the model's free frames, joined as far as they can be, and the counts agree.
    pub fn check(&self) {
        let mut listed = vec![false; FRAMES];
        let blocks = self.table.blocks();
        for &(first, order) in &blocks {
            for frame in first..first + (1 << order) {
                assert!(!listed[frame as usize] && !self.used[frame as usize]);
                listed[frame as usize] = true;
            }
            let buddy = (first ^ (1 << order), order);
            let pair = first & !(1 << order);
            let same_region = REGIONS.iter().any(|&(start, count, _)| {
                u64::from(pair) >= start && u64::from(pair + (2 << order)) <= start + count
            });
            let same_zone = zone_of(pair) == zone_of(pair + (2 << order) - 1);
            assert!(!(same_region && same_zone && blocks.contains(&buddy)));
        }
        assert!(listed
            .iter()
            .zip(&self.used)
            .all(|(free, used)| free != used));
        for (frame, used) in (0u32..).zip(&self.used) {
            let expected = *used && Self::node(frame.into()).is_some();
            let allocated = self.table.state(frame).frame_use() == FrameUse::Allocated;
            assert_eq!(allocated, expected);
        }
        assert_eq!(self.allocator.free_frames(), self.free_in_model());
        let by_node = self.allocator.free_on_node(0) + self.allocator.free_on_node(1);
        assert_eq!(by_node, self.free_in_model());
        assert_eq!(
            self.allocator.free_by_width(0, 64, None),
            self.free_in_model()
        );
        let narrow = self.used[..0x800].iter().filter(|used| !**used).count() as u64;
        assert_eq!(self.allocator.free_by_width(0, 23, None), narrow);
    }
}
