//! What the hot operations cost: runs one of them many times, for an instruction counter to watch.
//!
//! `costs OPERATION COUNT` under `valgrind --tool=cachegrind --cache-sim=no`, with two counts: the difference of
//! the two totals, divided by the difference of the counts, is one round (a pair of operations, mostly).
#![allow(clippy::indexing_slicing)] // Of the frames that it made itself.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use memory::entry::{PRESENT, USER, WRITE};
use memory::{
    Attempt, Budget, EntryUpdate, FrameTable, Freed, Host, IoAccess, Level, Mmu, Mode, PageInfo,
    Paging, Stale, Table, TableMemory,
};
use vocabulary::{refuse, DomainId, Errno, Mfn, Refusal, Refused, VirtAddr};

const FRAMES: u64 = 4096;
const OWNER: DomainId = DomainId(0);
const TOP: u64 = 1;
const BOTTOM: u64 = 4;
const EMPTY: u64 = 5;
const FULL_READ_ONLY: u64 = 6;
const FULL_WRITABLE: u64 = 7;
const OTHER_TOP: u64 = 10;
const DATA: u64 = 100;

struct Machine {
    memory: Vec<Table>,
    clock: AtomicU32,
}

impl TableMemory for Machine {
    #[inline(always)]
    fn with_table<R>(&self, frame: Mfn, work: impl FnOnce(&Table) -> R) -> R {
        work(&self.memory[frame.0 as usize])
    }
}

impl Host for Machine {
    fn io_access(&self, _domain: DomainId, _frame: Mfn) -> IoAccess {
        IoAccess::Denied
    }

    fn hypervisor_slots(&self, _domain: DomainId) -> [u64; 16] {
        [0; 16]
    }

    fn tlb_clock(&self) -> u32 {
        self.clock.load(Ordering::Relaxed)
    }

    fn flush_stale(&self, _stale: Stale, _timestamp: u32) {
        self.clock.fetch_add(1, Ordering::Relaxed);
    }

    /// No operation here drops a frame's last reference; one that did would be refused when it comes to it again.
    fn free(&self, _freed: Freed) {}
}

impl Machine {
    fn new() -> Self {
        let machine = Self {
            memory: (0..FRAMES)
                .map(|_| [const { AtomicU64::new(0) }; 512])
                .collect(),
            clock: AtomicU32::new(1),
        };
        for level in 0..3 {
            machine.set(TOP + level, 0, map(TOP + level + 1, WRITE));
        }
        for index in 0..512 {
            machine.set(FULL_READ_ONLY, index, map(1000 + index as u64, 0));
            machine.set(FULL_WRITABLE, index, map(2000 + index as u64, WRITE));
        }
        machine
    }

    fn set(&self, frame: u64, index: usize, value: u64) {
        self.memory[frame as usize][index].store(value, Ordering::Relaxed);
    }
}

fn map(frame: u64, flags: u64) -> u64 {
    frame << 12 | PRESENT | USER | flags
}

type Subject<'a> = Mmu<'a, Machine, Machine>;

#[inline(never)]
fn update(mmu: &Subject<'_>, paging: &mut Paging, value: u64) -> Attempt<u64> {
    let update = EntryUpdate {
        table: Mfn(black_box(BOTTOM)),
        index: black_box(3),
        value,
        mode: Mode::Normal,
        page_owner: OWNER,
    };
    let mut budget = Budget::new(1000);
    Ok(mmu.update_entry(paging, &update, &mut budget)?.old)
}

#[inline(never)]
fn update_by_address(mmu: &Subject<'_>, paging: &Paging, value: u64) -> Refused<u64> {
    let Some(found) = mmu.locate(paging, Mfn(TOP), VirtAddr(0x3000)) else {
        return refuse(Errno::EINVAL, "no table leads to the address");
    };
    Ok(mmu.update_mapping(found, value, OWNER)?.old)
}

#[inline(never)]
fn pin_and_unpin(mmu: &Subject<'_>, paging: &mut Paging, table: u64) -> Attempt<()> {
    let mut budget = Budget::unlimited();
    mmu.pin(paging, Mfn(table), Level::L1, &mut budget)?;
    mmu.unpin(paging, Mfn(table), &mut budget)
}

#[inline(never)]
fn switch(mmu: &Subject<'_>, paging: &mut Paging, old: u64, new: u64) -> Attempt<()> {
    let mut budget = Budget::new(1000);
    mmu.replace_base(paging, Some(Mfn(old)), Some(Mfn(new)), || (), &mut budget)
}

fn pair(mmu: &Subject<'_>, paging: &mut Paging, first: u64, second: u64) -> Attempt<()> {
    black_box(update(mmu, paging, first)?);
    black_box(update(mmu, paging, second)?);
    Ok(())
}

fn round(operation: &str, mmu: &Subject<'_>, paging: &mut Paging) -> Attempt<()> {
    match operation {
        "map-unmap-writable" => pair(mmu, paging, map(DATA, WRITE), 0),
        "map-unmap-read-only" => pair(mmu, paging, map(DATA, 0), 0),
        "replace-writable" => pair(mmu, paging, map(DATA, WRITE), map(DATA + 1, WRITE)),
        "protect-unprotect" => pair(mmu, paging, map(DATA, 0), map(DATA, WRITE)),
        "change-flags" => pair(mmu, paging, map(DATA, 0), map(DATA, 1 << 9)),
        "by-address" => {
            black_box(update_by_address(mmu, paging, map(DATA, WRITE))?);
            black_box(update_by_address(mmu, paging, 0)?);
            Ok(())
        }
        "pin-unpin-empty" => pin_and_unpin(mmu, paging, EMPTY),
        "pin-unpin-read-only" => pin_and_unpin(mmu, paging, FULL_READ_ONLY),
        "pin-unpin-writable" => pin_and_unpin(mmu, paging, FULL_WRITABLE),
        "switch-and-back" => {
            switch(mmu, paging, TOP, OTHER_TOP)?;
            switch(mmu, paging, OTHER_TOP, TOP)
        }
        _ => Err(Refusal::new(Errno::EINVAL, "there is no such operation").into()),
    }
}

fn main() -> Attempt<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let count = arguments.get(1).and_then(|count| count.parse::<u64>().ok());
    let (Some(operation), Some(count)) = (arguments.first(), count) else {
        return Err(Refusal::new(Errno::EINVAL, "an operation and a count are asked for").into());
    };
    let machine = Machine::new();
    let pages: Vec<PageInfo> = (0..FRAMES).map(|_| PageInfo::default()).collect();
    let frames = FrameTable::new(&pages);
    for number in 1..FRAMES {
        frames.add_ram(Mfn(number));
        frames.assign(Mfn(number), OWNER, &machine)?;
    }
    let mmu = Mmu::new(frames, &machine, &machine);
    let mut paging = Paging::new(OWNER);
    let mut budget = Budget::unlimited();
    for table in [TOP, OTHER_TOP] {
        mmu.pin(&mut paging, Mfn(table), Level::L4, &mut budget)?;
    }
    mmu.take_base(&mut paging, Mfn(TOP), &mut budget)?;
    for _ in 0..count {
        round(operation, &mmu, &mut paging)?;
    }
    Ok(())
}
