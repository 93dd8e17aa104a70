//! `stack_switch`: where the guest kernel's stack is when a user program enters it.

use core::sync::atomic::Ordering::Relaxed;

use hw::copy;
use vocabulary::{refuse, Errno, Refused};

use crate::hypercall::{Answer, Arguments, Caller};
use crate::vcpu::Vcpu;

/// Arguments: stack selector, stack pointer.
#[inline]
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [selector, pointer, ..] = arguments.0;
    set(caller.vcpu, selector, pointer)?;
    Ok(0)
}

/// The largest frame that is pushed there in bytes, failsafe selectors included.
const LARGEST_FRAME: u64 = 128;

/// Sets the stack. The assembly pushes a frame below the pointer without asking again, so all of that must
/// be the guest's.
#[inline]
pub fn set(vcpu: &Vcpu, selector: u64, pointer: u64) -> Refused<()> {
    let pointer = pointer & !15;
    let bottom = pointer.wrapping_sub(LARGEST_FRAME);
    if pointer < LARGEST_FRAME || !copy::is_guest_range(bottom, LARGEST_FRAME) {
        return refuse(Errno::EPERM, "the kernel stack would reach into the hypervisor's part");
    }
    vcpu.context.kernel_ss.store(selector & 0xffff | 3, Relaxed);
    vcpu.context.kernel_sp.store(pointer, Relaxed);
    Ok(())
}
