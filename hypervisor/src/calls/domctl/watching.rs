//! Debuggers, monitors and tracers: what they are told where there is nothing for them; triggers; who hears of what.

use core::sync::atomic::Ordering::Release;

use calls::{DomctlMonitorOp, DomctlPsrAllocOp, DomctlTrigger};
use memory::Attempt;
use vocabulary::{refuse, Errno};
use xen_abi::domctl::{SetVirqHandler, Setdebugging, Subscribe, XEN_VM_EVENT_GET_VERSION};
use xen_abi::domctl_device::PsrAlloc;
use xen_abi::domctl_vcpu::Sendtrigger;
use xen_abi::domctl_watch::{MonitorOp, VmEventOp};

use super::Request;
use crate::{events, nmi};

/// The version of the rings of `vm_event` (public `vm_event.h`).
const RING_VERSION: u32 = 7;

/// `XEN_DOMCTL_setdebugging`. EINVAL: the caller's own domain; EOPNOTSUPP: attaching a debugger.
pub fn set_debugging(request: &mut Request<'_>) -> Attempt<u64> {
    let Setdebugging { enable } = request.part()?;
    if request.is_own() {
        return Ok(refuse(
            Errno::EINVAL,
            "a domain does not do this to itself",
        )?);
    }
    if enable != 0 {
        return Ok(refuse(Errno::EOPNOTSUPP, "no debugger is attached")?);
    }
    Ok(0)
}

/// `XEN_DOMCTL_sendtrigger`: an NMI. ESRCH: no such vCPU; EINVAL: a button of an HVM domain; ENOSYS: nothing known.
pub fn trigger(request: &mut Request<'_>) -> Attempt<u64> {
    let part: Sendtrigger = request.part()?;
    match DomctlTrigger::from_number(part.trigger) {
        Ok(DomctlTrigger::Nmi) => {
            let vcpu = request.vcpu_of_domain(part.vcpu, Errno::ESRCH)?;
            nmi::send(&vcpu);
            Ok(0)
        }
        Ok(DomctlTrigger::Power | DomctlTrigger::Sleep) => {
            Ok(refuse(Errno::EINVAL, "a PV domain has no power button")?)
        }
        Err(_) => Ok(refuse(Errno::ENOSYS, "there is no such trigger")?),
    }
}

/// `XEN_DOMCTL_subscribe`: the domain's own event channel that is sent when it suspends, in place of the usual virtual
/// interrupt.
pub fn subscribe(request: &mut Request<'_>) -> Attempt<u64> {
    let Subscribe { port } = request.part()?;
    let settings = &request.domain.settings;
    settings.suspend_port.store(port, Release);
    Ok(0)
}

/// `XEN_DOMCTL_set_virq_handler`. EINVAL: no virtual interrupt of the machine.
pub fn set_virq_handler(request: &mut Request<'_>) -> Attempt<u64> {
    let SetVirqHandler { virq } = request.part()?;
    events::set_virq_handler(&request.domain, virq)?;
    Ok(0)
}

/// `XEN_DOMCTL_vm_event_op`: what the rings' version is; there are none for PV domains. ENOSYS: memory paged out or shared;
/// ENODEV: monitoring.
pub fn ring(request: &mut Request<'_>) -> Attempt<u64> {
    let mut part: VmEventOp = request.part()?;
    if part.op == XEN_VM_EVENT_GET_VERSION {
        part.u = RING_VERSION;
        request.answer(&part)?;
        return Ok(0);
    }
    match calls::DomctlVmEventOp::from_number(part.mode) {
        Ok(calls::DomctlVmEventOp::Monitor) => Ok(refuse(
            Errno::ENODEV,
            "what a PV domain does is not monitored",
        )?),
        Err(_) => Ok(refuse(
            Errno::ENOSYS,
            "memory is neither paged out nor shared",
        )?),
    }
}

/// `XEN_DOMCTL_monitor_op`: no event of a PV domain can be monitored. EINVAL, EOPNOTSUPP.
pub fn monitor(request: &mut Request<'_>) -> Attempt<u64> {
    let mut part: MonitorOp = request.part()?;
    match DomctlMonitorOp::from_number(part.op) {
        Ok(DomctlMonitorOp::GetCapabilities) => {
            part.event = 0;
            request.answer(&part)?;
            Ok(0)
        }
        Ok(DomctlMonitorOp::EmulateEachRep) => Ok(refuse(
            Errno::EINVAL,
            "instructions of a PV domain are not emulated",
        )?),
        _ => Ok(refuse(
            Errno::EOPNOTSUPP,
            "no event of a PV domain is monitored",
        )?),
    }
}

/// `XEN_DOMCTL_debug_op`, `…_vmtrace_op` and `…_set_broken_page_p2m`, all for HVM domains. EINVAL.
pub fn of_hvm() -> Attempt<u64> {
    Ok(refuse(Errno::EINVAL, "the operation is for HVM domains")?)
}

/// `XEN_DOMCTL_set_access_required`: of a PV domain's accesses nobody is told in any case. EPERM: the caller's own domain.
pub fn set_access_required(request: &mut Request<'_>) -> Attempt<u64> {
    if request.is_own() {
        return Ok(refuse(Errno::EPERM, "a domain does not do this to itself")?);
    }
    Ok(0)
}

/// `XEN_DOMCTL_psr_cmt_op`: caches are not watched. ENODEV.
pub fn watch_cache() -> Attempt<u64> {
    Ok(refuse(Errno::ENODEV, "caches are not watched")?)
}

/// `XEN_DOMCTL_psr_alloc`: caches and bandwidth are not divided. ENODEV; EOPNOTSUPP: nothing known.
pub fn divide_cache(request: &mut Request<'_>) -> Attempt<u64> {
    let part: PsrAlloc = request.part()?;
    match DomctlPsrAllocOp::from_number(part.cmd) {
        Ok(_) => Ok(refuse(Errno::ENODEV, "caches are not divided")?),
        Err(_) => Ok(refuse(
            Errno::EOPNOTSUPP,
            "there is no such operation on caches",
        )?),
    }
}

/// `XEN_DOMCTL_soft_reset`: a PV domain cannot begin anew with its devices as they are. EINVAL.
pub fn soft_reset() -> Attempt<u64> {
    Ok(refuse(Errno::EINVAL, "a PV domain is not reset")?)
}
