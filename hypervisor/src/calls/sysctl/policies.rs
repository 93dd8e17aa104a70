//! `sysctl`: what processors offer to guests, as lists of CPUID's answers.

use calls::{SysctlCpuPolicy, SysctlFeatureset};
use vocabulary::{refuse, Errno, Refused};
use xen_abi::arch_x86::{CpuidLeaf, MsrEntry};
use xen_abi::sysctl_processors as abi;

use super::Request;
use crate::cpuid::{self, MachinePolicy};
use crate::guest;

/// `XEN_SYSCTL_get_cpu_levelling_caps`: no word of CPUID is changed in the processor for a guest: guests that ask
/// it directly see the processor's own.
pub fn levelling(request: &mut Request) -> Refused<()> {
    request.answer(&abi::CpuLevellingCaps { caps: 0 })
}

/// `XEN_SYSCTL_get_cpu_featureset`.
pub fn features(request: &mut Request) -> Refused<()> {
    let mut asked = request.part::<abi::CpuFeatureset>()?;
    if asked.features == 0 {
        asked.nr_features = cpu_policy::WORDS as u32;
        return request.answer(&asked);
    }
    let which = match SysctlFeatureset::from_number(asked.index) {
        Ok(SysctlFeatureset::Raw | SysctlFeatureset::Host) => MachinePolicy::Host,
        Ok(SysctlFeatureset::Pv) => MachinePolicy::Default,
        Ok(SysctlFeatureset::PvMax) => MachinePolicy::Maximum,
        Err(not_done) if not_done.name.is_some() => return no_such_guests(),
        Err(_) => return refuse(Errno::EINVAL, "there is no such set of features"),
    };
    let words = cpuid::machine_features(which);
    let room = asked.nr_features.min(words.len() as u32);
    for (index, word) in words.iter().take(room as usize).enumerate() {
        guest::write(guest::element::<u32>(asked.features, index as u64), word)?;
    }
    asked.nr_features = room;
    request.answer(&asked)?;
    if (room as usize) < words.len() {
        return refuse(Errno::ENOBUFS, "there are more words of features");
    }
    Ok(())
}

/// `XEN_SYSCTL_get_cpu_policy`.
pub fn policy(request: &mut Request) -> Refused<()> {
    let mut asked = request.part::<abi::CpuPolicy>()?;
    if asked._rsvd != 0 {
        return refuse(Errno::EINVAL, "a field that must be zero is not");
    }
    let which = match SysctlCpuPolicy::from_number(asked.index) {
        Ok(SysctlCpuPolicy::Raw | SysctlCpuPolicy::Host) => MachinePolicy::Host,
        Ok(SysctlCpuPolicy::PvDefault) => MachinePolicy::Default,
        Ok(SysctlCpuPolicy::PvMax) => MachinePolicy::Maximum,
        Err(not_done) if not_done.name.is_some() => return no_such_guests(),
        Err(_) => return refuse(Errno::EINVAL, "there is no such policy"),
    };
    if asked.leaves == 0 {
        asked.nr_leaves = cpu_policy::MOST_RECORDS as u32;
    } else {
        asked.nr_leaves = write_leaves(which, asked.leaves, asked.nr_leaves)?;
    }
    let registers = cpuid::registers();
    if asked.msrs != 0 {
        if (asked.nr_msrs as usize) < registers.len() {
            return refuse(Errno::ENOBUFS, "there are more registers in the policy");
        }
        for (index, register) in registers.iter().enumerate() {
            let place = guest::element::<MsrEntry>(asked.msrs, index as u64);
            guest::write(place, register)?;
        }
    }
    asked.nr_msrs = registers.len() as u32;
    request.answer(&asked)
}

/// Writes a policy's leaves; answers how many there are.
fn write_leaves(which: MachinePolicy, to: u64, room: u32) -> Refused<u32> {
    let records = cpuid::machine_records(which);
    if (room as usize) < records.len() {
        return refuse(Errno::ENOBUFS, "there are more leaves in the policy");
    }
    for (index, record) in records.iter().enumerate() {
        let place = guest::element::<CpuidLeaf>(to, index as u64);
        guest::write(place, &cpuid::leaf_of(record))?;
    }
    Ok(records.len() as u32)
}

fn no_such_guests() -> Refused<()> {
    refuse(
        Errno::EOPNOTSUPP,
        "there are no HVM guests here, so nothing is offered to them",
    )
}
