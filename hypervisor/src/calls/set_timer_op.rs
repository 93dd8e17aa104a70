//! `set_timer_op`: the single-shot timer, the short way.

use vocabulary::Nanos;

use crate::clock;
use crate::hypercall::{Answer, Arguments, Caller};

/// A deadline further away than this is taken for a mistake of the guest's arithmetic (2^50 ns, 13 days).
const FARTHEST: u64 = 1 << 50;
/// When the timer fires then: the guest sees that it is early and sets it again.
const SOON: u64 = 100_000_000;

/// Argument: the deadline in system time; 0 stops the timer.
#[inline]
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let deadline = arguments.get(0);
    let vcpu = caller.vcpu;
    if deadline == 0 {
        vcpu.time.singleshot.stop();
        return Ok(0);
    }
    let farthest = clock::now().0.saturating_add(FARTHEST);
    let deadline = if deadline > farthest {
        clock::now().0.saturating_add(SOON)
    } else {
        deadline
    };
    vcpu.time.singleshot.set(vcpu.key, Nanos(deadline))?;
    Ok(0)
}
