//! What the hypervisor knows about one frame of RAM: three words, 24 bytes, and the meaning of their bits.
//!
//! State word, from low to high: general references (32 bits; in a free frame its TLB timestamp), the
//! allocator's byte, flags (8 bits), owner (16 bits). Kind word: type references (26 bits), type, pinned,
//! validated, partial; its upper half is the TLB timestamp while there is no type reference, else the progress
//! of a partial table, else which parts of a validated table are empty. Links word: previous and next frame in the owner's list. While a frame is free the kind
//! and links words are the allocator's. All zero: no RAM here, and then nobody ever writes the words.

use core::sync::atomic::{AtomicU64, Ordering};

use vocabulary::DomainId;

/// General references, or the timestamp of a free frame.
pub(crate) const COUNT: u64 = 0xffff_ffff;
/// Set when general references are so many that no further one is given out.
pub(crate) const COUNT_FULL: u64 = 1 << 31;
/// Shift of the allocator's byte.
const ALLOCATOR_SHIFT: u32 = 32;
const ALLOCATOR_BYTE: u64 = 0xff << ALLOCATOR_SHIFT;
/// The frame is RAM: some word of it is never zero again.
pub(crate) const RAM: u64 = 1 << 40;
/// The frame is the allocator's.
pub(crate) const FREE: u64 = 1 << 41;
/// The owner still holds the reference that came with the frame.
pub(crate) const ALLOCATED: u64 = 1 << 42;
/// The frame belongs to the hypervisor's own data, though a domain may be let see it.
pub(crate) const HYPERVISOR: u64 = 1 << 43;
/// A domain other than the owner has mapped the frame since it was assigned: stale translations may be anywhere.
pub(crate) const FOREIGN: u64 = 1 << 44;
/// Shift of the owner.
pub(crate) const OWNER_SHIFT: u32 = 48;
pub(crate) const OWNER: u64 = 0xffff << OWNER_SHIFT;

/// Type references.
pub(crate) const TYPES: u64 = (1 << 26) - 1;
/// Set when type references are so many that no further one is given out.
pub(crate) const TYPES_FULL: u64 = 1 << 25;
/// Shift of the type.
pub(crate) const TYPE_SHIFT: u32 = 26;
pub(crate) const TYPE: u64 = 7 << TYPE_SHIFT;
/// One type reference is the guest's own, taken with a pin operation.
pub(crate) const PINNED: u64 = 1 << 29;
/// The contents obey the type. Without a type reference it means nothing in types `None` and `Writable`, and
/// is clear in the others.
pub(crate) const VALIDATED: u64 = 1 << 30;
/// Promotion or demotion stopped part way; there is exactly one type reference.
pub(crate) const PARTIAL: u64 = 1 << 31;
/// The lower half of the kind word: what survives when the upper half changes its meaning.
pub(crate) const KIND_LOW: u64 = 0xffff_ffff;
/// Shift of the timestamp, or of the number of entries validated.
pub(crate) const UPPER_SHIFT: u32 = 32;

/// What a frame is used as. A frame has one type at a time for as long as it has type references.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PageType {
    /// Nothing that matters: read-only mappings at most.
    None = 0,
    /// A bottom-level page table.
    L1 = 1,
    /// A second-level page table.
    L2 = 2,
    /// A third-level page table.
    L3 = 3,
    /// A top-level page table.
    L4 = 4,
    /// Segment descriptors of a GDT or LDT.
    SegmentDescriptors = 5,
    /// May be written by some domain; each writable mapping holds one type reference.
    Writable = 6,
}

impl PageType {
    pub(crate) const fn bits(self) -> u64 {
        (self as u64) << TYPE_SHIFT
    }

    pub(crate) const fn of(kind: u64) -> Self {
        match (kind & TYPE) >> TYPE_SHIFT {
            1 => Self::L1,
            2 => Self::L2,
            3 => Self::L3,
            4 => Self::L4,
            5 => Self::SegmentDescriptors,
            6 => Self::Writable,
            _ => Self::None,
        }
    }

    /// The table level, 1 to 4, where this is a page-table type.
    pub const fn level(self) -> Option<Level> {
        match self {
            Self::L1 => Some(Level::L1),
            Self::L2 => Some(Level::L2),
            Self::L3 => Some(Level::L3),
            Self::L4 => Some(Level::L4),
            _ => None,
        }
    }
}

/// The level of a page table: an `L4` entry points to an `L3` table, and so on down to the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Its entries map frames.
    L1 = 1,
    /// Its entries point to `L1` tables.
    L2 = 2,
    /// Its entries point to `L2` tables.
    L3 = 3,
    /// Its entries point to `L3` tables; a base pointer names it.
    L4 = 4,
}

impl Level {
    /// The type of a frame that is a table of this level.
    pub const fn page_type(self) -> PageType {
        match self {
            Self::L1 => PageType::L1,
            Self::L2 => PageType::L2,
            Self::L3 => PageType::L3,
            Self::L4 => PageType::L4,
        }
    }

    /// The level below; `None` below `L1`.
    pub const fn below(self) -> Option<Self> {
        match self {
            Self::L1 => None,
            Self::L2 => Some(Self::L1),
            Self::L3 => Some(Self::L2),
            Self::L4 => Some(Self::L3),
        }
    }
}

/// One frame's entry in the frame table. Zeroed memory is a valid value: "no RAM here".
#[derive(Debug, Default)]
#[repr(C)]
pub struct PageInfo {
    pub(crate) state: AtomicU64,
    pub(crate) kind: AtomicU64,
    pub(crate) links: AtomicU64,
}

const _: () = assert!(core::mem::size_of::<PageInfo>() == 24);

pub(crate) const fn owner_bits(owner: DomainId) -> u64 {
    (owner.0 as u64) << OWNER_SHIFT
}

impl PageInfo {
    pub(crate) fn state(&self) -> u64 {
        self.state.load(Ordering::Relaxed)
    }

    pub(crate) fn kind(&self) -> u64 {
        self.kind.load(Ordering::Acquire)
    }

    /// Whether the frame is RAM. Everything else below means something for RAM only.
    #[inline]
    pub fn is_ram(&self) -> bool {
        self.state() != 0
    }

    /// Whether the frame is the allocator's.
    pub fn is_free(&self) -> bool {
        self.state() & FREE != 0
    }

    /// Whether the owner still holds the frame (has not given it back).
    pub fn is_allocated(&self) -> bool {
        self.state() & ALLOCATED != 0
    }

    /// Whether the frame holds the hypervisor's data (it may be shared with a guest all the same).
    pub fn is_hypervisors(&self) -> bool {
        self.state() & HYPERVISOR != 0
    }

    /// The owner of a frame that is allocated or has references; `DomainId(0)` means something only then.
    pub fn owner(&self) -> DomainId {
        DomainId((self.state() >> OWNER_SHIFT) as u16)
    }

    /// General references to a frame that is not free.
    pub fn references(&self) -> u32 {
        let state = self.state();
        if state & FREE != 0 {
            return 0;
        }
        (state & COUNT) as u32
    }

    /// The type, which holds as long as there are type references.
    pub fn page_type(&self) -> PageType {
        PageType::of(self.kind())
    }

    /// Type references to a frame that is not free.
    pub fn type_references(&self) -> u32 {
        if self.is_free() {
            return 0;
        }
        (self.kind() & TYPES) as u32
    }

    /// Whether the guest pinned the frame as a table.
    pub fn is_pinned(&self) -> bool {
        !self.is_free() && self.kind() & PINNED != 0
    }

    /// Whether the contents obey the type.
    pub fn is_validated(&self) -> bool {
        let kind = self.kind();
        !self.is_free() && kind & TYPES != 0 && kind & VALIDATED != 0
    }

    /// Whether promotion or demotion stopped part way.
    pub fn is_partial(&self) -> bool {
        !self.is_free() && self.kind() & PARTIAL != 0
    }

    /// The allocator's byte of the frame (its own meaning; zero at first).
    pub fn allocator_byte(&self) -> u8 {
        (self.state() >> ALLOCATOR_SHIFT) as u8
    }

    /// Stores the allocator's byte. Only the allocator calls this, and only for frames that are RAM.
    pub fn set_allocator_byte(&self, byte: u8) {
        let state = self.state();
        if state == 0 {
            return; // A hole: its words must never be written.
        }
        // Nobody but the allocator changes the byte, so flipping what differs is enough.
        let flips = (state ^ u64::from(byte) << ALLOCATOR_SHIFT) & ALLOCATOR_BYTE;
        self.state.fetch_xor(flips, Ordering::Relaxed);
    }

    /// The two words that a free frame lends to the allocator. `None` where the frame is not free.
    pub fn free_words(&self) -> Option<[u64; 2]> {
        self.is_free().then(|| {
            [
                self.kind.load(Ordering::Relaxed),
                self.links.load(Ordering::Relaxed),
            ]
        })
    }

    /// Stores the two words that a free frame lends to the allocator; does nothing where it is not free.
    pub fn set_free_words(&self, words: [u64; 2]) {
        if self.is_free() {
            let [first, second] = words;
            self.kind.store(first, Ordering::Relaxed);
            self.links.store(second, Ordering::Relaxed);
        }
    }
}
