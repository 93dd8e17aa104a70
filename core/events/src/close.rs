//! Taking ports out of use.

use core::sync::atomic::Ordering;

use vocabulary::{refuse, DomainId, Errno, Port, Refused};

use crate::bind::virq_is_per_vcpu;
use crate::channel::{Binding, Channel, Consumer};
use crate::shared::SharedInfo;
use crate::table::EventTable;
use crate::SharedPage;

/// Who closes a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closer {
    /// The guest, or its controller on its behalf: the hypervisor's own ports are out of reach.
    Guest,
    /// The hypervisor: its own port, or all of a domain that dies.
    Hypervisor,
}

/// A closed port's past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the other end still believes it is connected"]
pub struct Closed {
    /// What the port was. If it was a physical interrupt, unbind that.
    pub channel: Channel,
    /// If it was connected: what to tell the other domain's table (`peer_closed`).
    pub hang_up: Option<HangUp>,
}

/// The news for a port's other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the other end still believes it is connected"]
pub struct HangUp {
    /// The domain of the other end.
    pub to: DomainId,
    /// The port of the other end.
    pub port: Port,
    /// The domain whose port was closed.
    pub from: DomainId,
    /// The port that was closed.
    pub from_port: Port,
}

impl<P: SharedPage> EventTable<P> {
    /// `EVTCHNOP_close`: frees the port and clears its pending bit.
    ///
    /// # Errors
    /// `EINVAL`: no such port, not in use, or (for a guest) the hypervisor's own.
    pub fn close(&self, info: &impl SharedInfo, port: Port, closer: Closer) -> Refused<Closed> {
        let slot = self.existing(port)?;
        let mut control = self.control();
        let locked = slot.lock::<P::Relax>();
        let channel = *locked;
        if closer == Closer::Guest && channel.consumer != Consumer::Guest {
            return refuse(Errno::EINVAL, "the port is the hypervisor's own");
        }
        let mut hang_up = None;
        match channel.binding {
            Binding::Free | Binding::Reserved => {
                return refuse(Errno::EINVAL, "the port is not in use")
            }
            Binding::Unbound { .. } | Binding::Ipi => {}
            Binding::Interdomain { remote, port: far } => {
                let from = self.domain();
                hang_up = Some(HangUp {
                    to: remote,
                    port: far,
                    from,
                    from_port: port,
                });
            }
            Binding::Pirq(pirq) => {
                if let Some(bound) = control.pirqs.get_mut(pirq as usize) {
                    *bound = 0;
                }
            }
            Binding::Virq(virq) => {
                // A global interrupt is noted at vCPU 0, wherever it was moved since.
                let vcpu = if virq_is_per_vcpu(virq) {
                    channel.vcpu.0
                } else {
                    0
                };
                let state = self.vcpus.get(vcpu as usize);
                if let Some(bound) = state.and_then(|state| state.virqs.get(virq as usize)) {
                    bound.store(0, Ordering::Release);
                }
            }
        }
        self.release(&mut control, info, port, locked);
        Ok(Closed { channel, hang_up })
    }

    /// The other end of a connection was closed: this end waits for that domain again. Nothing happens if
    /// this end was closed or connected anew meanwhile.
    pub fn peer_closed(&self, news: HangUp) {
        let Some(slot) = self.slot(news.port) else {
            return;
        };
        let mut locked = slot.lock::<P::Relax>();
        if locked.binding
            == (Binding::Interdomain {
                remote: news.from,
                port: news.from_port,
            })
        {
            locked.binding = Binding::Unbound { remote: news.from };
        }
    }
}
