//! `stack_switch`: where the guest kernel's stack is when a user program enters it.

use core::sync::atomic::Ordering::Relaxed;

use hw::copy;

use crate::hypercall::{Answer, Arguments, Caller};
use crate::vcpu::Vcpu;

/// Arguments: stack selector, stack pointer.
#[inline]
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [selector, pointer, ..] = arguments.0;
    set(caller.vcpu, selector, pointer);
    Ok(0)
}

/// The largest frame that is pushed there in bytes, failsafe selectors included.
const LARGEST_FRAME: u64 = 128;

/// A stack that no frame can be pushed to, for one the guest may not have: it lies in no address space.
const NO_STACK: u64 = 1 << 63;

/// Sets the stack. The assembly pushes a frame below the pointer without asking again, so all of that must be the
/// guest's. Any pointer is accepted, as the interface has it: a bad one matters, and ends the domain, when it is used.
#[inline]
pub fn set(vcpu: &Vcpu, selector: u64, pointer: u64) {
    let pointer = pointer & !15;
    let bottom = pointer.wrapping_sub(LARGEST_FRAME);
    let is_guests = pointer >= LARGEST_FRAME && copy::is_guest_range(bottom, LARGEST_FRAME);
    vcpu.context.kernel_ss.store(selector & 0xffff | 3, Relaxed);
    vcpu.context
        .kernel_sp
        .store(if is_guests { pointer } else { NO_STACK }, Relaxed);
}
