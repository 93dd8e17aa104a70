//! A domain's share of processor time, or the time reserved for it: the parameters of the policy that it is under.

use calls::DomctlSchedulerOp;
use memory::Attempt;
use sched::{Parameters, Policy, Server, Share};
use vocabulary::{refuse, Errno, Nanos, Refused};
use xen_abi::domctl::{
    XEN_SCHEDULER_CREDIT, XEN_SCHEDULER_CREDIT2, XEN_SCHEDULER_NULL, XEN_SCHEDULER_RTDS,
};
use xen_abi::domctl_vcpu::{
    SchedCredit, SchedRtds, SchedparamVcpu, SchedulerOp, SchedulerOpVcpus, XEN_DOMCTL_SCHEDRT_extra,
};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use super::Request;
use crate::{guest, schedule};

/// Cap of a vCPU that uses a whole processor.
const WHOLE: usize = 100;
/// The cap that stands for "as it is" (`credit` only: the others' tools ask before they set).
const SAME_CAP: u16 = u16::MAX;
/// vCPUs whose parameters are handled in one call; the caller makes further ones.
const BATCH: u32 = 64;

/// The interface's number of a policy.
pub const fn number(policy: Policy) -> u32 {
    match policy {
        Policy::Credit2 => XEN_SCHEDULER_CREDIT2,
        Policy::Credit => XEN_SCHEDULER_CREDIT,
        Policy::Rtds => XEN_SCHEDULER_RTDS,
        Policy::Null => XEN_SCHEDULER_NULL,
    }
}

/// The policy of an interface's number.
pub const fn policy(number: u32) -> Option<Policy> {
    match number {
        XEN_SCHEDULER_CREDIT2 => Some(Policy::Credit2),
        XEN_SCHEDULER_CREDIT => Some(Policy::Credit),
        XEN_SCHEDULER_RTDS => Some(Policy::Rtds),
        XEN_SCHEDULER_NULL => Some(Policy::Null),
        _ => None,
    }
}

/// `XEN_DOMCTL_scheduler_op`. EINVAL: another policy, an operation it does not know, or parameters out of bounds;
/// EOPNOTSUPP: the policy has no parameters.
pub fn adjust(request: &mut Request<'_>) -> Attempt<u64> {
    let mut part: SchedulerOp = request.part()?;
    let policy = schedule::settings::policy(&request.domain)?;
    if part.sched_id != number(policy) {
        return Ok(refuse(
            Errno::EINVAL,
            "the request is for another scheduler than the domain has",
        )?);
    }
    match DomctlSchedulerOp::from_number(part.cmd) {
        Ok(DomctlSchedulerOp::Getinfo) => {
            write(
                &mut part.u,
                &schedule::settings::of_domain(&request.domain)?,
            );
        }
        Ok(DomctlSchedulerOp::Putinfo) => put(request, &part, policy)?,
        Ok(DomctlSchedulerOp::Putvcpuinfo) => each_vcpu(request, &mut part, true)?,
        Ok(DomctlSchedulerOp::Getvcpuinfo) => each_vcpu(request, &mut part, false)?,
        Err(_) => {
            return Ok(refuse(
                Errno::EINVAL,
                "there is no such operation on a scheduler",
            )?)
        }
    }
    request.answer(&part)?;
    Ok(0)
}

/// Sets the parameters of the whole domain.
fn put(request: &Request<'_>, part: &SchedulerOp, policy: Policy) -> Refused<()> {
    let before = schedule::settings::of_domain(&request.domain)?;
    let wanted = match before {
        Parameters::Share(before) => share(request, part, policy, before)?,
        Parameters::Server(_) => read_server(part.u.as_bytes())?,
    };
    schedule::settings::set_of_domain(&request.domain, &wanted)
}

/// The share asked for; a weight of 0 leaves it as it is.
fn share(
    request: &Request<'_>,
    part: &SchedulerOp,
    policy: Policy,
    before: Share,
) -> Refused<Parameters> {
    // Both policies of shares have the same two numbers.
    let Ok((wanted, _)) = SchedCredit::read_from_prefix(part.u.as_bytes()) else {
        return no_parameters();
    };
    let mut share = before;
    if wanted.weight != 0 {
        share.weight = wanted.weight;
    }
    if policy == Policy::Credit && wanted.cap == SAME_CAP {
        return Ok(Parameters::Share(share));
    }
    if usize::from(wanted.cap) > WHOLE * request.domain.vcpu_count() {
        return refuse(
            Errno::EINVAL,
            "the cap is more than the domain's vCPUs can use",
        );
    }
    share.cap = wanted.cap;
    Ok(Parameters::Share(share))
}

fn read_server(bytes: &[u8]) -> Refused<Parameters> {
    let Ok((wanted, _)) = SchedRtds::read_from_prefix(bytes) else {
        return no_parameters();
    };
    Ok(Parameters::Server(Server {
        period: Nanos(u64::from(wanted.period) * 1000),
        budget: Nanos(u64::from(wanted.budget) * 1000),
        extra: wanted.flags & XEN_DOMCTL_SCHEDRT_extra != 0,
    }))
}

/// Writes parameters where they fit: the interface's union has room for any.
fn write(to: &mut (impl IntoBytes + FromBytes), parameters: &Parameters) {
    let bytes = to.as_mut_bytes();
    let _ = match parameters {
        Parameters::Share(share) => SchedCredit {
            weight: share.weight,
            cap: share.cap,
        }
        .write_to_prefix(bytes)
        .is_ok(),
        Parameters::Server(server) => SchedRtds {
            period: micros(server.period),
            budget: micros(server.budget),
            flags: if server.extra {
                XEN_DOMCTL_SCHEDRT_extra
            } else {
                0
            },
        }
        .write_to_prefix(bytes)
        .is_ok(),
    };
}

fn micros(time: Nanos) -> u32 {
    u32::try_from(time.0 / 1000).unwrap_or(u32::MAX)
}

/// Reads or sets the parameters of single vCPUs, as many as one call handles, and says how many those were.
fn each_vcpu(request: &Request<'_>, part: &mut SchedulerOp, is_put: bool) -> Refused<()> {
    let Ok((mut list, _)) = SchedulerOpVcpus::read_from_prefix(part.u.as_bytes()) else {
        return no_parameters();
    };
    // A policy without parameters of single vCPUs says so even of none.
    if let Some(first) = request.domain.vcpus().next() {
        schedule::settings::of_vcpu(&first)?;
    }
    let count = list.nr_vcpus.min(BATCH);
    for index in 0..count {
        let place = guest::element::<SchedparamVcpu>(list.vcpus, u64::from(index));
        let mut element = guest::read::<SchedparamVcpu>(place)?;
        let vcpu = request.vcpu_of_domain(element.vcpuid, Errno::EINVAL)?;
        if is_put {
            schedule::settings::set_of_vcpu(&vcpu, &read_server(element.u.as_bytes())?)?;
        } else {
            element.u = FromZeros::new_zeroed();
            write(&mut element.u, &schedule::settings::of_vcpu(&vcpu)?);
            guest::write(place, &element)?;
        }
    }
    list.nr_vcpus = count;
    let _ = list.write_to_prefix(part.u.as_mut_bytes());
    Ok(())
}

fn no_parameters<T>() -> Refused<T> {
    refuse(Errno::EINVAL, "the request has no parameters")
}
