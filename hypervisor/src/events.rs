//! Event channels between the guests' tables and the rest of the hypervisor: who is woken, who is interrupted.

use core::sync::atomic::{
    AtomicU16,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

use events::{virq_is_per_vcpu, Closed, Closer, Effect, Effects, Forward, Polling, Sent, VIRQS};
use memory::{Attempt, Budget};
use vocabulary::{refuse, DomainId, Errno, Port, Refused, VcpuId};

use crate::domain::Domain;
use crate::event_pages::Info;
use crate::vcpu::Vcpu;
use crate::{domains, irq, schedule};

/// Carries out what a delivery wants done in `domain`.
#[inline]
pub fn carry_out(domain: &Domain, effects: Effects<'_>) {
    if !effects.is_empty() {
        carry_out_all(domain, effects);
    }
}

fn carry_out_all(domain: &Domain, mut effects: Effects<'_>) {
    match effects.take_first() {
        None => {}
        Some(Effect::Notify(vcpu)) => notify(domain, vcpu),
        Some(Effect::WakePoller(vcpu)) => wake_poller(domain, vcpu),
        // The hypervisor owns no ends of channels yet.
        Some(Effect::Consume { .. }) => {}
        Some(Effect::Crash(rule)) => break_down(domain, rule),
    }
    while let Some(vcpu) = effects.next_poller() {
        wake_poller(domain, vcpu);
    }
}

#[inline]
fn wake_poller(domain: &Domain, id: VcpuId) {
    if let Some(vcpu) = domain.vcpu(id) {
        schedule::end_poll(&vcpu);
    }
}

/// The guest broke its own queue of events.
#[cold]
fn break_down(domain: &Domain, rule: &str) {
    crate::console::print(format_args!("(XEN) domain {} crashed: {rule}\n", domain.id));
    crate::crash::end_domain(domain);
}

#[inline]
fn notify(domain: &Domain, id: VcpuId) {
    if let Some(vcpu) = domain.vcpu(id) {
        schedule::wake(&vcpu);
    }
}

/// Hands an event on to the domain it is for.
pub fn forward(forward: Forward) {
    domains::with(forward.to, |domain| {
        carry_out(domain, domain.events.receive(&Info(domain), forward));
    });
}

/// Carries out a send.
#[inline]
pub fn sent(domain: &Domain, sent: Sent<'_>) {
    match sent {
        Sent::Here(effects) => carry_out(domain, effects),
        Sent::Elsewhere(to) => forward(to),
    }
}

/// Sends an event of the domain's as if it had done so itself; a port that cannot be sent is ignored.
pub fn send_in_name_of(domain: &Domain, port: Port) {
    if let Ok(effects) = domain.events.send(&Info(domain), port) {
        sent(domain, effects);
    }
}

/// Raises a virtual interrupt of a vCPU.
pub fn raise_virq(domain: &Domain, virq: u32, vcpu: VcpuId) {
    carry_out(domain, domain.events.raise_virq(&Info(domain), virq, vcpu));
}

/// Raises one of the machine's virtual interrupts in a domain.
fn raise_global_virq(domain: &Domain, virq: u32) {
    carry_out(domain, domain.events.raise_global_virq(&Info(domain), virq));
}

/// The domains that get the machine's virtual interrupts (`XEN_DOMCTL_set_virq_handler`), dom0 where none was set.
static HANDLERS: [AtomicU16; VIRQS] = [const { AtomicU16::new(0) }; VIRQS];

/// Raises a virtual interrupt that concerns the machine, in the domain that handles it.
pub fn send_global_virq(virq: u32) {
    let handler = HANDLERS.get(virq as usize);
    let id = DomainId(handler.map_or(0, |handler| handler.load(Acquire)));
    domains::with(id, |domain| raise_global_virq(domain, virq));
}

/// Lets a domain handle one of the machine's virtual interrupts from now on. EINVAL: there is none of that number that
/// concerns the machine.
pub fn set_virq_handler(domain: &Domain, virq: u32) -> Refused<()> {
    match HANDLERS.get(virq as usize) {
        Some(handler) if !virq_is_per_vcpu(virq) => {
            handler.store(domain.id.0, Release);
            Ok(())
        }
        _ => refuse(Errno::EINVAL, "no virtual interrupt of the machine"),
    }
}

/// Gives what a dying domain handles back to dom0.
fn forget_virq_handler(domain: &Domain) {
    for handler in &HANDLERS {
        // Whoever was made the handler since stays it.
        let _ = handler.compare_exchange(domain.id.0, 0, AcqRel, Relaxed);
    }
}

/// Raises a physical interrupt that is bound in the domain. Says whether it is bound.
pub fn raise_pirq(domain: &Domain, pirq: u32) -> bool {
    let Some(port) = domain.events.pirq_port(pirq) else {
        return false;
    };
    carry_out(domain, domain.events.raise_pirq(&Info(domain), pirq, port));
    true
}

/// Closes a port and tells whoever has to know.
pub fn close(domain: &Domain, port: Port, closer: Closer) -> Refused<()> {
    let closed = domain.events.close(&Info(domain), port, closer)?;
    after_close(domain, closed);
    Ok(())
}

/// Closes every port of a dying domain, tells the other ends, and gives the FIFO ABI's pages back. No new port can
/// be opened from then on. The machine's virtual interrupts that it handled are dom0's again. Call it before the domain's memory goes: the pages hold references.
/// [`Stop::Again`](memory::Stop::Again): call again to go on.
pub fn close_all(domain: &Domain, budget: &mut Budget) -> Attempt<()> {
    domain.events.seal();
    forget_virq_handler(domain);
    close_from(domain, Port(1), Closer::Hypervisor, budget).map_err(|(stop, _)| stop)?;
    Ok(domain.events.retire_fifo()?)
}

/// Closes the ports from `first` on; where the budget ends first, says at which port to go on.
pub fn close_from(
    domain: &Domain,
    first: Port,
    closer: Closer,
    budget: &mut Budget,
) -> Result<(), (memory::Stop, Port)> {
    let mut from = first;
    while let Some(port) = domain.events.next_open(from) {
        budget
            .check()
            .map_err(|exhausted| (exhausted.into(), port))?;
        // A port that closed meanwhile needs nothing, and the hypervisor's own ends are not the guest's to close.
        let _ = close(domain, port, closer);
        budget.charge(8);
        from = Port(port.0 + 1);
    }
    Ok(())
}

fn after_close(domain: &Domain, closed: Closed) {
    if let events::Binding::Pirq(pirq) = closed.channel.binding {
        irq::unbound(domain, pirq);
    }
    if let Some(news) = closed.hang_up {
        if news.to == domain.id {
            domain.events.peer_closed(news);
        } else if let Some(other) = domains::find(news.to) {
            other.events.peer_closed(news);
        }
    }
}

/// Begins the vCPU's wait for one of `ports` (`SCHEDOP_poll`).
pub fn poll_begin(vcpu: &Vcpu, ports: &[Port]) -> Refused<Polling> {
    vcpu.domain
        .events
        .poll_begin(&Info(&vcpu.domain), vcpu.id, ports)
}

/// The vCPU's `vcpu_info` moved: it looks at everything once.
pub fn info_moved(vcpu: &Vcpu) {
    let domain = &vcpu.domain;
    carry_out(domain, domain.events.info_moved(&Info(domain), vcpu.id));
}
