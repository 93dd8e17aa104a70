//! Giving control to a guest's kernel at one of its handlers: the bounce frame.
//!
//! From high to low addresses: `ss`, `rsp`, `rflags`, `cs` with the saved event mask in its upper half,
//! `rip`, the error code where there is one, `r11`, `rcx` (what the guest's entry code pops).

use core::sync::atomic::Ordering::Relaxed;

use hw::registers::{rflags, selector, Registers};
use hw::vcpu::{mode, Callback};
use hw::{copy, switch};
use vocabulary::VirtAddr;

use crate::vcpu::Vcpu;
use crate::{crash, trace};

/// The vector of page faults.
const PAGE_FAULT: u32 = 14;

/// A place in the guest's kernel that takes control.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Where.
    pub address: u64,
    /// Whether events are masked on the way.
    pub masks_events: bool,
}

impl Target {
    /// The target a callback names; `None` where none is registered.
    pub fn of(callback: &Callback) -> Option<Self> {
        let address = callback.entry.load(Relaxed);
        (address != 0).then(|| Self {
            address,
            masks_events: callback.masks_events.load(Relaxed) != 0,
        })
    }
}

/// Passes from a user program of the guest to its kernel.
#[inline]
pub fn enter_kernel(vcpu: &Vcpu) {
    switch::toggle_tables(vcpu.context.kernel_cr3.load(Relaxed));
    switch::swap_gs();
    vcpu.context.change_mode(mode::KERNEL, 0);
}

/// Passes from the guest's kernel to a user program.
#[inline]
pub fn enter_user(vcpu: &Vcpu) {
    switch::toggle_tables(vcpu.context.user_cr3.load(Relaxed));
    switch::swap_gs();
    vcpu.context.change_mode(0, mode::KERNEL);
}

/// Bounces the vCPU, which runs here with `registers`, to `target`.
#[inline]
pub fn bounce(vcpu: &Vcpu, registers: &mut Registers, target: Target, error_code: Option<u32>) {
    let context = &vcpu.context;
    let (top, cs) = if context.in_kernel() {
        (registers.rsp & !15, registers.cs & 0xfffc)
    } else {
        enter_kernel(vcpu);
        (context.kernel_sp.load(Relaxed), registers.cs & 0xffff)
    };
    let info = context.info();
    let mask = info.upcall_mask.load(Relaxed);
    let enabled = if mask == 0 { rflags::IF } else { 0 };
    let flags = registers.rflags & !(rflags::IF | rflags::IOPL) | enabled;
    let flags = flags | shown_iopl(vcpu);
    let cs = cs | u64::from(mask) << 32;
    let frame = [
        registers.rcx,
        registers.r11,
        0,
        registers.rip,
        cs,
        flags,
        registers.rsp,
        registers.ss,
    ];
    let (bottom, written) = match error_code {
        Some(code) => {
            let [rcx, r11, _, rest @ ..] = frame;
            let [rip, cs, flags, rsp, ss] = rest;
            let frame = [rcx, r11, u64::from(code), rip, cs, flags, rsp, ss];
            let bottom = top.wrapping_sub(64);
            (bottom, copy::write_words(VirtAddr(bottom), &frame))
        }
        None => {
            let [rcx, r11, _, rest @ ..] = frame;
            let [rip, cs, flags, rsp, ss] = rest;
            let bottom = top.wrapping_sub(56);
            (
                bottom,
                copy::write_words(VirtAddr(bottom), &[rcx, r11, rip, cs, flags, rsp, ss]),
            )
        }
    };
    if written.is_err() {
        return crash::domain(
            vcpu,
            registers,
            "the kernel's stack cannot take a bounce frame",
        );
    }
    if target.masks_events {
        info.upcall_mask.store(1, Relaxed);
    }
    registers.rip = target.address;
    registers.cs = u64::from(selector::GUEST_CODE64);
    registers.ss = u64::from(selector::GUEST_DATA);
    registers.rsp = bottom;
    registers.rflags &= !(rflags::TF | rflags::AC | rflags::RF | rflags::NT | rflags::VM);
    // The guest pops rcx and r11 from the frame, so the cheap way out may lose them.
    registers.vector |= Registers::BY_SYSCALL;
}

/// The IOPL bits of the flags that a guest sees, where it asked for the architecture's (`VMASST_TYPE_architectural_iopl`).
pub fn shown_iopl(vcpu: &Vcpu) -> u64 {
    if vcpu
        .domain
        .assists(xen_abi::xen::VMASST_TYPE_architectural_iopl)
    {
        u64::from(vcpu.context.iopl.load(Relaxed)) << 12
    } else {
        0
    }
}

/// Delivers an exception to the guest's handler; a guest without one has crashed.
#[inline]
pub fn exception(vcpu: &Vcpu, registers: &mut Registers, vector: u32, error_code: Option<u32>) {
    let entry = vcpu.traps.get(vector as usize & 0xff);
    let address = entry.map_or(0, |entry| entry.address.load(Relaxed));
    let Some(entry) = entry.filter(|_| address != 0) else {
        return crash::unhandled(vcpu, registers, vector, error_code);
    };
    let target = Target {
        address,
        masks_events: entry.flags.load(Relaxed) & 4 != 0,
    };
    if vector != PAGE_FAULT {
        trace::note_exception(registers, vector, error_code);
    }
    bounce(vcpu, registers, target, error_code);
}

/// Delivers a general protection fault.
#[inline]
pub fn general_protection(vcpu: &Vcpu, registers: &mut Registers, code: u32) {
    exception(vcpu, registers, 13, Some(code));
}

/// Delivers a page fault at `address`.
#[inline]
pub fn page_fault(vcpu: &Vcpu, registers: &mut Registers, address: u64, code: u32) {
    vcpu.context.info().cr2.store(address, Relaxed);
    trace::note_page_fault(registers, address, code);
    exception(vcpu, registers, PAGE_FAULT, Some(code));
}

/// Delivers pending events to a guest that takes them: an upcall. A guest that takes events and said not where has
/// crashed: the way out would ask for this again and again.
pub fn upcall(vcpu: &Vcpu, registers: &mut Registers) {
    let Some(mut target) = Target::of(&vcpu.context.event) else {
        return crash::domain(vcpu, registers, "it takes events without an event callback");
    };
    target.masks_events = true;
    crate::counters::count(&vcpu.counters.upcalls);
    bounce(vcpu, registers, target, None);
}
