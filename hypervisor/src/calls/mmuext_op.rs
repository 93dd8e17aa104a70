//! `mmuext_op`: pins, base pointers, flushes, descriptor tables and whole pages.

use calls::MmuextOp;
use hw::tlb;
use hw::window::Window;
use memory::{Budget, Level, PageRef, Stop};
use vocabulary::{DomainId, Errno, Mfn, Refusal, VirtAddr};
use xen_abi::xen::MmuextOp as Request;

use crate::domain::Domain;
use crate::hypercall::{Answer, Arguments, Caller};
use crate::vcpu::Vcpu;
use crate::{authority, bases, flush, guest, local_table, machine};

/// Table entries that one call may look at before it is continued.
const BUDGET: u32 = 12_000;
const SIZE: u64 = core::mem::size_of::<Request>() as u64;

/// Arguments: requests, count, where to store how many were done, the domain acted on.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [requests, count, done_at, foreign, ..] = arguments.0;
    let preempted = count & authority::PREEMPTED != 0;
    let count = count as u32 & !(authority::PREEMPTED as u32);
    let target = match DomainId(foreign as u16) {
        DomainId::SELF => None,
        id if id == caller.vcpu.domain.id => None,
        id => Some(authority::target(caller.vcpu, id)?),
    };
    let domain: &Domain = target.as_deref().unwrap_or(&caller.vcpu.domain);
    let mut done_before = 0;
    if preempted && done_at != 0 {
        done_before = guest::read::<u32>(done_at)?;
    }
    let mut budget = Budget::new(BUDGET);
    let mut done = 0;
    let result = apply_all(caller.vcpu, domain, requests, count, &mut done, &mut budget);
    if done_at != 0 {
        // What is done stands; a guest that gave no place for the count is not told.
        let _ = guest::write(done_at, &done_before.wrapping_add(done));
    }
    match result {
        Ok(()) => Ok(0),
        Err(Stop::Again) => {
            arguments.set(0, requests.wrapping_add(u64::from(done) * SIZE));
            arguments.set(1, u64::from(count - done) | authority::PREEMPTED);
            Err(Stop::Again)
        }
        Err(refused) => Err(refused),
    }
}

fn apply_all(
    vcpu: &Vcpu,
    domain: &Domain,
    requests: u64,
    count: u32,
    done: &mut u32,
    budget: &mut Budget,
) -> Result<(), Stop> {
    let mmu = machine::mmu();
    while *done < count {
        if budget.left() == 0 {
            return Err(Stop::Again);
        }
        let request = guest::read::<Request>(requests.wrapping_add(u64::from(*done) * SIZE))?;
        let operation = MmuextOp::from_number(request.cmd).map_err(Refusal::from)?;
        apply(vcpu, domain, operation, &request, budget)?;
        budget.charge(4);
        *done += 1;
    }
    mmu.finish(&mut domain.paging.lock(), budget)
}

/// Operations on the caller itself are refused for another domain.
fn own(vcpu: &Vcpu, domain: &Domain) -> Result<(), Refusal> {
    if domain.id == vcpu.domain.id {
        Ok(())
    } else {
        Err(Refusal::new(
            Errno::EPERM,
            "the operation concerns the caller itself only",
        ))
    }
}

fn apply(
    vcpu: &Vcpu,
    domain: &Domain,
    operation: MmuextOp,
    request: &Request,
    budget: &mut Budget,
) -> Result<(), Stop> {
    let mmu = machine::mmu();
    let (first, second) = (request.arg1, request.arg2);
    let mut pin = |level| mmu.pin(&mut domain.paging.lock(), Mfn(first), level, budget);
    match operation {
        MmuextOp::PinL1Table => pin(Level::L1),
        MmuextOp::PinL2Table => pin(Level::L2),
        MmuextOp::PinL3Table => pin(Level::L3),
        MmuextOp::PinL4Table => pin(Level::L4),
        MmuextOp::UnpinTable => mmu.unpin(&mut domain.paging.lock(), Mfn(first), budget),
        MmuextOp::NewBaseptr => {
            own(vcpu, domain)?;
            bases::set_kernel(vcpu, Mfn(first), budget)
        }
        MmuextOp::NewUserBaseptr => {
            own(vcpu, domain)?;
            bases::set_user(vcpu, Mfn(first), budget)
        }
        MmuextOp::SetLdt => {
            own(vcpu, domain)?;
            Ok(local_table::set(vcpu, VirtAddr(first), second)?)
        }
        MmuextOp::ClearPage => Ok(clear(domain, Mfn(first))?),
        MmuextOp::CopyPage => Ok(copy(domain, Mfn(first), Mfn(second))?),
        MmuextOp::MarkSuper | MmuextOp::UnmarkSuper => {
            Err(Refusal::new(Errno::EOPNOTSUPP, "superpages are not for PV guests").into())
        }
        _ => {
            own(vcpu, domain)?;
            budget.charge(price(operation));
            Ok(do_flush(vcpu, operation, first, second)?)
        }
    }
}

/// What a flush costs, in table entries looked at: waiting for other processors, or for all caches.
fn price(operation: MmuextOp) -> u32 {
    match operation {
        MmuextOp::TlbFlushLocal | MmuextOp::InvlpgLocal => 0,
        MmuextOp::FlushCache | MmuextOp::FlushCacheGlobal => BUDGET,
        _ => BUDGET / 100,
    }
}

fn do_flush(vcpu: &Vcpu, operation: MmuextOp, first: u64, second: u64) -> Result<(), Refusal> {
    let domain = &vcpu.domain;
    match operation {
        MmuextOp::TlbFlushLocal => tlb::flush_all_local(),
        MmuextOp::InvlpgLocal => {
            if VirtAddr(first).is_guest() {
                tlb::flush_page_local(first);
            }
        }
        MmuextOp::TlbFlushMulti | MmuextOp::InvlpgMulti => {
            if flush::vcpus(domain, second).is_err() {
                return Err(Refusal::new(
                    Errno::EINVAL,
                    "the set of vCPUs to flush cannot be read",
                ));
            }
        }
        MmuextOp::TlbFlushAll | MmuextOp::InvlpgAll => flush::all(&domain.dirty),
        // Only a domain with device memory has a reason to write caches back.
        _ if !domain.privileged => {
            return Err(Refusal::new(
                Errno::EACCES,
                "the domain has no device memory",
            ));
        }
        _ => hw::cpu::write_back_caches(),
    }
    Ok(())
}

fn writable(
    domain: &Domain,
    frame: Mfn,
) -> Result<memory::WritableRef<'static, machine::Machine>, Refusal> {
    let page = PageRef::acquire(machine::frames(), &machine::Machine, frame, domain.id)?;
    page.writable().map_err(|refusal| Refusal {
        errno: Errno::EINVAL,
        ..refusal
    })
}

fn clear(domain: &Domain, frame: Mfn) -> Result<(), Refusal> {
    let page = writable(domain, frame)?;
    Window::open(frame).clear();
    drop(page);
    Ok(())
}

fn copy(domain: &Domain, to: Mfn, from: Mfn) -> Result<(), Refusal> {
    let source = PageRef::acquire(machine::frames(), &machine::Machine, from, domain.id)?;
    let page = writable(domain, to)?;
    Window::open(to).copy_from(&Window::open(from));
    drop((source, page));
    Ok(())
}
