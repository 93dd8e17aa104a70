//! The x87 and vector registers: an XSAVE image made of the seed is loaded, and what is there
//! later is compared with it.

use crate::{broken, same};
use core::arch::asm;
use core::arch::x86_64::{__cpuid_count, CpuidResult};
use core::sync::atomic::{AtomicU64, Ordering};
use guest_isolation::schedule::own;
use guest_kit::pages::Page;
use guest_kit::random::Random;
use guest_kit::vcpu::MAX_VCPUS;

/// Bits of XCR0 that the canary fills: x87, SSE, AVX.
const USED: u64 = 7;
/// CR4.OSXSAVE.
const OSXSAVE: u64 = 1 << 18;

static IMAGES: [AtomicU64; MAX_VCPUS] = [const { AtomicU64::new(0) }; MAX_VCPUS];
static HELD: AtomicU64 = AtomicU64::new(0);

/// Finds out what there is. Each vCPU has three pages: the image loaded, and two for what is found.
pub fn enable() {
    for image in &IMAGES {
        image.store(Page::take_run(2).va, Ordering::Relaxed);
    }
    let offered = save_area(0);
    let mask = (offered.eax as u64 | (offered.edx as u64) << 32) & USED;
    if mask != 0 {
        HELD.store(mask, Ordering::Relaxed);
    }
}

/// What CPUID says of the area that XSAVE fills.
fn save_area(subleaf: u32) -> CpuidResult {
    // Debian 12's own Rust calls it unsafe, later ones do not.
    #[allow(unused_unsafe)]
    unsafe {
        __cpuid_count(0xd, subleaf)
    }
}

/// CR4.OSXSAVE and XCR0 are each vCPU's own.
fn switch_on(mask: u64) {
    unsafe {
        asm!(
            "mov {old}, cr4", "or {old}, {bit}", "mov cr4, {old}",
            old = out(reg) _, bit = in(reg) OSXSAVE,
        );
        asm!("xsetbv", in("ecx") 0, in("eax") mask as u32, in("edx") (mask >> 32) as u32);
    }
}

/// The words of an XSAVE area that the architecture keeps: x87 and MXCSR, and the registers.
fn words(mask: u64) -> impl Iterator<Item = usize> {
    // ST0-ST7: 10 of each 16 bytes, so one whole word and a half one, which is left out.
    let legacy = (4..20).step_by(2).chain(20..52);
    let high = save_area(2).ebx as usize / 8;
    let high_end = if mask & 4 != 0 { high + 32 } else { high };
    legacy.chain(high..high_end)
}

/// Loads a pattern.
pub fn load(seed: u64) {
    let mask = HELD.load(Ordering::Relaxed);
    if mask == 0 {
        return;
    }
    switch_on(mask);
    let area = Page {
        va: IMAGES[own()].load(Ordering::Relaxed),
    };
    let image = area.words();
    image.fill(0);
    let mut random = Random::new(seed);
    for word in words(mask) {
        image[word] = random.next();
    }
    // FCW 0x37f, all registers in use, MXCSR 0x1f80; then XSTATE_BV.
    image[0] = 0x37f | 0xff << 32;
    image[3] = 0x1f80;
    for register in 0..8 {
        // Exponents of numbers, so that no load raises a fault.
        image[5 + 2 * register] = 0x3fff;
        image[4 + 2 * register] |= 1 << 63;
    }
    image[64] = mask;
    unsafe {
        asm!(
            "xrstor64 [{}]", in(reg) area.va, in("eax") mask as u32, in("edx") 0,
        )
    };
}

/// Compares what is in the registers with the pattern.
pub fn compare(_seed: u64) {
    let mask = HELD.load(Ordering::Relaxed);
    if mask == 0 {
        return;
    }
    let area = Page {
        va: IMAGES[own()].load(Ordering::Relaxed),
    };
    let found = area.next(1);
    if broken("registers") {
        unsafe { asm!("pxor xmm3, xmm3") };
    }
    found.words().fill(0);
    unsafe {
        asm!(
            "xsave64 [{}]", in(reg) found.va, in("eax") mask as u32, in("edx") 0,
        )
    };
    let (loaded, found) = (area.words(), found.words());
    same("x87 control word", 0, loaded[0] & 0xffff, found[0] & 0xffff);
    same("MXCSR", 3, loaded[3] & 0xffff, found[3] & 0xffff);
    for word in words(mask) {
        same(
            "vector or x87 register",
            word as u64,
            loaded[word],
            found[word],
        );
    }
}
