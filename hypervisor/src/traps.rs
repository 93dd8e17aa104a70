//! Exceptions of guests: which are the hypervisor's to handle, and which the guest kernel gets.

use core::sync::atomic::Ordering::Relaxed;

use hw::descriptors::{self, MissingDescriptor};
use hw::percpu::PerCpu;
use hw::registers::{rflags, Registers};
use hw::{copy, switch};
use vocabulary::VirtAddr;

use crate::inject::{self, Target};
use crate::vcpu::Vcpu;
use crate::{crash, current, local_table, privileged, table_writes};

/// Page-fault error code bits (Intel SDM volume 3, figure 4-12).
mod fault {
    pub const PRESENT: u32 = 1;
    pub const WRITE: u32 = 1 << 1;
    pub const USER: u32 = 1 << 2;
    pub const RESERVED: u32 = 1 << 3;
    pub const FETCH: u32 = 1 << 4;
}

/// A page fault of a guest.
pub extern "C" fn page_fault(registers: &mut Registers, address: u64) {
    current::with(|vcpu| guest_page_fault(vcpu, registers, address));
}

#[inline]
fn guest_page_fault(vcpu: &Vcpu, registers: &mut Registers, address: u64) {
    vcpu.counters.trap(14);
    let mut code = registers.error_code;
    if vcpu.context.in_kernel() {
        // A kernel's write to a page that is there and read-only may be one to its own page tables.
        const TABLE_WRITE: u32 = fault::PRESENT | fault::WRITE;
        if code & (TABLE_WRITE | fault::RESERVED | fault::FETCH) == TABLE_WRITE
            && table_writes::emulate(vcpu, registers, VirtAddr(address))
        {
            return;
        }
        // The real machine ran the kernel in ring 3; the kernel believes otherwise.
        code &= !fault::USER;
    }
    if code & fault::RESERVED != 0 {
        return crash::domain(vcpu, registers, "a page-table entry has reserved bits");
    }
    if !VirtAddr(address).is_guest() {
        // The processor reads descriptors with its own rights, a guest's access is a user's.
        if registers.error_code & fault::USER == 0
            && missing_descriptor(vcpu, registers, address, code)
        {
            return;
        }
        // What is mapped in the hypervisor's part is nothing a guest may learn.
        code &= !fault::PRESENT;
    }
    inject::page_fault(vcpu, registers, address, code);
}

/// Handles a fault on one of the vCPU's descriptors, which its kernel sees in its own terms: a missing page of the GDT
/// as a bad selector, one of the LDT as a page fault where the guest has the table. Says whether it was such a fault.
#[cold]
fn missing_descriptor(vcpu: &Vcpu, registers: &mut Registers, address: u64, code: u32) -> bool {
    match descriptors::missing(vcpu.context.window.load(Relaxed), address) {
        Some(MissingDescriptor::Global(selector)) => {
            inject::general_protection(vcpu, registers, selector)
        }
        Some(MissingDescriptor::Local(offset)) => {
            if !local_table::show(vcpu, offset) {
                let user = if vcpu.context.in_kernel() {
                    0
                } else {
                    fault::USER
                };
                let code = code & !(fault::PRESENT | fault::USER) | user;
                inject::page_fault(vcpu, registers, local_table::address(vcpu, offset), code);
            }
        }
        None => return false,
    }
    true
}

/// Any other exception of a guest.
pub extern "C" fn exception(registers: &mut Registers) {
    current::with(|vcpu| {
        vcpu.counters.trap(registers.vector);
        handle(vcpu, registers);
    });
}

fn handle(vcpu: &Vcpu, registers: &mut Registers) {
    let code = registers.error_code;
    match registers.vector {
        1 => debug(vcpu, registers),
        // `int3` and `int 80h` come through gates of their own, so the guest's gate decides nothing here.
        3 | 4 | 0x80 => software_interrupt(vcpu, registers),
        6 => {
            if !privileged::forced_emulation(vcpu, registers) {
                inject::exception(vcpu, registers, 6, None);
            }
        }
        7 => device_not_available(vcpu, registers),
        13 => general_protection(vcpu, registers),
        vector @ (10 | 11 | 12 | 17) => inject::exception(vcpu, registers, vector, Some(code)),
        vector @ (0 | 5 | 16 | 19) => inject::exception(vcpu, registers, vector, None),
        vector => crash::unhandled(vcpu, registers, vector, Some(code)),
    }
}

fn debug(vcpu: &Vcpu, registers: &mut Registers) {
    let status = switch::take_debug_status();
    if let Some(place) = vcpu.context.debug.get(4) {
        place.store(status, Relaxed);
    }
    inject::exception(vcpu, registers, 1, None);
}

fn software_interrupt(vcpu: &Vcpu, registers: &mut Registers) {
    let vector = registers.vector;
    let Some(entry) = vcpu.traps.get(vector as usize & 0xff) else {
        return;
    };
    let address = entry.address.load(Relaxed);
    // These are for everybody, whatever privilege the guest's gate asks for.
    if address == 0 {
        // The instruction is two bytes long but for `int3`, `into`, which are one.
        let length = if vector == 0x80 { 2 } else { 1 };
        registers.rip = registers.rip.wrapping_sub(length);
        return inject::general_protection(vcpu, registers, vector << 3 | 2);
    }
    let target = Target {
        address,
        masks_events: entry.flags.load(Relaxed) & 4 != 0,
    };
    inject::bounce(vcpu, registers, target, None);
}

/// Whether a gate's privilege lets the vCPU, as it runs now, raise it.
fn may_raise(vcpu: &Vcpu, flags: u32) -> bool {
    let privilege = if vcpu.context.in_kernel() { 1 } else { 3 };
    flags & 3 >= privilege
}

fn device_not_available(vcpu: &Vcpu, registers: &mut Registers) {
    // The guest switched its vector unit off (`fpu_taskswitch`); it is given on with the exception, as the
    // interface says.
    vcpu.context.cr0.store(0, Relaxed);
    switch::set_control(&vcpu.context);
    inject::exception(vcpu, registers, 7, None);
}

fn general_protection(vcpu: &Vcpu, registers: &mut Registers) {
    let code = registers.error_code;
    // `int n`: the table has no gate a guest may use, so the error code names the vector.
    if code & 3 == 2 {
        let vector = code >> 3 & 0xff;
        if let Some(entry) = vcpu.traps.get(vector as usize) {
            let address = entry.address.load(Relaxed);
            if address != 0 && may_raise(vcpu, entry.flags.load(Relaxed)) {
                registers.rip = registers.rip.wrapping_add(2);
                let target = Target {
                    address,
                    masks_events: entry.flags.load(Relaxed) & 4 != 0,
                };
                return inject::bounce(vcpu, registers, target, None);
            }
        }
        return inject::general_protection(vcpu, registers, code);
    }
    if code == 0 && (enter_by_sysenter(vcpu, registers) || privileged::emulate(vcpu, registers)) {
        return;
    }
    inject::general_protection(vcpu, registers, code);
}

/// A user program's `sysenter`, which faults since no processor is told where it leads: to the kernel's callback.
/// The instruction keeps no return address and no stack; a kernel knows both by its own convention. Says whether it
/// was one and there is a callback.
fn enter_by_sysenter(vcpu: &Vcpu, registers: &mut Registers) -> bool {
    if vcpu.context.in_kernel() {
        return false;
    }
    let Some(target) = Target::of(&vcpu.context.sysenter) else {
        return false;
    };
    let mut code = [0; 2];
    if copy::read_bytes(VirtAddr(registers.rip), &mut code).is_err() || code != [0x0f, 0x34] {
        return false;
    }
    inject::bounce(vcpu, registers, target, None);
    true
}

/// A user program's system call that the fast path left: no callback, or events masked.
pub extern "C" fn user_syscall(registers: &mut Registers) {
    current::with(|vcpu| {
        let Some(target) = Target::of(&vcpu.context.syscall) else {
            return no_syscall(vcpu, registers);
        };
        inject::bounce(vcpu, registers, target, None);
    });
}

/// A 32-bit user program's system call.
pub extern "C" fn user_syscall32(registers: &mut Registers) {
    current::with(|vcpu| {
        if vcpu.context.in_kernel() {
            return no_syscall(vcpu, registers);
        }
        let Some(target) = Target::of(&vcpu.context.syscall32) else {
            return no_syscall(vcpu, registers);
        };
        inject::bounce(vcpu, registers, target, None);
    });
}

fn no_syscall(vcpu: &Vcpu, registers: &mut Registers) {
    registers.rip = registers.rip.wrapping_sub(2);
    registers.leave_by_iret();
    inject::exception(vcpu, registers, 6, None);
}

/// The kernel's stack could not take the bounce frame of a system call.
pub extern "C" fn bounce_fault(registers: &mut Registers) {
    current::with(|vcpu| {
        crash::domain(
            vcpu,
            registers,
            "the kernel's stack cannot take a system call's frame",
        );
    });
}

/// Leaving for the guest with these registers faulted: its kernel learns as if the first instruction there had.
pub extern "C" fn iret_fault(registers: &mut Registers) {
    let here = PerCpu::current();
    let (vector, code) = (
        here.fault_vector.load(Relaxed),
        here.fault_code.load(Relaxed),
    );
    let address = here.fault_address.load(Relaxed);
    current::with(|vcpu| {
        registers.rflags |= rflags::IF;
        if vector == 14 {
            if !missing_descriptor(vcpu, registers, address, code) {
                crash::domain(vcpu, registers, "its descriptor tables cannot be read");
            }
        } else {
            inject::exception(vcpu, registers, vector, Some(code));
        }
    });
}

/// A data selector of the vCPU, which was just loaded with these registers, is none any more: its kernel learns by
/// the failsafe callback, where it has one.
pub fn selectors_lost(vcpu: &Vcpu, registers: &mut Registers) {
    if let Some(target) = Target::of(&vcpu.context.failsafe) {
        failsafe(vcpu, registers, target);
    }
}

/// The failsafe frame has the four data selectors below the ordinary one: `ds`, `es`, `fs`, `gs`.
fn failsafe(vcpu: &Vcpu, registers: &mut Registers, target: Target) {
    inject::bounce(vcpu, registers, target, None);
    let bottom = registers.rsp;
    let mut top = [0; 2];
    // rcx and r11 move down to make room for the selectors.
    if copy::read_words(VirtAddr(bottom), &mut top).is_err() {
        return crash::domain(
            vcpu,
            registers,
            "the kernel's stack cannot take a failsafe frame",
        );
    }
    let [rcx, r11] = top;
    // As they were before what could not be loaded became null.
    let selectors = vcpu.context.selectors.load(Relaxed);
    let [ds, es, fs, gs] = [0, 16, 32, 48].map(|shift| selectors >> shift & 0xffff);
    registers.rsp = bottom.wrapping_sub(32);
    if copy::write_words(VirtAddr(registers.rsp), &[rcx, r11, ds, es, fs, gs]).is_err() {
        crash::domain(
            vcpu,
            registers,
            "the kernel's stack cannot take a failsafe frame",
        );
    }
}

/// Pending events for a guest that takes them.
pub extern "C" fn events(registers: &mut Registers) {
    current::with(|vcpu| inject::upcall(vcpu, registers));
}
