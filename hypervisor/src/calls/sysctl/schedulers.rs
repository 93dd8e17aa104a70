//! `sysctl`: the parameters of pools' schedulers.

use calls::SysctlSchedulerOp;
use sched::{Policy, Tuning, FIRST_POOL};
use vocabulary::{refuse, Errno, Nanos, Refusal, Refused};
use xen_abi::sysctl_processors::{self as abi, Credit2Schedule, CreditSchedule};
use zerocopy::{FromBytes, IntoBytes};

use super::Request;
use crate::calls::domctl::scheduling::number;
use crate::schedule::pools;

/// `XEN_SYSCTL_sched_id`: the first pool's.
pub fn scheduler(request: &mut Request) -> Refused<()> {
    request.answer(&abi::SchedId {
        sched_id: number(pools::policy(FIRST_POOL)?),
    })
}

/// `XEN_SYSCTL_scheduler_op`. ESRCH: there is no such pool; EINVAL: it has another scheduler, the operation is not
/// known, or a parameter is out of bounds; EOPNOTSUPP: the scheduler has no parameters.
pub fn parameters(request: &mut Request) -> Refused<()> {
    let mut asked = request.part::<abi::SchedulerOp>()?;
    let operation = SysctlSchedulerOp::from_number(asked.cmd).map_err(|_| {
        Refusal::new(
            Errno::EINVAL,
            "parameters are set or asked for, nothing else",
        )
    })?;
    let Ok(policy) = pools::policy(asked.cpupool_id) else {
        return refuse(Errno::ESRCH, "there is no such pool of processors");
    };
    if asked.sched_id != number(policy) {
        return refuse(Errno::EINVAL, "the pool has another scheduler");
    }
    let before = pools::tuning(asked.cpupool_id)?;
    if let SysctlSchedulerOp::Putinfo = operation {
        let wanted = read(policy, asked.u.as_bytes(), before);
        pools::tune(asked.cpupool_id, &wanted)?;
    }
    let tuning = pools::tuning(asked.cpupool_id)?;
    write(policy, &tuning, asked.u.as_mut_bytes());
    request.answer(&asked)
}

fn nanos(micros: u32) -> Nanos {
    Nanos(u64::from(micros) * 1000)
}

fn micros(time: Nanos) -> u32 {
    u32::try_from(time.0 / 1000).unwrap_or(u32::MAX)
}

fn read(policy: Policy, bytes: &[u8], before: Tuning) -> Tuning {
    if policy == Policy::Credit {
        let given = CreditSchedule::read_from_prefix(bytes);
        return given.map_or(before, |(given, _)| Tuning {
            slice: Nanos(u64::from(given.tslice_ms) * 1_000_000),
            rate_limit: nanos(given.ratelimit_us),
            migration_delay: nanos(given.vcpu_migr_delay_us),
        });
    }
    let given = Credit2Schedule::read_from_prefix(bytes);
    given.map_or(before, |(given, _)| Tuning {
        rate_limit: nanos(given.ratelimit_us),
        ..before
    })
}

/// Writes the parameters where they fit: the interface's union has room for any scheduler's.
fn write(policy: Policy, tuning: &Tuning, bytes: &mut [u8]) {
    let _ = if policy == Policy::Credit {
        CreditSchedule {
            tslice_ms: u32::try_from(tuning.slice.0 / 1_000_000).unwrap_or(u32::MAX),
            ratelimit_us: micros(tuning.rate_limit),
            vcpu_migr_delay_us: micros(tuning.migration_delay),
        }
        .write_to_prefix(bytes)
        .is_ok()
    } else {
        Credit2Schedule {
            ratelimit_us: micros(tuning.rate_limit),
        }
        .write_to_prefix(bytes)
        .is_ok()
    };
}
