//! Memory before there is an allocator: what is usable and not taken by the image or a boot module.

use arrayvec::ArrayVec;
use hw::boot::{BootInfo, MemoryKind};
use vocabulary::Mfn;

/// Most free ranges kept.
const RANGES: usize = 192;
/// The boot page tables show this much; what is taken early must lie below.
const EARLY_LIMIT: u64 = (4 << 30) >> 12;
/// The first MiB stays out: firmware data, the start-up code of other processors.
const LOW_END: u64 = 0x100;

/// Free ranges of frames: [first, end).
pub struct BootMemory {
    free: ArrayVec<(u64, u64), RANGES>,
    taken: u64,
}

impl BootMemory {
    /// What `boot` leaves free.
    pub fn new(boot: &BootInfo) -> Self {
        let mut memory = Self {
            free: ArrayVec::new(),
            taken: 0,
        };
        for region in boot.memory.regions() {
            if region.kind == MemoryKind::Usable {
                let first = region.start.div_ceil(4096).max(LOW_END);
                let end = region.end >> 12;
                if first < end {
                    let _ = memory.free.try_push((first, end));
                }
            }
        }
        memory.remove(
            hw::layout::IMAGE_MACHINE_BASE,
            boot.image_end.0 + IMAGE_TAIL,
        );
        for module in &boot.modules {
            memory.remove(module.start, module.end);
        }
        memory
    }

    /// Takes a range of bytes out.
    fn remove(&mut self, start: u64, end: u64) {
        let (first, last) = (start >> 12, end.div_ceil(4096));
        let mut rest = ArrayVec::<(u64, u64), RANGES>::new();
        for &(a, b) in &self.free {
            for piece in [(a, b.min(first)), (a.max(last), b)] {
                if piece.0 < piece.1 {
                    let _ = rest.try_push(piece);
                }
            }
        }
        self.free = rest;
    }

    /// Takes 2^`order` aligned frames, as high as possible below 4 GiB, for good.
    pub fn take(&mut self, order: u32) -> Option<Mfn> {
        let count = 1u64 << order;
        let (index, first) = self
            .free
            .iter()
            .enumerate()
            .filter_map(|(index, &(a, b))| {
                let first = b.min(EARLY_LIMIT).checked_sub(count)? & !(count - 1);
                (first >= a).then_some((index, first))
            })
            .max_by_key(|&(_, first)| first)?;
        let (a, b) = self.free.get(index).copied()?;
        self.free.remove(index);
        for piece in [(a, first), (first + count, b)] {
            if piece.0 < piece.1 {
                let _ = self.free.try_push(piece);
            }
        }
        self.taken += count;
        Some(Mfn(first))
    }

    /// Frames taken so far.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// What is left, to be given to the allocator.
    pub fn rest(&self) -> &[(u64, u64)] {
        &self.free
    }
}

/// Bytes behind the image's end that its symbol table may use.
const IMAGE_TAIL: u64 = 1 << 20;
