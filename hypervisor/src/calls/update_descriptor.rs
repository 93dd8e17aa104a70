//! `update_descriptor`: one entry of a descriptor table.

use vocabulary::{Errno, MachineAddr};

use crate::hypercall::{refuse, Answer, Arguments, Caller};
use crate::machine;

/// Arguments: machine address of the entry, the descriptor.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [address, descriptor, ..] = arguments.0;
    if address & 7 != 0 {
        return refuse(
            Errno::EINVAL,
            "a descriptor's address is a multiple of eight",
        );
    }
    let address = MachineAddr(address);
    let mut paging = caller.vcpu.domain.paging.lock();
    machine::mmu().update_descriptor(
        &mut paging,
        address.frame(),
        address.offset() >> 3,
        descriptor,
    )?;
    Ok(0)
}
