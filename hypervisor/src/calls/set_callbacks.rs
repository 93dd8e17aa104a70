//! `set_callbacks`: the older way to register three callbacks at once.

use calls::CallbackType;

use crate::hypercall::{Answer, Arguments, Caller};

use super::callback_op::set;

/// Arguments: event, failsafe and system call addresses; the event and failsafe callbacks mask events.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [event, failsafe, syscall, ..] = arguments.0;
    set(caller.vcpu, CallbackType::Event, event, true)?;
    set(caller.vcpu, CallbackType::Failsafe, failsafe, false)?;
    set(caller.vcpu, CallbackType::Syscall, syscall, false)?;
    Ok(0)
}
