//! A stopped vCPU's state as the interface writes it down (`vcpu_guest_context`), and changed that way.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hw::registers::Registers;
use hw::vcpu::Callback;
use vocabulary::{refuse, Errno, Mfn, Refused};
use xen_abi::arch_x86::{
    CpuUserRegs, TrapInfo, VGCF_failsafe_disables_events, VGCF_in_kernel, VGCF_online,
    VGCF_syscall_disables_events, VcpuGuestContext, VGCF_I387_VALID,
};
use zerocopy::FromZeros;

use crate::privileged;
use crate::vcpu::Vcpu;

/// Bits of the flags register that hold the virtual I/O privilege level.
const IOPL_SHIFT: u32 = 12;

/// The state of a vCPU that does not run.
pub fn show(vcpu: &Vcpu) -> VcpuGuestContext {
    let state = &vcpu.context;
    let mut context = VcpuGuestContext::new_zeroed();
    context.fpu_ctxt = vcpu.fpu.legacy();
    context.flags = flags(vcpu);
    context.user_regs = registers(vcpu);
    // With its end: one past the last vector has no number.
    let vectors = 0..=u8::MAX;
    for (number, (shown, entry)) in vectors.zip(context.trap_ctxt.iter_mut().zip(vcpu.traps.iter()))
    {
        *shown = TrapInfo {
            vector: number,
            flags: entry.flags.load(Relaxed) as u8,
            cs: entry.selector.load(Relaxed) as u16,
            address: entry.address.load(Relaxed),
            _padding: 0,
        };
        if shown.address == 0 {
            *shown = TrapInfo::new_zeroed();
        }
    }
    show_tables(vcpu, &mut context);
    context.kernel_ss = state.kernel_ss.load(Relaxed);
    context.kernel_sp = state.kernel_sp.load(Relaxed);
    let [d0, d1, d2, d3, d6, d7] = &state.debug;
    let debug = [d0, d1, d2, d3, d6, d7].map(load);
    let [d0, d1, d2, d3, d6, d7] = debug;
    context.debugreg = [d0, d1, d2, d3, 0, 0, d6, d7];
    context.event_callback_eip = entry(&state.event);
    context.failsafe_callback_eip = entry(&state.failsafe);
    context.syscall_callback_eip = entry(&state.syscall);
    context.vm_assist = vcpu.domain.assists.load(Relaxed);
    context.fs_base = load(&state.fs_base);
    context.gs_base_kernel = load(&state.gs_base_kernel);
    context.gs_base_user = load(&state.gs_base_user);
    context
}

fn load(word: &AtomicU64) -> u64 {
    word.load(Relaxed)
}

fn entry(callback: &Callback) -> u64 {
    callback.entry.load(Relaxed)
}

fn masks(callback: &Callback) -> bool {
    callback.masks_events.load(Relaxed) != 0
}

fn flags(vcpu: &Vcpu) -> u64 {
    let state = &vcpu.context;
    let mut flags = VGCF_I387_VALID;
    for (flag, holds) in [
        (VGCF_in_kernel, state.in_kernel()),
        (VGCF_failsafe_disables_events, masks(&state.failsafe)),
        (VGCF_syscall_disables_events, masks(&state.syscall)),
        (VGCF_online, vcpu.is_up.load(Relaxed)),
    ] {
        if holds {
            flags |= flag;
        }
    }
    flags
}

fn registers(vcpu: &Vcpu) -> CpuUserRegs {
    let saved: Registers = *vcpu.saved.lock();
    let state = &vcpu.context;
    let selectors = state.selectors.load(Relaxed);
    let mut shown = CpuUserRegs::new_zeroed();
    (shown.r15, shown.r14, shown.r13, shown.r12) = (saved.r15, saved.r14, saved.r13, saved.r12);
    (shown.r11, shown.r10, shown.r9, shown.r8) = (saved.r11, saved.r10, saved.r9, saved.r8);
    (shown.rax, shown.rbx, shown.rcx, shown.rdx) = (saved.rax, saved.rbx, saved.rcx, saved.rdx);
    (shown.rsi, shown.rdi, shown.rbp, shown.rsp) = (saved.rsi, saved.rdi, saved.rbp, saved.rsp);
    shown.rip = saved.rip;
    shown.cs = saved.cs as u16;
    shown.ss = saved.ss as u16;
    shown.rflags = saved.rflags | u64::from(state.iopl.load(Relaxed)) << IOPL_SHIFT;
    shown.ds = selectors as u16;
    shown.es = (selectors >> 16) as u16;
    shown.fs = (selectors >> 32) as u16;
    shown.gs = (selectors >> 48) as u16;
    shown
}

/// Page-table bases, descriptor tables, control registers.
fn show_tables(vcpu: &Vcpu, context: &mut VcpuGuestContext) {
    let state = &vcpu.context;
    let descriptors = vcpu.descriptors.lock();
    for (shown, frame) in context.gdt_frames.iter_mut().zip(&descriptors.gdt) {
        *shown = frame.0;
    }
    context.gdt_ents = u64::from(state.gdt_entries.load(Relaxed));
    context.ldt_ents = u64::from(state.ldt_entries.load(Relaxed));
    if context.ldt_ents != 0 {
        context.ldt_base = descriptors.ldt_address;
    }
    context.ctrlreg = [
        privileged::shown_cr0(vcpu),
        base(load(&vcpu.bases.user)),
        0,
        base(load(&vcpu.bases.kernel)),
        privileged::shown_cr4(vcpu),
        0,
        0,
        0,
    ];
}

/// The value of CR3 that names a frame; 0 for none.
fn base(frame: u64) -> u64 {
    Mfn(frame).address().0
}

/// Whether a context has the tables that an initialised vCPU has. Nothing but a reset changes those. EOPNOTSUPP.
pub fn check_tables(vcpu: &Vcpu, wanted: &VcpuGuestContext) -> Refused<()> {
    let mut own = VcpuGuestContext::new_zeroed();
    show_tables(vcpu, &mut own);
    let used = wanted.gdt_ents.div_ceil(512).min(16) as usize;
    let is_same = own.gdt_ents == wanted.gdt_ents
        && own.gdt_frames.get(..used) == wanted.gdt_frames.get(..used)
        && own.ldt_ents == wanted.ldt_ents
        && (own.ldt_ents == 0 || own.ldt_base == wanted.ldt_base)
        && own.ctrlreg.get(3) == wanted.ctrlreg.get(3)
        && own.ctrlreg.get(1) == wanted.ctrlreg.get(1);
    if is_same {
        Ok(())
    } else {
        refuse(
            Errno::EOPNOTSUPP,
            "a vCPU that has its context keeps its page tables and descriptors",
        )
    }
}
