//! Who waits for a processor, for people who look (debug key `r`).

use core::fmt;

use sched::{CpuId, Order, Standing, SHOWN};
use vocabulary::{DomainId, Nanos, VcpuId};

use super::{State, STATE};
use crate::vcpu::Vcpu;
use crate::{clock, console};

/// A vCPU by name, and by what its policy chooses it.
#[derive(Clone, Copy)]
struct Named {
    domain: DomainId,
    vcpu: VcpuId,
    order: Option<Order>,
    now: Nanos,
}

impl Named {
    fn find(state: &State, standing: &Standing, now: Nanos) -> Option<Self> {
        let member = state.members.get(standing.vcpu.0)?;
        let vcpu = member.vcpu.as_ref()?;
        Some(Self {
            domain: vcpu.domain.id,
            vcpu: vcpu.id,
            order: standing.order,
            now,
        })
    }
}

impl fmt::Display for Named {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "d{}v{}", self.domain, self.vcpu)?;
        match self.order {
            Some(Order::Ahead(nanos)) => write!(out, " ({:+} us)", nanos / 1000),
            Some(Order::Deadline {
                round,
                deadline,
                left,
            }) => {
                let until = deadline.0.wrapping_sub(self.now.0) as i64;
                let (left, until) = (left / 1000, until / 1000);
                write!(out, " (round {round}, {left} us left, due in {until} us)")
            }
            Some(Order::Ticket(number)) => write!(out, " (number {number})"),
            None => Ok(()),
        }
    }
}

/// Prints what a processor runs and who waits for it, in order, with how far each is ahead of the processor's virtual
/// time, or its budget and deadline, or the number it drew. The scheduler is locked for one look, not while this prints.
pub fn show(cpu: CpuId) {
    let now = clock::now();
    let mut first = [None; SHOWN];
    let state = STATE.lock();
    let view = state.policy.view(cpu);
    let current = view
        .current
        .and_then(|found| Named::find(&state, &found, now));
    for (place, found) in first.iter_mut().zip(view.waiting()) {
        *place = Named::find(&state, found, now);
    }
    drop(state);
    match current {
        Some(named) => console::print(format_args!("(XEN)   processor {}: runs {named}", cpu.0)),
        None => console::print(format_args!("(XEN)   processor {}: idle", cpu.0)),
    }
    let mut told = 0;
    for named in first.iter().flatten() {
        let before = if told == 0 { "; queued:" } else { "," };
        console::print(format_args!("{before} {named}"));
        told += 1;
    }
    match view.count.saturating_sub(told) {
        0 => console::print(format_args!("\n")),
        more => console::print(format_args!(" and {more} more\n")),
    }
}

/// Whether its policy keeps a vCPU that could run from running, though a processor may be idle.
pub fn is_withheld(vcpu: &Vcpu) -> bool {
    let now = clock::now();
    STATE.lock().policy.is_withheld(vcpu.key, now)
}
