//! What becomes of a fault in the hypervisor itself. The stubs that lead here are in `traps.S`.

use super::{exception_table, handlers};
use crate::percpu;
use crate::registers::Registers;

/// A fault in ring 0: allowed only at the instructions that touch guest memory or leave for a guest.
pub(super) extern "C" fn hypervisor_trap(registers: &mut Registers, address: u64) {
    if let Some(continuation) = exception_table::continuation(registers.rip) {
        percpu::PerCpu::current().note_fault(registers.vector, registers.error_code, address);
        registers.rip = continuation;
        return;
    }
    (handlers().fatal)(registers, address)
}

/// Non-maskable interrupt, machine check, double fault, and a debug exception in ring 0.
pub(super) extern "C" fn own_stack_trap(registers: &mut Registers) {
    match registers.vector {
        // Raised between `syscall` and the stack switch by a guest's `mov ss`: nothing is owed for it.
        1 => crate::cpu::clear_debug_status(),
        2 => (handlers().nmi)(registers),
        18 => (handlers().machine_check)(registers),
        _ => (handlers().fatal)(registers, 0),
    }
}
