//! `sched_op`: giving the processor up, waiting, shutting down.

use core::sync::atomic::Ordering::{AcqRel, Relaxed, SeqCst};

use arrayvec::ArrayVec;
use calls::SchedOp;
use events::POLL_PORTS;
use hw::copy;
use sched::{CpuId, CpuSet};
use vocabulary::{refuse as refused, DomainId, Errno, Nanos, Port, Refusal, Refused, VcpuId};
use xen_abi::sched::{
    SHUTDOWN_crash, SchedPinOverride, SchedPoll, SchedRemoteShutdown, SchedShutdown, SchedWatchdog,
};

use crate::domain::RUNNING;
use crate::hypercall::{refuse, Answer, Arguments, Caller};
use crate::vcpu::Vcpu;
use crate::{
    authority, crash, domains, events as domain_events, guest, power, processors, schedule, trace,
    watchdog,
};

/// Arguments: operation, its structure.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [operation, structure, ..] = arguments.0;
    let vcpu = caller.vcpu;
    match SchedOp::from_number(operation as u32).map_err(Refusal::from)? {
        SchedOp::Yield => schedule::yield_now(vcpu),
        SchedOp::Block => block(vcpu),
        SchedOp::Shutdown => {
            let request = guest::read::<SchedShutdown>(structure)?;
            if request.reason == SHUTDOWN_crash && !vcpu.domain.is_shut_down() {
                crash::report(vcpu, caller.registers);
            }
            shut_down(vcpu, request.reason as u8);
        }
        SchedOp::ShutdownCode => {
            let request = guest::read::<SchedShutdown>(structure)?;
            let code = &vcpu.domain.shutdown_code;
            let _ = code.compare_exchange(RUNNING, request.reason as u8, AcqRel, Relaxed);
        }
        SchedOp::Poll => poll(vcpu, &guest::read::<SchedPoll>(structure)?)?,
        SchedOp::RemoteShutdown => {
            let request = guest::read::<SchedRemoteShutdown>(structure)?;
            shut_down_other(vcpu, DomainId(request.domain_id), request.reason as u8)?;
        }
        SchedOp::Watchdog => {
            let request = guest::read::<SchedWatchdog>(structure)?;
            let Some(first) = vcpu.domain.vcpu(VcpuId(0)) else {
                return refuse(Errno::EINVAL, "the domain has no vCPU");
            };
            return Ok(watchdog::set(&first, request.id, request.timeout)?);
        }
        SchedOp::PinOverride => {
            if !vcpu.domain.privileged {
                return refuse(Errno::EPERM, "only the hardware domain moves itself");
            }
            let request = guest::read::<SchedPinOverride>(structure)?;
            pin(vcpu, request.pcpu)?;
        }
    }
    Ok(0)
}

/// `SCHEDOP_shutdown`: ends the caller's domain.
pub fn shut_down(vcpu: &Vcpu, reason: u8) {
    let words = [vcpu.domain.id.0.into(), vcpu.id.0, reason.into()];
    trace::note(trace::event::SHUTDOWN, &words);
    crash::end(vcpu, reason);
}

/// `SCHEDOP_block`: takes events from now on, and waits for one.
#[inline]
pub fn block(vcpu: &Vcpu) {
    vcpu.context.info().upcall_mask.store(0, Relaxed);
    schedule::block(vcpu);
}

/// `SCHEDOP_poll`: waits for one of some ports whatever the masks say, for an upcall, or for a time.
fn poll(vcpu: &Vcpu, request: &SchedPoll) -> Refused<()> {
    let count = request.nr_ports as usize;
    if count > POLL_PORTS {
        return refused(Errno::EINVAL, "a poll names at most 128 ports");
    }
    if !copy::is_guest_range(request.ports, count as u64 * 4) {
        return refused(Errno::EFAULT, "the ports' address cannot be read");
    }
    let mut ports = ArrayVec::<Port, POLL_PORTS>::new();
    for index in 0..count {
        let at = guest::element::<u32>(request.ports, index as u64);
        ports.push(Port(guest::read::<u32>(at)?));
    }
    // Blocked before the ports are looked at, so that an event meanwhile ends the wait before it began.
    vcpu.waiting.poll();
    let answer = domain_events::poll_begin(vcpu, &ports);
    match answer {
        Ok(events::Polling::Wait) => {
            match request.timeout {
                // An earlier poll's may still be set.
                0 => vcpu.time.poll.stop(),
                timeout => {
                    if let Err(refusal) = vcpu.time.poll.set(vcpu.key, Nanos(timeout)) {
                        end_poll(vcpu);
                        return Err(refusal);
                    }
                }
            }
            let info = vcpu.context.info();
            let takes_event =
                info.upcall_pending.load(SeqCst) != 0 && info.upcall_mask.load(SeqCst) == 0;
            if takes_event || !vcpu.waiting.is_on() {
                end_poll(vcpu);
            } else {
                crate::work::raise_here(crate::work::RESCHEDULE);
            }
            Ok(())
        }
        Ok(events::Polling::Ready) => {
            end_poll(vcpu);
            Ok(())
        }
        Err(refusal) => {
            end_poll(vcpu);
            Err(refusal)
        }
    }
}

/// The vCPU, which runs here, polls no more.
fn end_poll(vcpu: &Vcpu) {
    vcpu.domain.events.poll_end(vcpu.id);
    vcpu.waiting.cancel();
}

/// `SCHEDOP_remote_shutdown`.
fn shut_down_other(vcpu: &Vcpu, id: DomainId, reason: u8) -> Refused<()> {
    let Some(domain) = domains::find(id) else {
        return refused(Errno::ESRCH, "there is no such domain");
    };
    authority::control(vcpu)?;
    if domain.mark_shut_down(reason) {
        power::domain_ended(&domain);
    }
    Ok(())
}

/// `SCHEDOP_pin_override`: keeps the caller on one processor for a while; a negative number ends that. EINVAL: there is
/// nothing to end, or the processor is not in use; EBUSY: it is kept already.
fn pin(vcpu: &Vcpu, processor: i32) -> Refused<()> {
    let is_kept = schedule::settings::is_overridden(vcpu);
    let Ok(processor) = u32::try_from(processor) else {
        if !is_kept {
            return refused(Errno::EINVAL, "the vCPU is kept nowhere");
        }
        return schedule::settings::override_affinity(vcpu, None);
    };
    if !processors::online().contains(processor as usize) {
        return refused(Errno::EINVAL, "the processor is not in use");
    }
    if is_kept {
        return refused(Errno::EBUSY, "the vCPU is kept on a processor already");
    }
    schedule::settings::override_affinity(vcpu, Some(CpuSet::only(CpuId(processor))))
}
