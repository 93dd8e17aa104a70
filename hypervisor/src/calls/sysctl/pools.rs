//! `sysctl`: pools of processors.

use calls::SysctlCpupoolOp;
use sched::{CpuId, CpuSet};
use vocabulary::{refuse, DomainId, Errno, Refusal, Refused};
use xen_abi::sysctl as numbers;
use xen_abi::sysctl_processors as abi;
use xen_abi::xen::XenctlBitmap;

use super::Request;
use crate::calls::domctl::held::HeldDomain;
use crate::calls::domctl::scheduling;
use crate::schedule::{pools, settings};
use crate::{bitmap, domains, placement};

/// `XEN_SYSCTL_cpupool_op`. The caller holds the control plane's lock.
pub fn pool(request: &mut Request) -> Refused<()> {
    let mut asked = request.part::<abi::CpupoolOp>()?;
    match SysctlCpupoolOp::from_number(asked.op).map_err(Refusal::from)? {
        SysctlCpupoolOp::Create => {
            create(&mut asked)?;
            request.answer(&asked)
        }
        SysctlCpupoolOp::Destroy => pools::destroy(asked.cpupool_id),
        SysctlCpupoolOp::Info => {
            info(&mut asked)?;
            request.answer(&asked)
        }
        SysctlCpupoolOp::Freeinfo => write(&asked.cpumap, &pools::free()),
        SysctlCpupoolOp::Addcpu => resize(pools::add, &asked),
        SysctlCpupoolOp::Rmcpu => resize(pools::remove, &asked),
        SysctlCpupoolOp::Movedomain => move_domain(request.caller, &asked),
    }
}

/// ENOENT: there is no such scheduler; EEXIST: the number is in use; ENOMEM.
fn create(asked: &mut abi::CpupoolOp) -> Refused<()> {
    let Some(policy) = scheduling::policy(asked.sched_id) else {
        return refuse(Errno::ENOENT, "there is no such scheduler");
    };
    let wanted = asked.cpupool_id;
    let wanted = (wanted != numbers::XEN_SYSCTL_CPUPOOL_PAR_ANY).then_some(wanted);
    asked.cpupool_id = pools::create(wanted, policy)?;
    Ok(())
}

/// The pool with the number asked for, or the next higher there is.
fn info(asked: &mut abi::CpupoolOp) -> Refused<()> {
    let info = pools::info(asked.cpupool_id)?;
    asked.cpupool_id = info.id;
    asked.sched_id = scheduling::number(info.policy);
    asked.n_dom = info.domains;
    write(&asked.cpumap, &info.cpus)
}

fn write(map: &XenctlBitmap, set: &CpuSet) -> Refused<()> {
    let bytes = set.words().map(u64::to_le_bytes);
    bitmap::write(map, bytes.as_flattened())
}

/// The processor that a request names; `None` for any.
fn processor(number: u32) -> Option<CpuId> {
    (number != numbers::XEN_SYSCTL_CPUPOOL_PAR_ANY).then_some(CpuId(number))
}

/// Changes which processors a pool has. Where domains take memory follows where their vCPUs may run now.
fn resize(change: fn(u32, Option<CpuId>) -> Refused<()>, asked: &abi::CpupoolOp) -> Refused<()> {
    change(asked.cpupool_id, processor(asked.cpu))?;
    domains::for_each(|domain| placement::follow(domain));
    Ok(())
}

fn move_domain(caller: DomainId, asked: &abi::CpupoolOp) -> Refused<()> {
    let id = u16::try_from(asked.domid).map_or(DomainId::INVALID, DomainId);
    if id == caller {
        return refuse(Errno::EPERM, "a domain does not move itself");
    }
    let Some(domain) = domains::find(id) else {
        return refuse(Errno::ESRCH, "there is no such domain");
    };
    let _held = HeldDomain::new(&domain);
    settings::move_domain(&domain, asked.cpupool_id)?;
    placement::follow(&domain);
    Ok(())
}
