//! `sysctl`: the one pool of processors there is, and its scheduler.

use calls::{SysctlCpupoolOp, SysctlSchedulerOp};
use hw::percpu::MAX_CPUS;
use vocabulary::{refuse, DomainId, Errno, Nanos, Refusal, Refused};
use xen_abi::domctl::XEN_SCHEDULER_CREDIT2;
use xen_abi::sysctl as numbers;
use xen_abi::sysctl_processors::{self as abi, Credit2Schedule};
use zerocopy::{FromBytes, IntoBytes};

use super::Request;
use crate::{bitmap, domains, processors, schedule};

/// The pool that all processors and domains are in.
const POOL: u32 = 0;

/// `XEN_SYSCTL_sched_id`: the policy's parameters are weights, as the tools know them of credit2.
pub fn scheduler(request: &mut Request) -> Refused<()> {
    request.answer(&abi::SchedId {
        sched_id: XEN_SCHEDULER_CREDIT2,
    })
}

/// `XEN_SYSCTL_cpupool_op`.
pub fn pool(request: &mut Request) -> Refused<()> {
    let mut asked = request.part::<abi::CpupoolOp>()?;
    match SysctlCpupoolOp::from_number(asked.op).map_err(Refusal::from)? {
        SysctlCpupoolOp::Info => {
            info(&mut asked)?;
            request.answer(&asked)
        }
        SysctlCpupoolOp::Freeinfo => bitmap::write(&asked.cpumap, &[]),
        SysctlCpupoolOp::Destroy if asked.cpupool_id == POOL => {
            refuse(Errno::EBUSY, "the first pool stays")
        }
        SysctlCpupoolOp::Destroy => no_such_pool(),
        SysctlCpupoolOp::Addcpu => add(&asked),
        SysctlCpupoolOp::Rmcpu => remove(&asked),
        SysctlCpupoolOp::Movedomain => move_domain(request.caller, &asked),
    }
}

/// The pool with the number asked for, or the next higher there is.
fn info(asked: &mut abi::CpupoolOp) -> Refused<()> {
    if asked.cpupool_id > POOL {
        return no_such_pool();
    }
    let mut count = 0;
    domains::for_each(|_| count += 1);
    let mut bits = [0; MAX_CPUS.div_ceil(8)];
    for index in processors::online().iter() {
        if let Some(byte) = bits.get_mut(index / 8) {
            *byte |= 1 << (index % 8);
        }
    }
    asked.cpupool_id = POOL;
    asked.sched_id = XEN_SCHEDULER_CREDIT2;
    asked.n_dom = count;
    bitmap::write(&asked.cpumap, &bits)
}

/// No processor is ever free to be added.
fn add(asked: &abi::CpupoolOp) -> Refused<()> {
    if asked.cpu != numbers::XEN_SYSCTL_CPUPOOL_PAR_ANY {
        check_processor(asked.cpu)?;
    }
    refuse(Errno::ENODEV, "the processor is not free")
}

fn remove(asked: &abi::CpupoolOp) -> Refused<()> {
    if asked.cpupool_id != POOL {
        return no_such_pool();
    }
    if asked.cpu != numbers::XEN_SYSCTL_CPUPOOL_PAR_ANY {
        check_processor(asked.cpu)?;
    }
    refuse(
        Errno::EBUSY,
        "the only pool keeps its processors: no other can be made",
    )
}

fn check_processor(index: u32) -> Refused<()> {
    if processors::online().contains(index as usize) {
        Ok(())
    } else {
        refuse(Errno::EINVAL, "there is no such processor")
    }
}

fn move_domain(caller: DomainId, asked: &abi::CpupoolOp) -> Refused<()> {
    let id = u16::try_from(asked.domid).map_or(DomainId::INVALID, DomainId);
    if id == caller {
        return refuse(Errno::EPERM, "a domain does not move itself");
    }
    if domains::find(id).is_none() {
        return refuse(Errno::ESRCH, "there is no such domain");
    }
    if asked.cpupool_id == POOL {
        Ok(())
    } else {
        no_such_pool()
    }
}

fn no_such_pool() -> Refused<()> {
    refuse(Errno::ENOENT, "there is no such pool of processors")
}

/// `XEN_SYSCTL_scheduler_op`: the parameters of the pool's scheduler.
pub fn parameters(request: &mut Request) -> Refused<()> {
    let mut asked = request.part::<abi::SchedulerOp>()?;
    let operation = SysctlSchedulerOp::from_number(asked.cmd).map_err(|_| {
        Refusal::new(
            Errno::EINVAL,
            "parameters are set or asked for, nothing else",
        )
    })?;
    if asked.cpupool_id != POOL {
        return refuse(Errno::ESRCH, "there is no such pool of processors");
    }
    if asked.sched_id != XEN_SCHEDULER_CREDIT2 {
        return refuse(Errno::EINVAL, "the pool has another scheduler");
    }
    let given = Credit2Schedule::read_from_prefix(asked.u.as_bytes());
    let given = given.map_or(0, |(given, _)| given.ratelimit_us);
    let limits = numbers::XEN_SYSCTL_SCHED_RATELIMIT_MIN..=numbers::XEN_SYSCTL_SCHED_RATELIMIT_MAX;
    match operation {
        SysctlSchedulerOp::Putinfo if given != 0 && !limits.contains(&given) => {
            return refuse(Errno::EINVAL, "the limit is outside 100 us to 500 ms");
        }
        SysctlSchedulerOp::Putinfo => schedule::set_least_run(Nanos(u64::from(given) * 1000)),
        SysctlSchedulerOp::Getinfo => {}
    }
    let answer = Credit2Schedule {
        ratelimit_us: (schedule::least_run().0 / 1000) as u32,
    };
    // It fits: the room is larger than any scheduler's parameters.
    let _ = answer.write_to_prefix(asked.u.as_mut_bytes());
    request.answer(&asked)
}
