//! `event_channel_op`: binding, sending and closing event channels.

use core::sync::atomic::Ordering::Relaxed;

use calls::EventChannelOp;
use events::{Binding, Closer};
use memory::Budget;
use vocabulary::{DomainId, Errno, Mfn, Port, Refusal, Refused, VcpuId};
use xen_abi::event_channel as abi;

use crate::domain::Domain;
use crate::event_pages::{EventPage, Info};
use crate::hypercall::{self, Answer, Arguments, Caller};
use crate::vcpu::Vcpu;
use crate::{authority, events as glue, guest, heap, irq};

/// Arguments: operation, its structure.
#[inline]
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [operation, structure, ..] = arguments.0;
    // The hot one has a way of its own.
    if operation as u32 == EventChannelOp::Send.number() {
        let domain: &Domain = &caller.vcpu.domain;
        let request = guest::read::<abi::EvtchnSend>(structure)?;
        return match domain.events.send(&Info(domain), Port(request.port)) {
            Ok(sent) => {
                glue::sent(domain, sent);
                Ok(0)
            }
            Err(refusal) => Err(refusal.into()),
        };
    }
    heap::growing(|| other(caller, arguments))
}

fn other(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [operation, structure, ..] = arguments.0;
    let vcpu = caller.vcpu;
    let domain: &Domain = &vcpu.domain;
    match EventChannelOp::from_number(operation as u32).map_err(Refusal::from)? {
        // Never comes here.
        EventChannelOp::Send => {}
        EventChannelOp::Unmask => {
            let request = guest::read::<abi::EvtchnUnmask>(structure)?;
            unmask(domain, Port(request.port))?;
        }
        EventChannelOp::BindInterdomain => bind_interdomain(vcpu, structure)?,
        EventChannelOp::BindVirq => bind_virq(domain, structure)?,
        EventChannelOp::BindPirq => bind_pirq(domain, structure)?,
        EventChannelOp::Close => {
            let request = guest::read::<abi::EvtchnClose>(structure)?;
            glue::close(domain, Port(request.port), Closer::Guest)?;
        }
        EventChannelOp::Status => status(vcpu, structure)?,
        EventChannelOp::AllocUnbound => alloc_unbound(vcpu, structure)?,
        EventChannelOp::BindIpi => {
            let mut request = guest::read::<abi::EvtchnBindIpi>(structure)?;
            request.port = domain.events.bind_ipi(VcpuId(request.vcpu))?.0;
            guest::write(structure, &request)?;
        }
        EventChannelOp::BindVcpu => bind_vcpu(domain, structure)?,
        EventChannelOp::Reset => return reset(vcpu, arguments),
        EventChannelOp::InitControl => init_control(domain, structure)?,
        EventChannelOp::ExpandArray => expand_array(domain, structure)?,
        EventChannelOp::SetPriority => {
            let request = guest::read::<abi::EvtchnSetPriority>(structure)?;
            domain
                .events
                .set_priority(Port(request.port), request.priority)?;
        }
    }
    Ok(0)
}

fn alloc_unbound(vcpu: &Vcpu, structure: u64) -> Refused<()> {
    let mut request = guest::read::<abi::EvtchnAllocUnbound>(structure)?;
    let target = authority::target(vcpu, DomainId(request.dom))?;
    let remote = resolve(vcpu, DomainId(request.remote_dom));
    request.port = target.events.alloc_unbound(remote)?.0;
    guest::write(structure, &request)
}

fn bind_virq(domain: &Domain, structure: u64) -> Refused<()> {
    let mut request = guest::read::<abi::EvtchnBindVirq>(structure)?;
    let vcpu = VcpuId(request.vcpu);
    request.port = domain.events.bind_virq(request.virq, vcpu)?.0;
    guest::write(structure, &request)
}

fn bind_vcpu(domain: &Domain, structure: u64) -> Refused<()> {
    let request = guest::read::<abi::EvtchnBindVcpu>(structure)?;
    let vcpu = VcpuId(request.vcpu);
    let channel = domain.events.bind_vcpu(Port(request.port), vcpu)?;
    if let Binding::Pirq(pirq) = channel.binding {
        irq::follow(domain, pirq, vcpu);
    }
    Ok(())
}

fn resolve(vcpu: &Vcpu, id: DomainId) -> DomainId {
    if id == DomainId::SELF {
        vcpu.domain.id
    } else {
        id
    }
}

fn unmask(domain: &Domain, port: Port) -> Refused<()> {
    glue::carry_out(domain, domain.events.unmask(&Info(domain), port)?);
    Ok(())
}

fn bind_interdomain(vcpu: &Vcpu, structure: u64) -> Refused<()> {
    let mut request = guest::read::<abi::EvtchnBindInterdomain>(structure)?;
    let domain: &Domain = &vcpu.domain;
    let remote_id = resolve(vcpu, DomainId(request.remote_dom));
    let Some(remote) = crate::domains::find(remote_id) else {
        return vocabulary::refuse(Errno::ESRCH, "the remote domain does not exist");
    };
    let (port, effects) =
        domain
            .events
            .bind_interdomain(&Info(domain), &remote.events, Port(request.remote_port))?;
    glue::carry_out(domain, effects);
    request.local_port = port.0;
    guest::write(structure, &request)
}

fn bind_pirq(domain: &Domain, structure: u64) -> Refused<()> {
    let mut request = guest::read::<abi::EvtchnBindPirq>(structure)?;
    irq::check_bindable(domain, request.pirq)?;
    let port = domain.events.bind_pirq(request.pirq)?;
    let shared = u64::from(request.flags) & u64::from(abi::BIND_PIRQ__WILL_SHARE) != 0;
    if let Err(refusal) = irq::bound(domain, request.pirq, VcpuId(0), shared) {
        glue::close(domain, port, Closer::Hypervisor)?;
        return Err(refusal);
    }
    request.port = port.0;
    guest::write(structure, &request)
}

fn status(vcpu: &Vcpu, structure: u64) -> Refused<()> {
    let mut request = guest::read::<abi::EvtchnStatus>(structure)?;
    let target = authority::target(vcpu, DomainId(request.dom))?;
    let channel = target.events.status(Port(request.port))?;
    request.vcpu = channel.vcpu.0;
    request.u = [0; 2];
    let (status, detail) = match channel.binding {
        Binding::Free | Binding::Reserved => (abi::EVTCHNSTAT_closed, [0; 2]),
        Binding::Unbound { remote } => (abi::EVTCHNSTAT_unbound, [u32::from(remote.0), 0]),
        Binding::Interdomain { remote, port } => {
            (abi::EVTCHNSTAT_interdomain, [u32::from(remote.0), port.0])
        }
        Binding::Pirq(pirq) => (abi::EVTCHNSTAT_pirq, [pirq, 0]),
        Binding::Virq(virq) => (abi::EVTCHNSTAT_virq, [virq, 0]),
        Binding::Ipi => (abi::EVTCHNSTAT_ipi, [0; 2]),
    };
    request.status = status;
    request.u = detail;
    guest::write(structure, &request)
}

/// Ports looked at before a reset is continued.
const RESET_BUDGET: u32 = 4096;
/// Where in the operation's argument a reset that is continued keeps its next port: the number is a 32-bit one.
const RESET_SHIFT: u32 = 32;

/// `EVTCHNOP_reset`: closes every port of a domain and goes back to the two-level ABI. Another domain than the caller
/// must be paused by its controller.
fn reset(vcpu: &Vcpu, arguments: &mut Arguments) -> Answer {
    let request = guest::read::<abi::EvtchnReset>(arguments.get(1))?;
    let target = authority::target(vcpu, DomainId(request.dom))?;
    if target.id != vcpu.domain.id && target.pauses.load(Relaxed) == 0 {
        return hypercall::refuse(Errno::EINVAL, "only a paused domain is reset by another");
    }
    let first = Port((arguments.get(0) >> RESET_SHIFT) as u32);
    let mut budget = Budget::new(RESET_BUDGET);
    if let Err((stop, next)) = glue::close_from(&target, first, Closer::Guest, &mut budget) {
        let operation = arguments.get(0) & u64::from(u32::MAX);
        arguments.set(0, operation | u64::from(next.0) << RESET_SHIFT);
        return Err(stop);
    }
    target.events.retire_fifo()?;
    Ok(0)
}

fn init_control(domain: &Domain, structure: u64) -> Refused<()> {
    let mut request = guest::read::<abi::EvtchnInitControl>(structure)?;
    let vcpu = VcpuId(request.vcpu);
    domain.events.check_control(vcpu, request.offset)?;
    let page = EventPage::take(domain, Mfn(request.control_gfn))?;
    request.link_bits = domain
        .events
        .init_control(&Info(domain), vcpu, page, request.offset)?;
    guest::write(structure, &request)
}

fn expand_array(domain: &Domain, structure: u64) -> Refused<()> {
    let request = guest::read::<abi::EvtchnExpandArray>(structure)?;
    let page = EventPage::take(domain, Mfn(request.array_gfn))?;
    let expanded = domain.events.expand_array(page)?;
    for effects in domain.events.replay(&Info(domain), expanded) {
        glue::carry_out(domain, effects);
    }
    Ok(())
}
