//! A small machine in vectors: frames with contents, a frame table, one CPU's TLB, and a host that keeps book.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::Mutex;

use vocabulary::{DomainId, Mfn};

use crate::entry::{frame, is_hypervisor_slot, HYPERVISOR_SLOTS, PRESENT, USER, WRITE};
use crate::environment::{Host, IoAccess, Stale, Table, TableMemory};
use crate::frame_table::{FrameTable, Freed};
use crate::page_info::{Level, PageInfo, PageType};
use crate::paging::Mmu;

pub const GUEST: DomainId = DomainId(1);
pub const OTHER: DomainId = DomainId(2);
/// Frames 1 to 24 are GUEST's.
pub const GUEST_FRAMES: core::ops::RangeInclusive<u64> = 1..=24;
/// Frames 25 to 28 are OTHER's.
pub const OTHER_FRAMES: core::ops::RangeInclusive<u64> = 25..=28;
/// A frame of the hypervisor's own.
pub const HYPERVISOR_FRAME: u64 = 29;
/// A frame on nobody's hands.
pub const FREE_FRAME: u64 = 30;
/// Not RAM; GUEST may do anything with it.
pub const DEVICE: u64 = 31;
/// Not RAM; GUEST may read it.
pub const READ_ONLY_DEVICE: u64 = 32;
/// Not RAM; GUEST may not touch it.
pub const FORBIDDEN_DEVICE: u64 = 33;
pub const FRAMES: u64 = 34;

/// What the one CPU holds: uses of frames that it may go on making until it flushes.
#[derive(Debug, Default)]
pub struct Tlb {
    pub writable: BTreeSet<u64>,
    pub tables: BTreeSet<(u64, PageTypeOrder)>,
    last_flush: u32,
}

pub type PageTypeOrder = u8;

#[derive(Debug)]
pub struct Machine {
    pub pages: Vec<PageInfo>,
    pub memory: Vec<Table>,
    pub clock: AtomicU32,
    pub tlb: Mutex<Tlb>,
    pub flushes: Mutex<Vec<Stale>>,
    pub freed: Mutex<Vec<Freed>>,
    pub foreign_allowed: bool,
}

impl TableMemory for Machine {
    fn with_table<R>(&self, frame: Mfn, work: impl FnOnce(&Table) -> R) -> R {
        assert!(
            self.pages[frame.0 as usize].is_ram(),
            "a hole's contents are no table"
        );
        work(&self.memory[frame.0 as usize])
    }
}

impl Host for Machine {
    fn io_access(&self, domain: DomainId, frame: Mfn) -> IoAccess {
        match frame.0 {
            DEVICE if domain == GUEST => IoAccess::Full,
            READ_ONLY_DEVICE if domain == GUEST => IoAccess::ReadOnly,
            _ => IoAccess::Denied,
        }
    }

    fn may_map_foreign(&self, domain: DomainId, owner: DomainId) -> bool {
        self.foreign_allowed && domain == GUEST && owner == OTHER
    }

    fn hypervisor_slots(&self, _domain: DomainId) -> [u64; HYPERVISOR_SLOTS] {
        [hypervisor_entry(); HYPERVISOR_SLOTS]
    }

    fn tlb_clock(&self) -> u32 {
        self.clock.load(Ordering::SeqCst)
    }

    fn flush_stale(&self, stale: Stale, timestamp: u32) {
        self.flushes.lock().unwrap().push(stale);
        let mut tlb = self.tlb.lock().unwrap();
        if tlb.last_flush <= timestamp {
            tlb.last_flush = self.clock.fetch_add(1, Ordering::SeqCst) + 1;
            tlb.writable.clear();
            tlb.tables.clear();
        }
    }

    fn free(&self, frame: Freed) {
        self.freed.lock().unwrap().push(frame);
    }
}

pub fn hypervisor_entry() -> u64 {
    HYPERVISOR_FRAME << 12 | PRESENT | WRITE
}

impl Machine {
    pub fn new() -> Self {
        let machine = Self {
            pages: (0..FRAMES).map(|_| PageInfo::default()).collect(),
            memory: (0..FRAMES)
                .map(|_| [const { AtomicU64::new(0) }; 512])
                .collect(),
            clock: AtomicU32::new(1),
            tlb: Mutex::default(),
            flushes: Mutex::default(),
            freed: Mutex::default(),
            foreign_allowed: false,
        };
        let frames = machine.frames();
        for mfn in 1..=FREE_FRAME {
            frames.add_ram(Mfn(mfn));
        }
        for mfn in GUEST_FRAMES {
            frames.assign(Mfn(mfn), GUEST, &machine).unwrap();
        }
        for mfn in OTHER_FRAMES {
            frames.assign(Mfn(mfn), OTHER, &machine).unwrap();
        }
        frames
            .assign(Mfn(HYPERVISOR_FRAME), DomainId::INVALID, &machine)
            .unwrap();
        machine
    }

    pub fn frames(&self) -> FrameTable<'_> {
        FrameTable::new(&self.pages)
    }

    pub fn mmu(&self) -> Mmu<'_, Self, Self> {
        Mmu::new(self.frames(), self, self)
    }

    pub fn page(&self, mfn: u64) -> &PageInfo {
        &self.pages[mfn as usize]
    }

    pub fn peek(&self, mfn: u64, index: usize) -> u64 {
        self.memory[mfn as usize][index].load(Ordering::Relaxed)
    }

    /// Writes to a frame as a guest would through a mapping, without asking anyone.
    pub fn poke(&self, mfn: u64, index: usize, value: u64) {
        self.memory[mfn as usize][index].store(value, Ordering::Relaxed);
    }

    /// The processor uses the tree under `table`: everything on the way may be cached.
    pub fn touch(&self, table: u64, level: Level) {
        let mut tlb = self.tlb.lock().unwrap();
        self.touch_into(&mut tlb, table, level);
    }

    fn touch_into(&self, tlb: &mut Tlb, table: u64, level: Level) {
        tlb.tables.insert((table, level as u8));
        for index in 0..512 {
            let entry = self.peek(table, index);
            if entry & PRESENT == 0 || level == Level::L4 && is_hypervisor_slot(index) {
                continue;
            }
            assert!(entry & USER != 0, "a live entry is not adjusted");
            match level.below() {
                Some(below) => self.touch_into(tlb, frame(entry).0, below),
                None if entry & WRITE != 0 => {
                    tlb.writable.insert(frame(entry).0);
                }
                None => {}
            }
        }
    }

    /// What safety means: no CPU can write to a frame that is a table, nor use as a table what is writable,
    /// nor use a table at another level.
    pub fn check_tlb(&self) {
        let tlb = self.tlb.lock().unwrap();
        for &mfn in &tlb.writable {
            let page = self.page(mfn);
            let other = page.is_validated() && page.page_type() != PageType::Writable;
            assert!(
                !other,
                "frame {mfn} is {page:?} and writable through the TLB"
            );
        }
        for &(mfn, level) in &tlb.tables {
            let page = self.page(mfn);
            let other = page.is_validated() && page.page_type() as u8 != level;
            assert!(
                !other,
                "frame {mfn} is {page:?} and cached as level {level}"
            );
        }
    }

    /// Asserts references and type references of a frame.
    pub fn assert_counts(&self, mfn: u64, references: u32, type_references: u32) {
        let page = self.page(mfn);
        assert_eq!(
            (page.references(), page.type_references()),
            (references, type_references),
            "references and type references of frame {mfn}"
        );
    }
}

/// An entry for `mfn`.
pub fn map(mfn: u64, flags: u64) -> u64 {
    mfn << 12 | flags
}
