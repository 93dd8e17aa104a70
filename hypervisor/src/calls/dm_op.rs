//! `dm_op`: what a device model does to its hardware-assisted domain. There are none.

use vocabulary::{refuse, DomainId, Errno, Refused};

use crate::hypercall::{Answer, Arguments, Caller};
use crate::{authority, guest};

/// The most buffers of an operation.
const BUFFERS: u64 = 2;

/// Arguments: domain, number of buffers, their addresses and sizes.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [domain, count, buffers, ..] = arguments.0;
    let count = u64::from(count as u32);
    if count > BUFFERS {
        return Ok(refuse(
            Errno::E2BIG,
            "an operation has at most two buffers",
        )?);
    }
    for index in 0..count {
        let place = guest::element::<[u64; 2]>(buffers, index);
        guest::read::<[u64; 2]>(place)?;
    }
    if count == 0 {
        return Ok(refuse(Errno::ENODATA, "there is no operation")?);
    }
    operate(caller, DomainId(domain as u16))?;
    Ok(0)
}

fn operate(caller: &Caller<'_>, id: DomainId) -> Refused<()> {
    let target = authority::target(caller.vcpu, id)?;
    if target.id == caller.vcpu.domain.id {
        return refuse(Errno::EPERM, "a domain is no device model of its own");
    }
    refuse(Errno::EINVAL, "the domain is para-virtualized")
}
