//! `sched_op_compat`: `sched_op` as it was before it took structures.

use calls::SchedOp;
use vocabulary::Errno;

use crate::hypercall::{refuse, Answer, Arguments, Caller};
use crate::schedule;

use super::sched_op;

/// Arguments: operation; the reason, for a shutdown.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [operation, reason, ..] = arguments.0;
    match SchedOp::from_number(operation as u32) {
        Ok(SchedOp::Yield) => schedule::yield_now(caller.vcpu),
        Ok(SchedOp::Block) => sched_op::block(caller.vcpu),
        Ok(SchedOp::Shutdown) => sched_op::shut_down(caller.vcpu, reason as u8),
        _ => {
            return refuse(
                Errno::ENOSYS,
                "the old call yields, blocks and shuts down, nothing else",
            )
        }
    }
    Ok(0)
}
