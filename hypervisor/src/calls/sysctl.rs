//! `sysctl`: what the toolstack asks of the whole machine.

mod absent;
mod domains;
mod host;
mod performance;
mod policies;
mod pools;
mod power;
mod schedulers;
mod traces;
mod watch;

use core::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Release},
};

use calls::SysctlOp;
use memory::Stop;
use vocabulary::{refuse, DomainId, Errno, Refusal, Refused};
use xen_abi::sysctl as abi;
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::domctl;
use crate::hypercall::{Answer, Arguments, Caller};
use crate::{authority, guest};

/// A request whose frame was checked, from a caller that may make it.
pub struct Request {
    /// Who asks.
    caller: DomainId,
    /// Guest address of the whole request.
    structure: u64,
    /// The request as it was copied in.
    frame: abi::Sysctl,
}

impl Request {
    /// The operation's part of the request.
    fn part<T: FromBytes>(&self) -> Refused<T> {
        match T::read_from_prefix(self.frame.u.as_bytes()) {
            Ok((value, _)) => Ok(value),
            Err(_) => no_room(),
        }
    }

    /// Puts the operation's part back and writes the request to the guest. EFAULT.
    fn answer<T: IntoBytes + Immutable>(&mut self, part: &T) -> Refused<()> {
        if part.write_to_prefix(self.frame.u.as_mut_bytes()).is_err() {
            return no_room();
        }
        guest::write(self.structure, &self.frame)
    }
}

fn no_room<T>() -> Refused<T> {
    refuse(
        Errno::EINVAL,
        "the request has no room for the operation's part",
    )
}

/// One call at a time: what they show is then of one moment, and what they change is changed by one.
static BUSY: AtomicBool = AtomicBool::new(false);

/// The turn of a call; ends when dropped.
struct Turn;

impl Turn {
    fn take() -> Option<Self> {
        (!BUSY.swap(true, Acquire)).then_some(Self)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        BUSY.store(false, Release);
    }
}

/// Argument: the structure.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let structure = arguments.get(0);
    let frame = guest::read::<abi::Sysctl>(structure)?;
    if frame.interface_version != abi::XEN_SYSCTL_INTERFACE_VERSION {
        return Err(Refusal::new(
            Errno::EACCES,
            "the request is of another version of the interface",
        )
        .into());
    }
    authority::control(caller.vcpu)?;
    let Some(_turn) = Turn::take() else {
        return Err(Stop::Again);
    };
    let mut request = Request {
        caller: caller.vcpu.domain.id,
        structure,
        frame,
    };
    let operation = SysctlOp::from_number(frame.cmd).map_err(Refusal::from)?;
    // A domain that moves between pools is held meanwhile, as by an operation on domains.
    let moves = matches!(operation, SysctlOp::CpupoolOp);
    let plane = moves.then(|| domctl::PLANE.try_lock());
    if let Some(None) = plane {
        return Err(Stop::Again);
    }
    perform(operation, &mut request)?;
    Ok(0)
}

fn perform(operation: SysctlOp, request: &mut Request) -> Refused<()> {
    match operation {
        SysctlOp::Readconsole => watch::read_console(request),
        SysctlOp::PerfcOp => performance::counters(request),
        SysctlOp::DebugKeys => watch::debug_keys(request),
        SysctlOp::Physinfo => host::physinfo(request),
        SysctlOp::Getcpuinfo => host::idle_times(request),
        SysctlOp::Availheap => host::available(request),
        SysctlOp::Cputopoinfo => host::topology(request),
        SysctlOp::Numainfo => host::nodes(request),
        SysctlOp::Pcitopoinfo => host::devices(request),
        SysctlOp::Getdomaininfolist => domains::list(request),
        SysctlOp::SchedId => schedulers::scheduler(request),
        SysctlOp::CpupoolOp => pools::pool(request),
        SysctlOp::SchedulerOp => schedulers::parameters(request),
        SysctlOp::GetPmstat => power::statistics(request),
        SysctlOp::PmOp => power::control(request),
        SysctlOp::CpuHotplug => power::hotplug(request),
        SysctlOp::TbufOp => traces::operate(request),
        SysctlOp::PageOfflineOp => absent::broken_memory(request),
        SysctlOp::CoverageOp => absent::coverage(),
        SysctlOp::PsrCmtOp => absent::cache_monitoring(),
        SysctlOp::PsrAlloc => absent::cache_allocation(request),
        SysctlOp::LivepatchOp => absent::patches(request),
        SysctlOp::GetCpuLevellingCaps => policies::levelling(request),
        SysctlOp::GetCpuFeatureset => policies::features(request),
        SysctlOp::GetCpuPolicy => policies::policy(request),
    }
}
