//! A domain's CPUID policy.

use core::sync::atomic::Ordering::Acquire;

use arrayvec::ArrayVec;
use cpu_policy::{Entry, Leaf, PolicyError, MOST_RECORDS};
use memory::Attempt;
use vocabulary::{refuse, Errno, Refused};
use xen_abi::arch_x86::{CpuidLeaf, MsrEntry};
use xen_abi::domctl::{CpuPolicy, XEN_CPUID_INPUT_UNUSED};

use super::held::HeldDomain;
use super::Request;
use crate::{cpuid, guest};

/// Registers of a policy.
const REGISTERS: usize = cpu_policy::MSRS.len();

/// `XEN_DOMCTL_get_cpu_policy`: without an address, how many elements there are at most. ENOBUFS: too little room;
/// EFAULT.
pub fn get(request: &mut Request<'_>) -> Attempt<u64> {
    let mut part: CpuPolicy = request.part()?;
    if part.leaves == 0 {
        part.nr_leaves = MOST_RECORDS as u32;
    } else {
        let records = cpuid::domain_records(&request.domain);
        let leaves = records.iter().map(cpuid::leaf_of);
        part.nr_leaves = write_all(part.leaves, part.nr_leaves, records.len(), leaves)?;
    }
    if part.msrs == 0 {
        part.nr_msrs = REGISTERS as u32;
    } else {
        let registers = cpuid::registers().into_iter();
        part.nr_msrs = write_all(part.msrs, part.nr_msrs, REGISTERS, registers)?;
    }
    request.answer(&part)?;
    Ok(0)
}

/// Writes a list to an array with room for `room` elements; answers how many it wrote.
fn write_all<T: zerocopy::IntoBytes + zerocopy::Immutable>(
    array: u64,
    room: u32,
    count: usize,
    elements: impl Iterator<Item = T>,
) -> Refused<u32> {
    if (room as usize) < count {
        return refuse(Errno::ENOBUFS, "the array has no room for the policy");
    }
    for (index, element) in (0..).zip(elements) {
        guest::write(guest::element::<T>(array, index), &element)?;
    }
    Ok(count as u32)
}

/// `XEN_DOMCTL_set_cpu_policy`: changes the leaves that are named. EINVAL: the caller's own domain, or more than there
/// is; EEXIST: it has run; ERANGE: there can be no such leaf or register; E2BIG; EFAULT.
pub fn set(request: &mut Request<'_>) -> Attempt<u64> {
    let mut part: CpuPolicy = request.part()?;
    if request.is_own() {
        return Ok(refuse(
            Errno::EINVAL,
            "a domain does not do this to itself",
        )?);
    }
    if request.domain.settings.has_run.load(Acquire) {
        return Ok(refuse(
            Errno::EEXIST,
            "the policy of a domain that has run is not changed",
        )?);
    }
    if part.nr_leaves as usize > MOST_RECORDS || part.nr_msrs as usize > REGISTERS {
        return Ok(refuse(
            Errno::E2BIG,
            "a policy has no such number of parts",
        )?);
    }
    let leaves = read_leaves(&part)?;
    let mut registers = ArrayVec::<MsrEntry, REGISTERS>::new();
    for index in 0..u64::from(part.nr_msrs) {
        let at = guest::element::<MsrEntry>(part.msrs, index);
        registers.push(guest::read(at)?);
    }
    let held = HeldDomain::new(&request.domain);
    let changed = cpuid::change(&request.domain, &leaves, &registers);
    drop(held);
    let Err(error) = changed else { return Ok(0) };
    (part.err_leaf, part.err_subleaf, part.err_msr) = place(error);
    request.answer(&part)?;
    Ok(refuse(errno(error), rule(error))?)
}

fn read_leaves(part: &CpuPolicy) -> Refused<ArrayVec<Entry, MOST_RECORDS>> {
    let mut leaves = ArrayVec::new();
    for index in 0..u64::from(part.nr_leaves) {
        let at = guest::element::<CpuidLeaf>(part.leaves, index);
        let given = guest::read::<CpuidLeaf>(at)?;
        leaves.push(Entry {
            leaf: given.leaf,
            subleaf: given.subleaf,
            answer: Leaf::new(given.a, given.b, given.c, given.d),
        });
    }
    Ok(leaves)
}

/// Leaf, subleaf and register that an error is about.
fn place(error: PolicyError) -> (u32, u32, u32) {
    const NONE: u32 = XEN_CPUID_INPUT_UNUSED;
    match error {
        PolicyError::NoSuchLeaf { leaf, subleaf } | PolicyError::TooMuch { leaf, subleaf } => {
            (leaf, subleaf, NONE)
        }
        PolicyError::NoSuchRegister(register) | PolicyError::RegisterTooMuch(register) => {
            (NONE, NONE, register)
        }
    }
}

fn errno(error: PolicyError) -> Errno {
    match error {
        PolicyError::NoSuchLeaf { .. } | PolicyError::NoSuchRegister(_) => Errno::ERANGE,
        PolicyError::TooMuch { .. } | PolicyError::RegisterTooMuch(_) => Errno::EINVAL,
    }
}

fn rule(error: PolicyError) -> &'static str {
    match error {
        PolicyError::NoSuchLeaf { .. } => "a policy has no such leaf",
        PolicyError::TooMuch { .. } => "the policy asks for more than this machine offers",
        PolicyError::NoSuchRegister(_) => "a policy has no such register",
        PolicyError::RegisterTooMuch(_) => "a register of the policy asks for what is not there",
    }
}
