//! `xenpmu_op`: the processor's performance counters for guests. They are off, as in Xen without `vpmu`.

use vocabulary::Errno;

use crate::hypercall::{refuse, Answer, Arguments, Caller};

/// Arguments: operation, structure.
pub fn handle(_: &mut Caller<'_>, _: &mut Arguments) -> Answer {
    refuse(
        Errno::EOPNOTSUPP,
        "guests do not get the processor's performance counters",
    )
}
