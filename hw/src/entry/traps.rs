//! Exception and interrupt stubs, and what becomes of a fault in the hypervisor itself.

use core::arch::global_asm;
use core::mem::offset_of;

use super::{exception_table, handlers, Handlers};
use crate::percpu;
use crate::registers::Registers;

global_asm!(
    include_str!("traps.S"),
    handlers = sym super::HANDLERS,
    on_page_fault = const offset_of!(Handlers, page_fault),
    on_trap = const offset_of!(Handlers, trap),
    on_interrupt = const offset_of!(Handlers, interrupt),
    hypervisor_trap = sym hypervisor_trap,
    own_stack_trap = sym own_stack_trap,
);

/// A fault in ring 0: allowed only at the instructions that touch guest memory or leave for a guest.
extern "C" fn hypervisor_trap(registers: &mut Registers, address: u64) {
    if let Some(continuation) = exception_table::continuation(registers.rip) {
        percpu::PerCpu::current().note_fault(registers.vector, registers.error_code, address);
        registers.rip = continuation;
        return;
    }
    (handlers().fatal)(registers, address)
}

/// Non-maskable interrupt, machine check, double fault, and a debug exception in ring 0.
extern "C" fn own_stack_trap(registers: &mut Registers) {
    match registers.vector {
        // Raised between `syscall` and the stack switch by a guest's `mov ss`: nothing is owed for it.
        1 => crate::cpu::clear_debug_status(),
        2 => (handlers().nmi)(registers),
        18 => (handlers().machine_check)(registers),
        _ => (handlers().fatal)(registers, 0),
    }
}
