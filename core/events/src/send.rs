//! Events on their way: sending, receiving, raising, unmasking.

use vocabulary::{refuse, Errno, Port, Refused, VcpuId};

use crate::channel::{Binding, Consumer};
use crate::effects::{Effect, Effects, Forward};
use crate::shared::{Bitmap, SharedInfo, BITMAP_WORDS};
use crate::slot::LockedWord;
use crate::table::EventTable;
use crate::two_level::{self, Raised};
use crate::word::{Bound, Word};
use crate::SharedPage;

/// What became of a send.
#[must_use = "the event is not delivered until its effects are carried out"]
pub enum Sent<'t> {
    /// It stayed in this domain, or went nowhere: carry out the effects.
    Here(Effects<'t>),
    /// It belongs to another table: let that `receive` it. A domain that is gone loses it, without error.
    Elsewhere(Forward),
}

impl<P: SharedPage> EventTable<P> {
    /// `EVTCHNOP_send` by the guest. Takes no lock for an event to another domain, one port's lock else.
    ///
    /// # Errors
    /// `EINVAL`: no such port, one that cannot send, or the hypervisor's own.
    #[inline]
    pub fn send(&self, info: &impl SharedInfo, port: Port) -> Refused<Sent<'_>> {
        let word = self.existing(port)?.peek();
        if !word.is_guests() {
            return refuse(Errno::EINVAL, "the port is the hypervisor's own");
        }
        self.send_as(info, port, word)
    }

    /// Sends from the hypervisor's own end of a channel.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_from_hypervisor(&self, info: &impl SharedInfo, port: Port) -> Refused<Sent<'_>> {
        let word = self.existing(port)?.peek();
        self.send_as(info, port, word)
    }

    #[inline]
    fn send_as(&self, info: &impl SharedInfo, port: Port, word: Word) -> Refused<Sent<'_>> {
        match word.binding() {
            Binding::Interdomain { remote, port: far } => {
                let from = self.domain();
                let forward = Forward {
                    to: remote,
                    port: far,
                    from,
                    from_port: port,
                };
                if remote == from {
                    return Ok(Sent::Here(self.receive(info, forward)));
                }
                Ok(Sent::Elsewhere(forward))
            }
            Binding::Ipi => Ok(Sent::Here(self.raise_if(
                info,
                port,
                Bound::to(Binding::Ipi),
            ))),
            // Nobody listens yet: whoever binds later finds the event pending anyway.
            Binding::Unbound { .. } => Ok(Sent::Here(Effects::none())),
            Binding::Free | Binding::Reserved | Binding::Pirq(_) | Binding::Virq(_) => {
                refuse(Errno::EINVAL, "the port is not one that sends")
            }
        }
    }

    /// Takes an event from another domain's table, if this domain's end is still connected to the sender.
    #[inline]
    pub fn receive(&self, info: &impl SharedInfo, forward: Forward) -> Effects<'_> {
        let Forward {
            from,
            from_port,
            port,
            ..
        } = forward;
        let expected = Binding::Interdomain {
            remote: from,
            port: from_port,
        };
        self.raise_if(info, port, Bound::to(expected))
    }

    /// Raises a vCPU's own virtual interrupt, if it is bound.
    pub fn raise_virq(&self, info: &impl SharedInfo, virq: u32, vcpu: VcpuId) -> Effects<'_> {
        match self.virq_port(virq, vcpu) {
            None => Effects::none(),
            Some(port) => self.raise_if(info, port, Bound::to(Binding::Virq(virq))),
        }
    }

    /// Raises a domain's global virtual interrupt, if it is bound.
    pub fn raise_global_virq(&self, info: &impl SharedInfo, virq: u32) -> Effects<'_> {
        self.raise_virq(info, virq, VcpuId(0))
    }

    /// Raises physical interrupt `pirq`, which was bound to `port`. Nothing happens if it is not any more.
    pub fn raise_pirq(&self, info: &impl SharedInfo, pirq: u32, port: Port) -> Effects<'_> {
        self.raise_if(info, port, Bound::to(Binding::Pirq(pirq)))
    }

    /// `EVTCHNOP_unmask`: clears the port's mask and delivers it if it is pending.
    ///
    /// # Errors
    /// `EINVAL`: no such port.
    pub fn unmask(&self, info: &impl SharedInfo, port: Port) -> Refused<Effects<'_>> {
        let mut locked = self.existing(port)?.lock_word::<P::Relax>();
        let word = locked.word;
        if word.is_bound(Binding::Free) || word.is_bound(Binding::Reserved) || !word.is_guests() {
            return Ok(Effects::none());
        }
        let raised = if self.is_fifo() {
            self.fifo_unmask(info, port, &mut locked)
        } else {
            let upcall = two_level::unmask(info, port, word.vcpu());
            Raised {
                newly: false,
                upcall,
                broken: None,
            }
        };
        drop(locked);
        Ok(self.effects(port, word.vcpu(), raised))
    }

    /// The vCPU's `vcpu_info` moved to another place (`VCPUOP_register_vcpu_info`): makes it look at every
    /// word of the bitmap once, so that nothing noted at the old place after its copy is lost.
    pub fn info_moved(&self, info: &impl SharedInfo, vcpu: VcpuId) -> Effects<'_> {
        info.fetch_or_selector(vcpu, u64::MAX);
        let upcall = !info.set_upcall_pending(vcpu);
        Effects::new(upcall.then_some(Effect::Notify(vcpu)), None)
    }

    /// Makes an event on `port`, which it locks, pending if the port is bound so.
    #[inline]
    pub(crate) fn raise_if(&self, info: &impl SharedInfo, port: Port, bound: Bound) -> Effects<'_> {
        let Some(slot) = self.slot(port) else {
            return Effects::none();
        };
        let mut locked = slot.lock_word::<P::Relax>();
        let word = locked.word;
        if !word.is(bound) {
            return Effects::none();
        }
        if let Consumer::Hypervisor(consumer) = word.consumer() {
            return Effects::new(Some(Effect::Consume { port, consumer }), None);
        }
        let raised = self.raise_locked(info, port, &mut locked);
        drop(locked);
        self.effects(port, word.vcpu(), raised)
    }

    /// Makes the event of a locked port pending, by the ABI in use.
    #[inline]
    pub(crate) fn raise_locked(
        &self,
        info: &impl SharedInfo,
        port: Port,
        locked: &mut LockedWord<'_>,
    ) -> Raised {
        if self.is_fifo() {
            self.fifo_raise(info, port, locked)
        } else {
            two_level::raise(info, port, locked.word.vcpu())
        }
    }

    /// The effects of a raised event. With the port unlocked.
    #[inline]
    pub(crate) fn effects(&self, port: Port, vcpu: VcpuId, raised: Raised) -> Effects<'_> {
        let first = match raised.broken {
            Some(rule) => Some(Effect::Crash(rule)),
            None => raised.upcall.then_some(Effect::Notify(vcpu)),
        };
        // Read after the event is pending: whoever begins to poll later finds it.
        let polled = raised.newly && self.pollers.any();
        Effects::new(first, polled.then_some((port, &self.pollers)))
    }

    /// Whether any unmasked event is pending in the two-level bitmaps: for a debug dump.
    pub fn any_pending(&self, info: &impl SharedInfo) -> bool {
        (0..BITMAP_WORDS)
            .any(|word| info.load(Bitmap::Pending, word) & !info.load(Bitmap::Mask, word) != 0)
    }
}
