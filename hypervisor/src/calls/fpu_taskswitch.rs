//! `fpu_taskswitch`: the guest's CR0.TS.

use core::sync::atomic::Ordering::Relaxed;

use hw::switch;

use crate::hypercall::{Answer, Arguments, Caller};

/// CR0.TS.
const TASK_SWITCHED: u64 = 1 << 3;

/// Argument: whether the next vector instruction faults.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let value = if arguments.get(0) as u32 != 0 {
        TASK_SWITCHED
    } else {
        0
    };
    if caller.vcpu.context.cr0.swap(value, Relaxed) != value {
        switch::set_control(&caller.vcpu.context);
    }
    Ok(0)
}
