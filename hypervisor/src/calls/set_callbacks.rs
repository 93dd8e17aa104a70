//! `set_callbacks`: the older way to register three callbacks at once.

use calls::CallbackType;

use crate::hypercall::{Answer, Arguments, Caller};

use super::callback_op::set;

/// Arguments: event, failsafe and system call addresses; the event and failsafe callbacks mask events.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [event, failsafe, syscall, ..] = arguments.0;
    for (kind, address, masks) in [
        (CallbackType::Event, event, true),
        (CallbackType::Failsafe, failsafe, false),
        (CallbackType::Syscall, syscall, false),
    ] {
        // This older call says nothing of an address that cannot be: the callback stays as it was.
        let _ = set(caller.vcpu, kind, address, masks);
    }
    Ok(0)
}
