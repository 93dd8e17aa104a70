//! Switching a processor from one vCPU to another: save what only the processor knows, load what differs.

extern crate alloc;

use alloc::sync::Arc;
use core::arch::asm;
use core::sync::atomic::Ordering::Relaxed;

use crate::cpu::{self, control, msr};
use crate::fpu::{self, FpuState};
use crate::percpu::PerCpu;
use crate::vcpu::VcpuContext;
use crate::{descriptors, tlb};

/// The data selectors `ds`, `es`, `fs`, `gs` as they are loaded.
pub fn data_selectors() -> [u64; 4] {
    let (ds, es, fs, gs): (u64, u64, u64, u64);
    // SAFETY: reads selector registers only.
    unsafe {
        asm!("mov {0:e}, ds", "mov {1:e}, es", "mov {2:e}, fs", "mov {3:e}, gs",
            out(reg) ds, out(reg) es, out(reg) fs, out(reg) gs, options(nostack, nomem))
    }
    [ds & 0xffff, es & 0xffff, fs & 0xffff, gs & 0xffff]
}

/// Saves what the running vCPU may have changed without the hypervisor's help: segment selectors and bases,
/// and the vector state.
pub fn save(vcpu: &VcpuContext, state: &FpuState) {
    let [ds, es, fs, gs] = data_selectors();
    let packed = ds | es << 16 | fs << 32 | gs << 48;
    vcpu.selectors.store(packed, Relaxed);
    // The processor alone knows the bases: a guest sets them by FSGSBASE, by loading a selector, and by the calls
    // and registers whose handlers write them straight to it.
    let (fs, active, other) = bases();
    let (kernel, user) = if vcpu.in_kernel() {
        (active, other)
    } else {
        (other, active)
    };
    vcpu.fs_base.store(fs, Relaxed);
    vcpu.gs_base_kernel.store(kernel, Relaxed);
    vcpu.gs_base_user.store(user, Relaxed);
    let cr0 = cpu::read_cr0();
    // SAFETY: clearing TS only lets the save proceed; nothing else changes.
    unsafe { cpu::write_cr0(cr0 & !control::CR0_TS) }
    use_xcr0(fpu::enabled());
    state.save();
}

/// Loads the selectors `ds`, `es`, `fs`, `gs`; one that faults (the guest changed its descriptor) becomes null. Says
/// whether all loaded.
fn load_selectors(packed: u64) -> bool {
    let mut failed = 0u32;
    macro_rules! load {
        ($register:literal, $value:expr) => {
            // SAFETY: a selector that faults is replaced by null at the continuation; data segments do not
            // matter to the hypervisor.
            unsafe {
                asm!(
                    ".pushsection .ex_table, \"a\", @progbits",
                    ".quad 2f, 4f",
                    ".popsection",
                    concat!("2: mov ", $register, ", {value:e}"),
                    "jmp 3f",
                    "4: xor {value:e}, {value:e}",
                    concat!("mov ", $register, ", {value:e}"),
                    "mov {failed:e}, 1",
                    "3:",
                    value = inout(reg) ($value & 0xffff) => _, failed = inout(reg) failed, options(nostack)
                )
            }
        };
    }
    load!("ds", packed);
    load!("es", packed >> 16);
    load!("fs", packed >> 32);
    load!("gs", packed >> 48);
    failed == 0
}

fn use_xcr0(mask: u64) {
    let loaded = &PerCpu::current().loaded_xcr0;
    if mask != 0 && loaded.load(Relaxed) != mask {
        fpu::write_xcr0(mask);
        loaded.store(mask, Relaxed);
    }
}

/// Loads a vCPU: descriptor tables, segments, debug registers, vector state, control bits, page tables. From
/// then on `PerCpu::vcpu` is it. Says whether all its data selectors loaded; one that does not is null now, and the
/// guest's kernel should learn of it.
#[must_use]
pub fn load(vcpu: &Arc<VcpuContext>, state: &FpuState) -> bool {
    descriptors::load_window(vcpu.window.load(Relaxed));
    descriptors::load_ldt(vcpu.window.load(Relaxed), vcpu.ldt_entries.load(Relaxed));
    load_bases(vcpu);
    let all_loaded = load_selectors(vcpu.selectors.load(Relaxed));
    load_bases(vcpu);
    // SAFETY: clears TS for the load of state; `set_control` sets it again where the guest wants it.
    unsafe { cpu::write_cr0(cpu::read_cr0() & !control::CR0_TS) }
    use_xcr0(fpu::enabled());
    state.load();
    if fpu::enabled() != 0 {
        use_xcr0(vcpu.xcr0.load(Relaxed));
    }
    load_debug(vcpu);
    set_control(vcpu);
    PerCpu::current().set_vcpu(Arc::clone(vcpu));
    all_loaded
}

fn load_bases(vcpu: &VcpuContext) {
    let (kernel, user) = (
        vcpu.gs_base_kernel.load(Relaxed),
        vcpu.gs_base_user.load(Relaxed),
    );
    let (active, other) = if vcpu.in_kernel() {
        (kernel, user)
    } else {
        (user, kernel)
    };
    // SAFETY: bases of the guest's segments; each was checked to be canonical where it was set.
    unsafe {
        cpu::write_msr(msr::FS_BASE, vcpu.fs_base.load(Relaxed));
        cpu::write_msr(msr::GS_BASE, active);
        cpu::write_msr(msr::KERNEL_GS_BASE, other);
    }
}

/// Loads the debug registers; addresses were checked where they were set.
pub fn load_debug(vcpu: &VcpuContext) {
    let [d0, d1, d2, d3, d6, d7] = [0, 1, 2, 3, 4, 5].map(|number: usize| {
        vcpu.debug
            .get(number)
            .map_or(0, |value| value.load(Relaxed))
    });
    // SAFETY: breakpoints lie in the guest's part of the address space and DR7's reserved bits are clear, by
    // the checks of `set_debugreg`. The control register is cleared first so no half-set breakpoint fires.
    unsafe {
        asm!("mov dr7, {}", in(reg) 0x400u64, options(nostack));
        if d7 & 0xff != 0 {
            asm!("mov dr0, {0}", "mov dr1, {1}", "mov dr2, {2}", "mov dr3, {3}", "mov dr6, {4}", "mov dr7, {5}",
                in(reg) d0, in(reg) d1, in(reg) d2, in(reg) d3, in(reg) d6, in(reg) d7, options(nostack));
        }
    }
}

/// Takes the debug status that the processor left. It only ever adds to the register, which is cleared here so that
/// the next exception, of whichever guest, says nothing of this one.
pub fn take_debug_status() -> u64 {
    let value;
    // SAFETY: reading DR6 has no side effect.
    unsafe { asm!("mov {}, dr6", out(reg) value, options(nostack, nomem)) }
    cpu::clear_debug_status();
    value
}

/// Has the vCPU's reads of the time-stamp counter trap, in its kernel too, or leaves that to the guest. It holds from
/// when the vCPU is loaded next.
pub fn trap_time_stamps(vcpu: &VcpuContext, trap: bool) {
    let forced = if trap { control::CR4_TSD } else { 0 };
    vcpu.forced_cr4.store(forced, Relaxed);
}

/// Applies the guest's choice of CR0.TS, CR4.TSD and XCR0 on this processor, which runs the vCPU; where the reads of its
/// time-stamp counter trap, TSD is set whatever it chose.
pub fn set_control(vcpu: &VcpuContext) {
    let cr0 = cpu::read_cr0() & !control::CR0_TS | vcpu.cr0.load(Relaxed) & control::CR0_TS;
    let cr4 = cpu::read_cr4();
    let chosen = vcpu.cr4.load(Relaxed) | vcpu.forced_cr4.load(Relaxed);
    let wanted = cr4 & !control::CR4_TSD | chosen & control::CR4_TSD;
    // SAFETY: only TS and TSD change, which affect guests.
    unsafe {
        cpu::write_cr0(cr0);
        if wanted != cr4 {
            cpu::write_cr4(wanted);
        }
    }
    if fpu::enabled() != 0 {
        use_xcr0(vcpu.xcr0.load(Relaxed));
    }
}

/// Loads page tables at `base` (a value of CR3 whose table holds the hypervisor's slots) and drops all
/// translations, global ones too.
#[inline]
pub fn load_tables(base: u64) {
    let cr4 = cpu::read_cr4();
    tlb::note_full_flush(|| {
        // SAFETY: every guest top-level table holds the hypervisor's slots from its promotion on; the caller
        // passes a table that the vCPU holds a typed reference to.
        unsafe {
            cpu::write_cr4(cr4 & !control::CR4_PGE);
            cpu::write_cr3(base);
            cpu::write_cr4(cr4);
        }
    });
}

/// Loads page tables at `base` without dropping global translations: between a vCPU's kernel and user tables.
#[inline]
pub fn toggle_tables(base: u64) {
    // SAFETY: as for `load_tables`.
    unsafe { cpu::write_cr3(base) }
}

/// Exchanges the kernel's and the user's base of `gs`, when the vCPU passes between them.
#[inline]
pub fn swap_gs() {
    // SAFETY: the hypervisor uses no gs of its own.
    unsafe { asm!("swapgs", options(nostack, nomem, preserves_flags)) }
}

/// Sets the base of `fs` of the running vCPU. `base` must be canonical.
pub fn set_fs_base(base: u64) {
    // SAFETY: affects the guest's segment only; the caller checked the address.
    unsafe { cpu::write_msr(msr::FS_BASE, base) }
}

/// Sets the active (else the other) base of `gs` of the running vCPU. `base` must be canonical.
pub fn set_gs_base(base: u64, active: bool) {
    let register = if active {
        msr::GS_BASE
    } else {
        msr::KERNEL_GS_BASE
    };
    // SAFETY: affects the guest's segment only; the caller checked the address.
    unsafe { cpu::write_msr(register, base) }
}

/// The bases of `fs`, the active and the other `gs` of the running vCPU.
pub fn bases() -> (u64, u64, u64) {
    (
        cpu::read_msr(msr::FS_BASE),
        cpu::read_msr(msr::GS_BASE),
        cpu::read_msr(msr::KERNEL_GS_BASE),
    )
}

/// Loads the user's `gs` selector of a vCPU in its kernel (`SEGBASE_GS_USER_SEL`): a selector that faults
/// becomes null.
pub fn set_gs_user_selector(value: u64) {
    swap_gs();
    // SAFETY: between the two exchanges the active base is the user's; a faulting selector becomes null.
    unsafe {
        asm!(
            ".pushsection .ex_table, \"a\", @progbits", ".quad 2f, 4f", ".popsection",
            "2: mov gs, {value:e}",
            "jmp 3f",
            "4: xor {value:e}, {value:e}",
            "mov gs, {value:e}",
            "3:",
            value = inout(reg) (value & 0xffff) => _, options(nostack)
        )
    }
    swap_gs();
}

/// Loads the GDT window and LDT of the running vCPU anew, after either changed.
pub fn reload_descriptors(vcpu: &VcpuContext) {
    let window = vcpu.window.load(Relaxed);
    descriptors::load_window(window);
    descriptors::load_ldt(window, vcpu.ldt_entries.load(Relaxed));
}
