//! What only the hypervisor can set: debug registers, segment bases, data selectors.

use crate::same;
use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};
use guest_isolation::schedule::own;
use guest_kit::hypercall::{call2, nr, sched_op, set_segment_base};
use guest_kit::pages::Page;
use guest_kit::random::Random;
use guest_kit::trap::{catch, FLAT_SS};
use guest_kit::vcpu::MAX_VCPUS;

static PAGES: [AtomicU64; MAX_VCPUS] = [const { AtomicU64::new(0) }; MAX_VCPUS];

fn set_debug(register: u64, value: u64) {
    same(
        "set_debugreg",
        register,
        0,
        call2(nr::SET_DEBUGREG, register, value) as u64,
    );
}

fn get_debug(register: u64) -> u64 {
    call2(nr::GET_DEBUGREG, register, 0) as u64
}

/// Sets all of them, gives the processor away, and looks.
pub fn check(seed: u64) {
    let place = &PAGES[own()];
    if place.load(Ordering::Relaxed) == 0 {
        place.store(Page::take().va, Ordering::Relaxed);
    }
    let page = Page {
        va: place.load(Ordering::Relaxed),
    };
    let mut random = Random::new(seed ^ 0x7072_6f74);
    for word in page.words().iter_mut() {
        *word = random.next();
    }
    let at = |index: u64| page.va + 8 * index;
    let (watched, fs, gs, user_gs) = (
        random.below(64),
        64 + random.below(64),
        128 + random.below(64),
        random.next() >> 20,
    );
    debug(at(watched), &mut random);
    for (which, base) in [(0, at(fs)), (2, at(gs)), (1, user_gs)] {
        same(
            "set_segment_base",
            which,
            0,
            set_segment_base(which, base) as u64,
        );
    }
    let selector = random.pick(&[0, FLAT_SS, FLAT_SS]);
    unsafe { asm!("mov ds, {0:x}", "mov es, {0:x}", in(reg) selector) };
    sched_op(0, 0);
    compare_bases(page, fs, gs, user_gs, selector);
    trip(page, watched);
    set_debug(7, 0);
}

/// Four addresses, the first of which is watched for writes; the rest are never touched.
fn debug(watched: u64, random: &mut Random) {
    let addresses: [u64; 3] = core::array::from_fn(|_| random.below(1 << 46) & !7);
    set_debug(0, watched);
    for (register, address) in addresses.into_iter().enumerate() {
        set_debug(1 + register as u64, address);
    }
    set_debug(6, 0xffff_0ff0);
    // All four enabled, on writes of 8 bytes.
    set_debug(7, 0x9999_0055);
    sched_op(0, 0);
    same("debug register", 0, watched, get_debug(0));
    for (register, address) in addresses.into_iter().enumerate() {
        same(
            "debug register",
            1 + register as u64,
            address,
            get_debug(1 + register as u64),
        );
    }
    same("debug control", 7, 0x9999_0455, get_debug(7) | 0x400);
}

fn compare_bases(page: Page, fs: u64, gs: u64, user_gs: u64, selector: u64) {
    let (by_fs, by_gs, low, high): (u64, u64, u32, u32);
    let (ds, es): (u64, u64);
    unsafe {
        asm!("mov {}, fs:[0]", out(reg) by_fs);
        asm!("mov {}, gs:[0]", out(reg) by_gs);
        asm!("rdmsr", in("ecx") 0xc000_0102u32, out("eax") low, out("edx") high);
        asm!("mov {:r}, ds", out(reg) ds);
        asm!("mov {:r}, es", out(reg) es);
    }
    let words = page.words();
    same("the word at FS", fs, words[fs as usize], by_fs);
    same("the word at GS", gs, words[gs as usize], by_gs);
    same(
        "the user's GS base",
        0,
        user_gs,
        low as u64 | (high as u64) << 32,
    );
    same("DS", 0, selector, ds & 0xffff);
    same("ES", 0, selector, es & 0xffff);
}

/// A write to the watched word traps, and one beside it does not.
fn trip(page: Page, watched: u64) {
    let value = page.words()[watched as usize];
    let write =
        |index: u64| catch(|| unsafe { ((page.va + 8 * index) as *mut u64).write_volatile(value) });
    let beside = write(watched + 64);
    same(
        "a trap at an unwatched word",
        watched,
        0,
        u64::from(beside.is_some()),
    );
    let vector = write(watched).map_or(0xff, |frame| frame.vector);
    same("the trap at a watched word", watched, 1, vector);
}
