//! Floating-point and vector state of vCPUs: saved and loaded whole at every vCPU switch, never lazily,
//! so that one domain can never see another's registers.

extern crate alloc;

use alloc::vec::Vec;
use core::arch::asm;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::cpu;

/// The XCR0 bits the hypervisor turns on: x87, SSE, AVX, MPX never, AVX-512, AMX. PKRU stays off, since
/// guests share one protection domain with their kernels.
pub const WANTED: u64 = 0b111 | 0b111 << 5 | 0b11 << 17;

/// XCR0 while the hypervisor saves and loads state; zero on a processor without XSAVE.
static ENABLED: AtomicU64 = AtomicU64::new(0);
/// Bytes of a save area.
static SIZE: AtomicU64 = AtomicU64::new(512);

/// XSAVE has its optimized form (skips what was not changed since it was loaded).
static OPTIMIZED: AtomicU64 = AtomicU64::new(0);

/// Bytes of FXSAVE's image, with which every area begins.
pub const LEGACY: usize = 512;

/// What every area is a multiple of.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// One vCPU's state. Its layout is that of XSAVE's standard form (or FXSAVE without XSAVE).
pub struct FpuState {
    lines: UnsafeCell<Vec<Line>>,
}

// SAFETY: `save` and `load` run on the processor that runs (or is about to run) the vCPU, one at a time by
// the scheduler's own rule, and `bytes` is called only on a vCPU that does not run.
unsafe impl Sync for FpuState {}

impl FpuState {
    /// The state after reset; `None` without memory for it.
    pub fn new() -> Option<Self> {
        let lines = (SIZE.load(Relaxed) as usize).div_ceil(64);
        let mut area = Vec::new();
        area.try_reserve_exact(lines).ok()?;
        area.resize(lines, Line([0; 64]));
        // FCW and MXCSR as after FNINIT and power-on (AMD64 manual, volume 2, table 14-1).
        if let Some(Line([low, high, ..])) = area.first_mut() {
            *low = 0x7f;
            *high = 0x03;
        }
        if let Some(Line(line)) = area.first_mut() {
            for (byte, value) in line.iter_mut().skip(24).zip([0x80, 0x1f]) {
                *byte = value;
            }
        }
        Some(Self {
            lines: UnsafeCell::new(area),
        })
    }

    fn address(&self) -> *mut u8 {
        // SAFETY: only the pointer to the area is taken; the vector is never resized.
        unsafe { (*self.lines.get()).as_mut_ptr().cast() }
    }

    /// Saves this processor's registers here.
    pub fn save(&self) {
        let area = self.address();
        let mask = ENABLED.load(Relaxed);
        // SAFETY: the area has the size CPUID gave for the enabled components and is aligned to 64 bytes.
        unsafe {
            if mask == 0 {
                asm!("fxsave64 [{}]", in(reg) area, options(nostack));
            } else if OPTIMIZED.load(Relaxed) != 0 {
                asm!("xsaveopt64 [{}]", in(reg) area, in("eax") mask as u32, in("edx") (mask >> 32) as u32,
                    options(nostack));
            } else {
                asm!("xsave64 [{}]", in(reg) area, in("eax") mask as u32, in("edx") (mask >> 32) as u32,
                    options(nostack));
            }
        }
    }

    /// Loads this processor's registers from here.
    pub fn load(&self) {
        let area = self.address();
        let mask = ENABLED.load(Relaxed);
        // SAFETY: as for `save`; the contents came from `save`, `new` or a checked `set_bytes`.
        unsafe {
            if mask == 0 {
                asm!("fxrstor64 [{}]", in(reg) area, options(nostack));
            } else {
                asm!("xrstor64 [{}]", in(reg) area, in("eax") mask as u32, in("edx") (mask >> 32) as u32,
                    options(nostack));
            }
        }
    }

    /// Writes a legacy FXSAVE image (512 bytes) as a vCPU's initial context brings it; reserved MXCSR bits
    /// are cleared, so that loading it cannot fault. The vCPU must not run.
    pub fn set_legacy(&self, image: &[u8; 512]) {
        let area = self.address();
        // SAFETY: every area is at least 512 bytes; the vCPU does not run, so nobody else touches it.
        let bytes = unsafe { core::slice::from_raw_parts_mut(area, 512) };
        bytes.copy_from_slice(image);
        for byte in bytes.iter_mut().skip(26).take(2) {
            *byte = 0;
        }
        // The header of XSAVE's area says which components the image holds: x87 and SSE.
        if SIZE.load(Relaxed) >= 576 {
            // SAFETY: the area has 64 more bytes, the XSAVE header, as just checked.
            let header = unsafe { core::slice::from_raw_parts_mut(area.add(512), 64) };
            header.fill(0);
            if let Some(first) = header.first_mut() {
                *first = 3;
            }
        }
    }

    /// The x87 and SSE registers as FXSAVE writes them, for a vCPU's context. The vCPU must not run.
    pub fn legacy(&self) -> [u8; LEGACY] {
        let area = self.bytes();
        let mut image = [0; LEGACY];
        for (byte, &saved) in image.iter_mut().zip(area) {
            *byte = saved;
        }
        // What XSAVE left out because it was as after a reset is not what the area holds.
        let components = area.get(LEGACY).copied().unwrap_or(u8::MAX);
        if components & 1 == 0 {
            for range in [0..24, 32..160] {
                image.get_mut(range).unwrap_or_default().fill(0);
            }
            let [low, high, ..] = &mut image;
            (*low, *high) = (0x7f, 0x03);
        }
        if components & 2 == 0 {
            image.get_mut(160..416).unwrap_or_default().fill(0);
        }
        image
    }

    /// The whole area: XSAVE's standard form, or FXSAVE's where there is no XSAVE. The vCPU must not run.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the area's lines are plain bytes of that many; the vCPU does not run, so that nobody writes them
        // as long as the reference lives.
        unsafe {
            let lines = &*self.lines.get();
            core::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * 64)
        }
    }

    /// Replaces the whole area by an image of the same form, with no component but those of `allowed`. False, with
    /// the state as it was, for one that the processor would refuse to load. The vCPU must not run.
    pub fn set_bytes(&self, image: &[u8], allowed: u64) -> bool {
        let mut components = [0; 8];
        let header = image.get(LEGACY..).unwrap_or_default();
        for (byte, &given) in components.iter_mut().zip(header) {
            *byte = given;
        }
        // Behind the components: the compact form's mark and reserved words, all zero in this form.
        let reserved = header.iter().skip(8).take(56);
        let is_sound = u64::from_le_bytes(components) & !allowed == 0
            && reserved.clone().all(|&byte| byte == 0);
        if !is_sound || image.len() > self.bytes().len() || image.len() < LEGACY {
            return false;
        }
        let area = self.address();
        for (offset, &byte) in image.iter().enumerate() {
            // The reserved half of MXCSR must be zero.
            let byte = if matches!(offset, 26 | 27) { 0 } else { byte };
            // SAFETY: the image is not longer than the area, as just checked; the vCPU does not run.
            unsafe { area.add(offset).write(byte) };
        }
        true
    }
}

/// The components that this machine enables.
pub fn enabled() -> u64 {
    ENABLED.load(Relaxed)
}

/// Enables state saving on this processor; the boot processor decides the components and sizes.
pub(crate) fn initialise(boot: bool) {
    let has_xsave = cpu::cpuid(1, 0)[2] & 1 << 26 != 0;
    if !has_xsave {
        return;
    }
    let leaf = cpu::cpuid(0xd, 0);
    let mut mask = (u64::from(leaf[3]) << 32 | u64::from(leaf[0])) & WANTED;
    // The three AVX-512 components and the two of AMX come together or not at all.
    if mask & 0xe0 != 0xe0 {
        mask &= !0xe0;
    }
    if mask & 0x6_0000 != 0x6_0000 {
        mask &= !0x6_0000;
    }
    write_xcr0(mask);
    if boot {
        ENABLED.store(mask, Relaxed);
        SIZE.store(u64::from(cpu::cpuid(0xd, 0)[1]).max(576), Relaxed);
        OPTIMIZED.store(u64::from(cpu::cpuid(0xd, 1)[0] & 1), Relaxed);
    }
}

/// Sets XCR0 on this processor. `mask` must be a combination the processor accepts.
pub(crate) fn write_xcr0(mask: u64) {
    // SAFETY: OSXSAVE is on where this is called, and the mask holds only what CPUID offers, in combinations
    // that are allowed (`initialise`, `is_valid_xcr0`).
    unsafe {
        asm!("xsetbv", in("ecx") 0, in("eax") mask as u32, in("edx") (mask >> 32) as u32, options(nostack))
    }
}

/// Whether a guest may set its XCR0 so: within what is enabled, and in a combination the processor takes
/// (AMD64 manual, volume 2, section 11.5.2).
pub fn is_valid_xcr0(mask: u64) -> bool {
    let enabled = ENABLED.load(Relaxed);
    let avx512 = mask & 0xe0;
    let amx = mask & 0x6_0000;
    mask & !enabled == 0
        && mask & 1 != 0
        && (mask & 4 == 0 || mask & 2 != 0)
        && (avx512 == 0 || (avx512 == 0xe0 && mask & 4 != 0))
        && (amx == 0 || amx == 0x6_0000)
}
