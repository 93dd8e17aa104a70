//! Taking ports into use: unbound ports, connections, virtual and physical interrupts, IPIs.

use core::sync::atomic::Ordering;

use vocabulary::{refuse, DomainId, Errno, Port, Refused, VcpuId};
use xen_abi::xen;

use crate::channel::{Binding, Channel, Consumer};
use crate::effects::Effects;
use crate::number::VIRQS;
use crate::shared::SharedInfo;
use crate::table::EventTable;
use crate::word::Bound;
use crate::word::OPERAND_LIMIT;
use crate::SharedPage;

/// Virtual interrupts that each vCPU has of its own: TIMER, DEBUG, XENOPROF, XENPMU (public `xen.h`, "V.").
const PER_VCPU: u32 =
    1 << xen::VIRQ_TIMER | 1 << xen::VIRQ_DEBUG | 1 << xen::VIRQ_XENOPROF | 1 << xen::VIRQ_XENPMU;

/// Whether a virtual interrupt is one a vCPU; else it is one a domain.
pub const fn virq_is_per_vcpu(virq: u32) -> bool {
    virq < 32 && PER_VCPU >> virq & 1 == 1
}

impl<P: SharedPage> EventTable<P> {
    /// `EVTCHNOP_alloc_unbound`: a port that `remote` may bind to. The caller has resolved `DOMID_SELF`
    /// and checked that the asker may act for this domain.
    ///
    /// # Errors
    /// `ENOSPC`, `ENOMEM`: no port. `EINVAL`: the domain dies.
    pub fn alloc_unbound(&self, remote: DomainId) -> Refused<Port> {
        self.allocate(
            &mut self.control(),
            Channel::bound(Binding::Unbound { remote }, VcpuId(0)),
        )
    }

    /// A port as above whose events the hypervisor itself consumes, as [`crate::Effect::Consume`] with
    /// `consumer` (1 to 7). The guest can neither close nor send on it.
    ///
    /// # Errors
    /// As [`Self::alloc_unbound`].
    pub fn alloc_for_hypervisor(
        &self,
        remote: DomainId,
        vcpu: VcpuId,
        consumer: u8,
    ) -> Refused<Port> {
        self.vcpu(vcpu)?;
        let mut channel = Channel::bound(Binding::Unbound { remote }, vcpu);
        channel.consumer = Consumer::Hypervisor(consumer.clamp(1, 7));
        self.allocate(&mut self.control(), channel)
    }

    /// `EVTCHNOP_bind_interdomain`: connects a fresh port to `port` of `remote`, which may be this very
    /// table. The new port starts pending. The effects concern this domain.
    ///
    /// # Errors
    /// `EINVAL`: the remote port is not one that waits for this domain. `ENOSPC`, `ENOMEM`: no port.
    pub fn bind_interdomain(
        &self,
        info: &impl SharedInfo,
        remote: &Self,
        port: Port,
    ) -> Refused<(Port, Effects<'_>)> {
        let slot = remote.existing(port)?;
        let waits = Binding::Unbound {
            remote: self.domain(),
        };
        if slot.peek().binding() != waits {
            return refuse(
                Errno::EINVAL,
                "the remote port does not wait for this domain",
            );
        }
        let mut control = self.control();
        let binding = Binding::Interdomain {
            remote: remote.domain(),
            port,
        };
        let local = self.allocate(&mut control, Channel::bound(binding, VcpuId(0)))?;
        // The remote end is bound last: until then nothing can come from it, and if it changed its mind
        // the local end disappears unseen.
        let mut far = slot.lock::<P::Relax>();
        if far.binding != waits {
            drop(far);
            self.release(
                &mut control,
                info,
                local,
                self.existing(local)?.lock::<P::Relax>(),
            );
            return refuse(
                Errno::EINVAL,
                "the remote port does not wait for this domain",
            );
        }
        far.binding = Binding::Interdomain {
            remote: self.domain(),
            port: local,
        };
        drop(far);
        drop(control);
        Ok((local, self.raise_if(info, local, Bound::to(binding))))
    }

    /// `EVTCHNOP_bind_virq`: a port for a virtual interrupt.
    ///
    /// # Errors
    /// `EINVAL`: no such interrupt, or a global one not on vCPU 0. `ENOENT`: no such vCPU. `EEXIST`: bound
    /// already. `ENOSPC`, `ENOMEM`: no port.
    pub fn bind_virq(&self, virq: u32, vcpu: VcpuId) -> Refused<Port> {
        if virq as usize >= VIRQS {
            return refuse(Errno::EINVAL, "no such virtual interrupt");
        }
        if !virq_is_per_vcpu(virq) && vcpu.0 != 0 {
            return refuse(
                Errno::EINVAL,
                "a global virtual interrupt is bound on vCPU 0",
            );
        }
        let Some(bound) = self.vcpu(vcpu)?.virqs.get(virq as usize) else {
            return refuse(Errno::EINVAL, "no such virtual interrupt");
        };
        let mut control = self.control();
        if bound.load(Ordering::Relaxed) != 0 {
            return refuse(Errno::EEXIST, "the virtual interrupt is bound already");
        }
        let port = self.allocate(&mut control, Channel::bound(Binding::Virq(virq), vcpu))?;
        bound.store(port.0, Ordering::Release);
        Ok(port)
    }

    /// `EVTCHNOP_bind_ipi`: a port by which the domain's vCPUs notify `vcpu`.
    ///
    /// # Errors
    /// `ENOENT`: no such vCPU. `ENOSPC`, `ENOMEM`: no port.
    pub fn bind_ipi(&self, vcpu: VcpuId) -> Refused<Port> {
        self.vcpu(vcpu)?;
        self.allocate(&mut self.control(), Channel::bound(Binding::Ipi, vcpu))
    }

    /// `EVTCHNOP_bind_pirq`, the table's half: a port for physical interrupt `pirq` of the domain. The
    /// caller has checked that the domain may use the interrupt and that it is below the domain's count of
    /// them; it binds the interrupt next, and closes the port if that fails.
    ///
    /// # Errors
    /// `EEXIST`: bound already. `EINVAL`: a number too large for any. `ENOSPC`, `ENOMEM`: no port.
    pub fn bind_pirq(&self, pirq: u32) -> Refused<Port> {
        if pirq >= OPERAND_LIMIT {
            return refuse(Errno::EINVAL, "no such physical interrupt");
        }
        let mut control = self.control();
        let count = pirq as usize + 1;
        if control.pirqs.len() < count {
            let more = count - control.pirqs.len();
            if control.pirqs.try_reserve(more).is_err() {
                return refuse(Errno::ENOMEM, "no memory for event channels");
            }
            control.pirqs.resize(count, 0);
        }
        if control
            .pirqs
            .get(pirq as usize)
            .is_some_and(|port| *port != 0)
        {
            return refuse(Errno::EEXIST, "the physical interrupt is bound already");
        }
        let port = self.allocate(&mut control, Channel::bound(Binding::Pirq(pirq), VcpuId(0)))?;
        if let Some(bound) = control.pirqs.get_mut(pirq as usize) {
            *bound = port.0;
        }
        Ok(port)
    }

    /// The port a physical interrupt is bound to. Takes the control lock: an interrupt handler keeps the
    /// port that `bind_pirq` answered instead.
    pub fn pirq_port(&self, pirq: u32) -> Option<Port> {
        let port = *self.control().pirqs.get(pirq as usize)?;
        (port != 0).then_some(Port(port))
    }

    /// The port a virtual interrupt is bound to on a vCPU (a global one on vCPU 0).
    pub fn virq_port(&self, virq: u32, vcpu: VcpuId) -> Option<Port> {
        let state = self.vcpus.get(vcpu.0 as usize)?;
        let port = state.virqs.get(virq as usize)?.load(Ordering::Acquire);
        (port != 0).then_some(Port(port))
    }

    /// `EVTCHNOP_bind_vcpu`: lets the port tell another vCPU. Answers the channel as it is now: where that
    /// is a physical interrupt, the caller may want to move it too.
    ///
    /// # Errors
    /// `ENOENT`: no such vCPU. `EINVAL`: no such port, or one whose vCPU is fixed, or not in use, or the
    /// hypervisor's own.
    pub fn bind_vcpu(&self, port: Port, vcpu: VcpuId) -> Refused<Channel> {
        self.vcpu(vcpu)?;
        let mut locked = self.existing(port)?.lock::<P::Relax>();
        if locked.consumer != Consumer::Guest {
            return refuse(Errno::EINVAL, "the port is the hypervisor's own");
        }
        match locked.binding {
            Binding::Unbound { .. } | Binding::Interdomain { .. } | Binding::Pirq(_) => {}
            Binding::Virq(virq) if !virq_is_per_vcpu(virq) => {}
            Binding::Virq(_) | Binding::Ipi => {
                return refuse(Errno::EINVAL, "the port's vCPU was fixed when it was bound")
            }
            Binding::Free | Binding::Reserved => {
                return refuse(Errno::EINVAL, "the port is not in use")
            }
        }
        locked.vcpu = vcpu;
        Ok(*locked)
    }

    /// `EVTCHNOP_set_priority`: the FIFO queue the port's next event goes to.
    ///
    /// # Errors
    /// `ENOSYS`: the two-level ABI has none. `EINVAL`: no such port or priority. `EACCES`: not in use, or
    /// the hypervisor's own.
    pub fn set_priority(&self, port: Port, priority: u32) -> Refused<()> {
        let slot = self.existing(port)?;
        if !self.is_fifo() {
            return refuse(Errno::ENOSYS, "the two-level ABI has no priorities");
        }
        let mut locked = slot.lock::<P::Relax>();
        if matches!(locked.binding, Binding::Free | Binding::Reserved)
            || locked.consumer != Consumer::Guest
        {
            return refuse(Errno::EACCES, "the port is not the guest's to use");
        }
        if priority > 15 {
            return refuse(Errno::EINVAL, "a priority is 0 to 15");
        }
        locked.priority = priority as u8;
        Ok(())
    }
}
