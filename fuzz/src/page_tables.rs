//! Memory: page-table entries and trees, pins, base pointers, descriptors.
//!
//! The guest writes to frames that are no tables whenever it likes; after each step no frame may be
//! a table and writable at once, and at the end everything is given back.

use crate::bytes::Bytes;
use crate::Target;
use memory::{
    check_descriptor, Budget, EntryUpdate, FrameTable, Freed, Host, IoAccess, Level, Mmu, Mode,
    PageInfo, PageType, Paging, Stale, Stop, Table, TableMemory,
};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use vocabulary::{DomainId, Mfn};

/// The target.
pub const TARGET: Target = Target {
    name: "page-tables",
    run,
    seeds,
};

/// Segment descriptors.
pub const DESCRIPTORS: Target = Target {
    name: "descriptors",
    run: descriptors,
    seeds: || vec![vec![0xff, 0xff, 0, 0, 0, 0xfb, 0xaf, 0], vec![0; 8]],
};

const GUEST: DomainId = DomainId(1);
const OTHER: DomainId = DomainId(2);
/// Frames 1 to 20 are the guest's, 21 to 24 another's, 25 the hypervisor's, 26 free, 27 a device's.
const OWN: u64 = 20;
const OTHERS: u64 = 24;
const HYPERVISORS: u64 = 25;
const DEVICE: u64 = 27;
const FRAMES: u64 = 28;
/// Entries that the guest uses: edges of the hypervisor's part among them.
const INDICES: [usize; 8] = [0, 1, 255, 256, 271, 272, 510, 511];

struct Machine {
    pages: Vec<PageInfo>,
    memory: Vec<Table>,
    clock: AtomicU32,
}

impl TableMemory for Machine {
    fn with_table<R>(&self, frame: Mfn, work: impl FnOnce(&Table) -> R) -> R {
        assert!(self.pages[frame.0 as usize].is_ram(), "a hole is no table");
        work(&self.memory[frame.0 as usize])
    }
}

impl Host for Machine {
    fn io_access(&self, _: DomainId, frame: Mfn) -> IoAccess {
        match frame.0 {
            DEVICE => IoAccess::Full,
            _ => IoAccess::Denied,
        }
    }

    fn may_map_foreign(&self, _: DomainId, _: DomainId) -> bool {
        false
    }

    fn hypervisor_slots(&self, _: DomainId) -> [u64; memory::entry::HYPERVISOR_SLOTS] {
        [HYPERVISORS << 12 | 3; memory::entry::HYPERVISOR_SLOTS]
    }

    fn tlb_clock(&self) -> u32 {
        self.clock.load(SeqCst)
    }

    fn flush_stale(&self, _: Stale, _: u32) {
        self.clock.fetch_add(1, SeqCst);
    }

    fn free(&self, frame: Freed) {
        panic!("the guest keeps its frames: {frame:?}");
    }
}

impl Machine {
    fn new() -> Self {
        let machine = Self {
            pages: (0..FRAMES).map(|_| PageInfo::default()).collect(),
            memory: (0..FRAMES)
                .map(|_| [const { AtomicU64::new(0) }; 512])
                .collect(),
            clock: AtomicU32::new(1),
        };
        for frame in 1..DEVICE {
            machine.frames().add_ram(Mfn(frame));
        }
        for frame in 1..=HYPERVISORS {
            let owner = match frame {
                1..=OWN => GUEST,
                HYPERVISORS => DomainId::INVALID,
                _ => OTHER,
            };
            assert!(machine.frames().assign(Mfn(frame), owner, &machine).is_ok());
        }
        machine
    }

    fn frames(&self) -> FrameTable<'_> {
        FrameTable::new(&self.pages)
    }

    fn mmu(&self) -> Mmu<'_, Self, Self> {
        Mmu::new(self.frames(), self, self)
    }

    /// No live L1 maps as writable what is a table, or what is not the guest's.
    fn check(&self) {
        for (number, page) in self.pages.iter().enumerate() {
            if page.page_type() != PageType::L1 || !page.is_validated() {
                continue;
            }
            if page.type_references() == 0 {
                continue;
            }
            for index in INDICES {
                let entry = self.memory[number][index].load(SeqCst);
                if entry & 3 != 3 {
                    continue;
                }
                let frame = entry >> 12 & 0xff_ffff_ffff;
                let target = &self.pages[frame as usize];
                assert!(
                    frame == DEVICE || target.owner() == GUEST,
                    "frame {frame} is writable for the wrong domain"
                );
                assert!(
                    frame == DEVICE || target.page_type() == PageType::Writable,
                    "frame {frame} is {:?} and writable",
                    target.page_type()
                );
            }
        }
    }
}

fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let machine = Machine::new();
    let mut paging = Paging::new(GUEST);
    let mut bases = Vec::new();
    let piece = bytes.pick(&[u32::MAX, 1, 7]);
    while !bytes.is_empty() {
        step(&machine, &mut paging, &mut bases, &mut bytes, piece);
        machine.check();
    }
    let mmu = machine.mmu();
    for base in bases {
        whole(&machine, &mut paging, piece, |paging, budget| {
            mmu.release_base(paging, base, budget)
        });
    }
    for frame in 1..=OWN {
        whole(&machine, &mut paging, piece, |paging, budget| {
            mmu.unpin(paging, Mfn(frame), budget)
        });
    }
    for frame in 1..=OTHERS {
        let page = &machine.pages[frame as usize];
        let counts = (page.references(), page.type_references());
        assert_eq!(counts, (1, 0), "references and types of frame {frame}");
    }
}

/// Does an operation to its end, in pieces; gives whether it was accepted.
fn whole(
    machine: &Machine,
    paging: &mut Paging,
    piece: u32,
    mut work: impl FnMut(&mut Paging, &mut Budget) -> Result<(), Stop>,
) -> bool {
    let accepted = loop {
        match work(paging, &mut Budget::new(piece)) {
            Ok(()) => break true,
            Err(Stop::Refused(_)) => break false,
            Err(Stop::Again) => {}
        }
    };
    while machine
        .mmu()
        .finish(paging, &mut Budget::new(piece))
        .is_err()
    {}
    accepted
}

fn step(
    machine: &Machine,
    paging: &mut Paging,
    bases: &mut Vec<Mfn>,
    bytes: &mut Bytes<'_>,
    piece: u32,
) {
    let operation = bytes.byte() % 12;
    let frame = u64::from(bytes.byte()) % FRAMES;
    let level = bytes.pick(&[Level::L1, Level::L2, Level::L3, Level::L4]);
    let mmu = machine.mmu();
    match operation {
        0..=3 => write(machine, frame, bytes),
        4..=7 => {
            let update = EntryUpdate {
                table: Mfn(frame),
                index: bytes.pick(&INDICES),
                value: entry(bytes),
                mode: bytes.pick(&[Mode::Normal, Mode::PreserveAccessedDirty]),
                // The caller vouches for any other owner.
                page_owner: bytes.pick(&[GUEST, GUEST, GUEST, DomainId::IO]),
            };
            whole(machine, paging, piece, |paging, budget| {
                mmu.update_entry(paging, &update, budget).map(drop)
            });
        }
        8 => {
            whole(machine, paging, piece, |paging, budget| {
                mmu.pin(paging, Mfn(frame), level, budget)
            });
        }
        9 => {
            whole(machine, paging, piece, |paging, budget| {
                mmu.unpin(paging, Mfn(frame), budget)
            });
        }
        10 => {
            let taken = whole(machine, paging, piece, |paging, budget| {
                mmu.take_base(paging, Mfn(frame), budget)
            });
            if taken {
                bases.push(Mfn(frame));
            }
        }
        _ => {
            if let Some(base) = bases.pop() {
                whole(machine, paging, piece, |paging, budget| {
                    mmu.release_base(paging, base, budget)
                });
            }
        }
    }
}

/// The guest writes to a frame of its own that is no table.
fn write(machine: &Machine, frame: u64, bytes: &mut Bytes<'_>) {
    let page = &machine.pages[frame as usize];
    let (index, entry) = (bytes.pick(&INDICES), entry(bytes));
    let free = matches!(page.page_type(), PageType::None | PageType::Writable);
    let unused = page.type_references() == 0;
    if (1..=OWN).contains(&frame) && (free || unused) && !page.is_partial() {
        machine.memory[frame as usize][index].store(entry, SeqCst);
    }
}

fn entry(bytes: &mut Bytes<'_>) -> u64 {
    let frame = u64::from(bytes.byte()) % FRAMES;
    match bytes.byte() {
        0..64 => 0,
        64..128 => frame << 12 | 7,
        128..192 => frame << 12 | 5,
        192..224 => frame << 12 | u64::from(bytes.byte()),
        224..240 => frame << 12 | bytes.quad() & 0xfff0_0000_0000_0fff,
        _ => bytes.quad(),
    }
}

fn descriptors(data: &[u8]) {
    let mut bytes = Bytes(data);
    while !bytes.is_empty() {
        let descriptor = bytes.quad();
        if let Ok(kept) = check_descriptor(descriptor) {
            // What is present is for ring 3, or for the guest kernel's ring of an earlier day.
            let present = kept >> 47 & 1 == 1;
            assert!(!present || kept >> 45 & 3 != 0, "a descriptor of ring 0");
            let again = check_descriptor(kept).ok();
            assert_eq!(again, Some(kept), "what was adjusted is accepted as it is");
        }
    }
}

/// A tree of four tables, pinned, used and taken down.
fn seeds() -> Vec<Vec<u8>> {
    let mut tree = vec![0];
    for (table, below) in [(1, 2), (2, 3), (3, 4), (4, 5)] {
        tree.extend([0, table, 0, 0, below, 100]);
    }
    tree.extend([
        8, 1, 3, 10, 1, 0, 4, 4, 0, 1, 6, 100, 0, 0, 4, 4, 0, 1, 4, 70, 0, 0,
    ]);
    tree.extend([11, 1, 0, 9, 1, 0]);
    let mut single = vec![1];
    single.extend([
        0, 4, 0, 0, 5, 100, 8, 4, 0, 4, 4, 0, 1, 21, 100, 0, 1, 9, 4, 0,
    ]);
    vec![tree, single]
}
