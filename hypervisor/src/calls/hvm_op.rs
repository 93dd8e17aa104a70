//! `hvm_op`: operations on hardware-assisted domains, of which there are none, and two for any caller.

use calls::HvmOp;
use vocabulary::{refuse, DomainId, Errno, Refusal, Refused};

use crate::hypercall::{Answer, Arguments, Caller};
use crate::vcpu::Vcpu;
use crate::{authority, clock, guest};

/// Events of traces that a guest may name (public `trace.h`: the lower 12 bits of a class of its own).
const EVENTS: u16 = 0xfff;

/// Arguments: operation, structure.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [operation, structure, ..] = arguments.0;
    let vcpu = caller.vcpu;
    match HvmOp::from_number(operation as u32).map_err(Refusal::from)? {
        HvmOp::GetTime => guest::write(structure, &clock::now().0)?,
        HvmOp::Xentrace => check_trace(structure)?,
        HvmOp::SetParam | HvmOp::GetParam | HvmOp::PagetableDying | HvmOp::GetMemType => {
            on_domain(vcpu, structure)?;
        }
        HvmOp::FlushTlbs | HvmOp::SetEvtchnUpcallVector | HvmOp::GuestRequestVmEvent => {
            not_hardware_assisted()?;
        }
        HvmOp::Altp2m => refuse(
            Errno::EOPNOTSUPP,
            "there are no alternative views of a domain's memory",
        )?,
    }
    Ok(0)
}

/// The structures of these begin with the domain's number.
fn on_domain(vcpu: &Vcpu, structure: u64) -> Refused<()> {
    let id = DomainId(guest::read::<u16>(structure)?);
    authority::target(vcpu, id)?;
    not_hardware_assisted()
}

fn not_hardware_assisted() -> Refused<()> {
    refuse(Errno::EINVAL, "the domain is para-virtualized")
}

/// A trace record: event, bytes behind it. Nothing is traced, so there is nowhere to put it.
fn check_trace(structure: u64) -> Refused<()> {
    let [event, extra] = guest::read::<[u16; 2]>(structure)?;
    if event > EVENTS || extra > 28 {
        return refuse(Errno::EINVAL, "no such event, or too much to say of it");
    }
    Ok(())
}
