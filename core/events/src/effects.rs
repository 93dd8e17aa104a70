//! What an operation wants done outside the table, as data.

use vocabulary::{DomainId, Port, VcpuId};

/// One thing to do, in the domain that owns the table which answered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The vCPU's `evtchn_upcall_pending` went from 0 to 1: wake it if it blocks with upcalls unmasked,
    /// or make it leave guest mode if it runs on another processor.
    Notify(VcpuId),
    /// The vCPU polled (`SCHEDOP_poll`) for this event and is to be woken whatever its upcall mask; its
    /// poll is over.
    WakePoller(VcpuId),
    /// The hypervisor's own end of a channel was raised.
    Consume {
        /// The port that was raised.
        port: Port,
        /// The part of the hypervisor that owns it.
        consumer: u8,
    },
    /// The guest broke its own FIFO queue beyond repair; crash that domain, with this reason.
    Crash(&'static str),
}

/// An event on its way into another domain's table: hand it to that table's `receive`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the event is lost unless the other domain's table receives it"]
pub struct Forward {
    /// The domain whose table receives it.
    pub to: DomainId,
    /// The port there.
    pub port: Port,
    /// The domain that sends.
    pub from: DomainId,
    /// The port it sends from.
    pub from_port: Port,
}

/// What a delivery wants done: an iterator of [`Effect`]s, most often empty or one `Notify`.
///
/// It is lazy only in finding pollers: whoever drops it early leaves pollers asleep.
#[must_use = "effects not carried out are lost wake-ups"]
pub struct Effects<'t> {
    next: Option<Effect>,
    pollers: Option<(Port, &'t crate::poll::Pollers)>,
}

impl<'t> Effects<'t> {
    /// Nothing to do.
    pub const fn none() -> Self {
        Self {
            next: None,
            pollers: None,
        }
    }

    /// Whether there is nothing to do, and nobody to look for who polls.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.next.is_none() && self.pollers.is_none()
    }

    /// Takes the effect that was found when the event was raised, if there is one. Pollers come after it.
    #[inline]
    pub fn take_first(&mut self) -> Option<Effect> {
        self.next.take()
    }

    /// The next vCPU that polls for the event: its poll is over, and it is to be woken ([`Effect::WakePoller`]).
    #[inline]
    pub fn next_poller(&mut self) -> Option<VcpuId> {
        let (port, pollers) = self.pollers?;
        let (found, is_last) = pollers.take(port);
        if is_last {
            self.pollers = None;
        }
        found
    }

    /// One effect and, where `pollers` is given, every vCPU that polls for the port.
    pub(crate) const fn new(
        next: Option<Effect>,
        pollers: Option<(Port, &'t crate::poll::Pollers)>,
    ) -> Self {
        Self { next, pollers }
    }
}

impl Iterator for Effects<'_> {
    type Item = Effect;

    fn next(&mut self) -> Option<Effect> {
        self.take_first()
            .or_else(|| self.next_poller().map(Effect::WakePoller))
    }
}
