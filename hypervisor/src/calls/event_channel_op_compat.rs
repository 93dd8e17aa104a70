//! `event_channel_op_compat`: `event_channel_op` as it was when operation and structure came in one.

use vocabulary::Errno;
use xen_abi::event_channel::EVTCHNOP_unmask;

use super::event_channel_op;
use crate::guest;
use crate::hypercall::{refuse, Answer, Arguments, Caller};

/// Where the operation's structure begins: behind its number (`struct evtchn_op`).
const STRUCTURE: u64 = 4;

/// Argument: the operation's number, and behind it its structure.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let place = arguments.get(0);
    let operation = guest::read::<u32>(place)?;
    if operation > EVTCHNOP_unmask {
        return refuse(Errno::ENOSYS, "the old call has no such operation");
    }
    let mut newer = Arguments([
        u64::from(operation),
        place.wrapping_add(STRUCTURE),
        0,
        0,
        0,
        0,
    ]);
    event_channel_op::handle(caller, &mut newer)
}
