//! Memory: patterns in many pages, the page tables, the table of machine frames, the image.

use crate::{broken, fail, same};
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use guest_isolation::schedule::own;
use guest_kit::pages::{m2p, p2m, Page, PAGE};
use guest_kit::random::Random;
use guest_kit::start::start_info;

/// Pages with a pattern.
const PAGES: usize = 1536;
/// Pages that a round looks at.
const A_ROUND: usize = 32;
/// Tables that are remembered at most.
const TABLES: usize = 128;
/// Accessed and dirty, which the processor sets.
const MOVING: u64 = 0x60;
/// Frames that a round looks up.
const FRAMES_A_ROUND: u64 = 256;

static FIRST: AtomicU64 = AtomicU64::new(0);
static COPIES: AtomicU64 = AtomicU64::new(0);
static COUNT: AtomicUsize = AtomicUsize::new(1);
static mut GENERATIONS: [u32; PAGES] = [0; PAGES];

fn page(index: usize) -> Page {
    Page {
        va: FIRST.load(Ordering::Relaxed) + index as u64 * PAGE,
    }
}

/// How often a page was written; only its vCPU asks.
fn generation(index: usize) -> &'static mut u32 {
    unsafe { &mut *(&raw mut GENERATIONS as *mut u32).add(index) }
}

fn pattern(index: usize, generation: u32) -> Random {
    Random::new((index as u64) << 32 | generation as u64)
}

fn write(index: usize) {
    let mut random = pattern(index, *generation(index));
    for word in page(index).words() {
        *word = random.next();
    }
}

fn verify(index: usize) {
    let mut random = pattern(index, *generation(index));
    for (place, word) in page(index).words().iter().enumerate() {
        let address = page(index).va + 8 * place as u64;
        same("memory", address, random.next(), *word);
    }
}

/// Writes every pattern; each of `count` vCPUs looks after its share.
pub fn fill(count: usize) {
    COUNT.store(count, Ordering::Relaxed);
    FIRST.store(Page::take_run(PAGES).va, Ordering::Relaxed);
    for index in 0..PAGES {
        write(index);
    }
}

/// Copies all page tables of the start; to be called when no entry changes any more.
pub fn remember_tables() {
    let info = start_info();
    let count = tables();
    COPIES.store(Page::take_run(count).va, Ordering::Relaxed);
    for table in 0..count {
        let source = info.pt_base + table as u64 * PAGE;
        copy_of(table).copy_from_slice(Page { va: source }.words());
    }
}

fn tables() -> usize {
    (start_info().nr_pt_frames as usize).min(TABLES)
}

fn copy_of(table: usize) -> &'static mut [u64; 512] {
    let va = COPIES.load(Ordering::Relaxed) + table as u64 * PAGE;
    Page { va }.words()
}

/// A share of everything.
pub fn check(round: u64) {
    let count = COUNT.load(Ordering::Relaxed);
    let share = PAGES / count;
    let first = own() * share;
    if broken("memory") && round == 20 {
        page(first).words()[77] ^= 1 << 40;
    }
    for step in 0..A_ROUND {
        let index = first + (round as usize * A_ROUND + step) % share;
        verify(index);
        *generation(index) += 1;
        write(index);
    }
    check_tables(round);
    check_frames(round);
}

/// One page table of the start against its copy.
fn check_tables(round: u64) {
    let table = round as usize % tables();
    let va = start_info().pt_base + table as u64 * PAGE;
    if broken("tables") && round == 20 {
        copy_of(table)[5] ^= 2;
    }
    for (index, (then, now)) in copy_of(table)
        .iter()
        .zip(Page { va }.words().iter())
        .enumerate()
    {
        // A page of the pool that got its pattern of another use changes no entry: all of them were
        // taken before the copy.
        same(
            "page-table entry",
            va + 8 * index as u64,
            then & !MOVING,
            now & !MOVING,
        );
    }
}

/// The machine-to-physical table against our own list.
fn check_frames(round: u64) {
    let frames = start_info().nr_pages;
    for step in 0..FRAMES_A_ROUND {
        let pfn = (round * FRAMES_A_ROUND + step) % frames;
        let mfn = p2m(pfn);
        if mfn >> 52 != 0 {
            fail("a frame number in the list", pfn, 0, mfn);
        }
        same("the machine-to-physical table", mfn, pfn, m2p(mfn));
    }
}
