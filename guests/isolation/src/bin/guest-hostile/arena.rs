//! What the hostile guest plays with, and what it must leave alone to stay alive: the pages whose
//! mappings change, the frames that become tables, the frames that are its own substance.

use core::sync::atomic::{AtomicU64, Ordering};
use guest_kit::mmu::{self, READ_ONLY, WRITABLE};
use guest_kit::pages::{p2m, Page, PAGE};
use guest_kit::start::start_info;
use guest_kit::vcpu::MAX_VCPUS;

/// Pages whose mappings are played with.
pub const SLOTS: u64 = 16;
/// Frames that serve as page tables.
pub const TABLES: u64 = 16;
/// Machine frames that the map of protected ones covers: 16 GiB.
const COVERED: usize = 1 << 22;

static SLOT_PAGES: AtomicU64 = AtomicU64::new(0);
static TABLE_PAGES: AtomicU64 = AtomicU64::new(0);
static JUNK: AtomicU64 = AtomicU64::new(0);
static READ_ONLY_PAGE: AtomicU64 = AtomicU64::new(0);
static LIVE_L4: AtomicU64 = AtomicU64::new(0);
static LIVE_L1: AtomicU64 = AtomicU64::new(0);
static SLOT_ENTRIES: [AtomicU64; SLOTS as usize] = [const { AtomicU64::new(0) }; SLOTS as usize];
static FRAMES: [AtomicU64; (SLOTS + TABLES) as usize] =
    [const { AtomicU64::new(0) }; (SLOTS + TABLES) as usize];
static PROTECTED: [AtomicU64; COVERED / 64] = [const { AtomicU64::new(0) }; COVERED / 64];
static BLOCKS: [AtomicU64; MAX_VCPUS] = [const { AtomicU64::new(0) }; MAX_VCPUS];

fn at(place: &AtomicU64) -> Page {
    Page {
        va: place.load(Ordering::Relaxed),
    }
}

/// Lays everything out. Pool pages are zeroed and mapped writable.
pub fn prepare() {
    let slots = Page::take_run(SLOTS as usize);
    let tables = Page::take_run(TABLES as usize);
    SLOT_PAGES.store(slots.va, Ordering::Relaxed);
    TABLE_PAGES.store(tables.va, Ordering::Relaxed);
    JUNK.store(Page::take_run(2).va, Ordering::Relaxed);
    at(&JUNK).next(1).unmap();
    READ_ONLY_PAGE.store(Page::take().make_readonly().va, Ordering::Relaxed);
    for block in &BLOCKS {
        let pages = Page::take_run(2);
        pages.next(1).unmap();
        block.store(pages.va, Ordering::Relaxed);
    }
    LIVE_L4.store(mmu::current_l4(), Ordering::Relaxed);
    LIVE_L1.store(mmu::entry_address(slots.va, 1) / PAGE, Ordering::Relaxed);
    for index in 0..SLOTS {
        let entry = mmu::entry_address(slots.next(index).va, 1);
        SLOT_ENTRIES[index as usize].store(entry, Ordering::Relaxed);
        FRAMES[index as usize].store(slots.next(index).mfn(), Ordering::Relaxed);
    }
    for index in 0..TABLES {
        let table = tables.next(index).make_readonly();
        FRAMES[(SLOTS + index) as usize].store(table.mfn(), Ordering::Relaxed);
    }
    for pfn in 0..start_info().nr_pages {
        protect(p2m(pfn), true);
    }
    for frame in &FRAMES {
        protect(frame.load(Ordering::Relaxed), false);
    }
}

fn protect(frame: u64, protected: bool) {
    let Some(word) = PROTECTED.get(frame as usize / 64) else {
        return;
    };
    let bit = 1 << (frame % 64);
    if protected {
        word.fetch_or(bit, Ordering::Relaxed);
    } else {
        word.fetch_and(!bit, Ordering::Relaxed);
    }
}

/// Whether a frame is the guest's own substance, which no call may change.
pub fn is_protected(frame: u64) -> bool {
    PROTECTED
        .get(frame as usize / 64)
        .is_some_and(|word| word.load(Ordering::Relaxed) >> (frame % 64) & 1 == 1)
}

/// A page whose mapping is anybody's guess.
pub fn slot(index: u64) -> Page {
    at(&SLOT_PAGES).next(index % SLOTS)
}

/// The machine address of the entry that maps a slot.
pub fn slot_entry(index: u64) -> u64 {
    SLOT_ENTRIES[(index % SLOTS) as usize].load(Ordering::Relaxed)
}

/// A page meant to be a page table, mapped read-only.
pub fn table(index: u64) -> Page {
    at(&TABLE_PAGES).next(index % TABLES)
}

/// The frame behind a slot or, above those, a table, as it was at the start.
pub fn frame(index: u64) -> u64 {
    FRAMES[(index % (SLOTS + TABLES)) as usize].load(Ordering::Relaxed)
}

/// The frame of a table, as it was at the start.
pub fn table_frame(index: u64) -> u64 {
    frame(SLOTS + index % TABLES)
}

/// Two pages of anything; the second is not mapped.
pub fn junk() -> Page {
    at(&JUNK)
}

/// A page that is mapped read-only.
pub fn read_only() -> Page {
    at(&READ_ONLY_PAGE)
}

/// A vCPU's page for arguments; the page after it is not mapped.
pub fn block(vcpu: usize) -> Page {
    at(&BLOCKS[vcpu])
}

/// The top-level table in use.
pub fn live_l4() -> u64 {
    LIVE_L4.load(Ordering::Relaxed)
}

/// The L1 that maps the slots, and with them much of the guest.
pub fn live_l1() -> u64 {
    LIVE_L1.load(Ordering::Relaxed)
}

/// Maps all slots as they were, and fills a table with entries that could be valid.
pub fn freshen() {
    for index in 0..SLOTS {
        mmu::set_entry(slot_entry(index), (frame(index) * PAGE) | WRITABLE);
    }
    for index in 0..TABLES {
        mmu::update_va_mapping(
            table(index).va,
            (table_frame(index) * PAGE) | READ_ONLY,
            mmu::INVLPG,
        );
    }
}
