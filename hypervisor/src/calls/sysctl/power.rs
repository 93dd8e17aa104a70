//! `sysctl`: processors' power. Nothing governs their frequency; they rest in C1 (`hlt`) and no deeper.

use calls::{SysctlCpuHotplugOp, SysctlPmOp, SysctlPmStatOp};
use vocabulary::{refuse, Errno, Refusal, Refused};
use xen_abi::sysctl_processors::{CpuHotplug, GetPmstat, PmOp};

use super::Request;
use crate::{clock, guest, idle_time, processors};

/// States of a processor: C0, where it runs, and C1.
const STATES: u32 = 2;
/// Which requests of `XEN_SYSCTL_get_pmstat` are about such states (public `sysctl.h`).
const CATEGORY: u32 = 0xf0;
const RESTING: u32 = 0x20;

fn check_processor(index: u32) -> Refused<()> {
    if processors::online().contains(index as usize) {
        Ok(())
    } else {
        refuse(Errno::EINVAL, "there is no such processor")
    }
}

/// `XEN_SYSCTL_get_pmstat`.
pub fn statistics(request: &mut Request) -> Refused<()> {
    let mut asked = request.part::<GetPmstat>()?;
    check_processor(asked.cpuid)?;
    if asked.kind & CATEGORY != RESTING {
        return refuse(Errno::ENODEV, "nothing governs the processor's frequency");
    }
    match SysctlPmStatOp::from_number(asked.kind).map_err(Refusal::from)? {
        SysctlPmStatOp::GetMaxCx => {
            let [first, ..] = &mut asked.u;
            *first = u64::from(STATES);
        }
        SysctlPmStatOp::GetCxstat => resting_states(&mut asked)?,
        // What was counted is since the machine's start, as the interface says of the idle time.
        SysctlPmStatOp::ResetCxstat => {}
    }
    request.answer(&asked)
}

/// Fills `struct pm_cx_stat`: count and last state, idle time, addresses of visits and of times by state, and
/// counts of hardware's own counters, which are not read. Each rest is a visit of C1 and, at its end, one of C0.
fn resting_states(asked: &mut GetPmstat) -> Refused<()> {
    let processor = asked.cpuid as usize;
    let idle = idle_time::of(processor).0;
    let rests = idle_time::rests(processor);
    let [counts, idle_place, triggers, residencies, hardware, ..] = &mut asked.u;
    let room = (*counts as u32).min(STATES);
    let running = clock::now().0.saturating_sub(idle);
    for (index, (visited, spent)) in [(rests, running), (rests, idle)]
        .iter()
        .enumerate()
        .take(room as usize)
    {
        if *triggers != 0 {
            guest::write(guest::element::<u64>(*triggers, index as u64), visited)?;
        }
        if *residencies != 0 {
            guest::write(guest::element::<u64>(*residencies, index as u64), spent)?;
        }
    }
    let last = u64::from(STATES - 1);
    *counts = u64::from(STATES) | last << 32;
    *idle_place = idle;
    *hardware = 0;
    Ok(())
}

/// `XEN_SYSCTL_pm_op`.
pub fn control(request: &mut Request) -> Refused<()> {
    /// Requests about frequencies (public `sysctl.h`, `CPUFREQ_PARA`).
    const FREQUENCY: u32 = 0x10;
    let mut asked = request.part::<PmOp>()?;
    if asked.cmd & CATEGORY == FREQUENCY {
        return refuse(Errno::EINVAL, "nothing governs the processor's frequency");
    }
    match SysctlPmOp::from_number(asked.cmd).map_err(Refusal::from)? {
        SysctlPmOp::GetMaxCstate => {
            if asked.cpuid > 1 {
                return refuse(Errno::EINVAL, "there is a deepest state and one within it");
            }
            // C1, and nothing to choose within it.
            let deepest = if asked.cpuid == 0 { 1 } else { 0 };
            let [first, ..] = &mut asked.u;
            *first = deepest;
            request.answer(&asked)
        }
        SysctlPmOp::EnableTurbo | SysctlPmOp::DisableTurbo => {
            refuse(Errno::EACCES, "nothing governs the processor's frequency")
        }
    }
}

/// `XEN_SYSCTL_cpu_hotplug`: processors are all on and stay so.
pub fn hotplug(request: &mut Request) -> Refused<()> {
    let asked = request.part::<CpuHotplug>()?;
    let operation = SysctlCpuHotplugOp::from_number(asked.op).map_err(|not_done| {
        let errno = match not_done.name {
            Some(_) => Errno::ENOSYS,
            None => Errno::EOPNOTSUPP,
        };
        Refusal::new(errno, "processors are not taken off")
    })?;
    check_processor(asked.cpu)?;
    match operation {
        SysctlCpuHotplugOp::Online => refuse(Errno::EEXIST, "the processor runs"),
        SysctlCpuHotplugOp::Offline if asked.cpu == 0 => {
            refuse(Errno::EINVAL, "the first processor stays")
        }
        SysctlCpuHotplugOp::Offline => refuse(Errno::EOPNOTSUPP, "processors are not taken off"),
    }
}
