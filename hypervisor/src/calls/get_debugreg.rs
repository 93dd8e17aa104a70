//! `get_debugreg`: what a debug register of the vCPU holds.

use core::sync::atomic::Ordering::Relaxed;

use vocabulary::Errno;

use crate::hypercall::{refuse, Answer, Arguments, Caller};

/// Argument: the register, 0 to 7.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    match super::set_debugreg::slot(arguments.get(0) as u32) {
        Some(slot) => Ok(caller
            .vcpu
            .context
            .debug
            .get(slot)
            .map_or(0, |value| value.load(Relaxed))),
        None => refuse(Errno::ENODEV, "there is no such debug register"),
    }
}
