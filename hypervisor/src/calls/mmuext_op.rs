//! `mmuext_op`: pins, base pointers, flushes, descriptor tables and whole pages.

use calls::MmuextOp;
use hw::tlb;
use hw::window::Window;
use memory::{Budget, Level, PageRef, Stop};
use vocabulary::{DomainId, Errno, Mfn, Refusal, VirtAddr};
use xen_abi::xen::MmuextOp as Request;

use super::requests::{self, Requests, BUDGET};
use crate::domain::Domain;
use crate::hypercall::{Answer, Arguments, Caller};
use crate::vcpu::Vcpu;
use crate::{authority, bases, flush, guest, local_table, machine};

const SIZE: u64 = core::mem::size_of::<Request>() as u64;

/// Arguments: requests, count, where to store how many were done, the domain acted on.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let target = authority::mmuext_target(caller.vcpu, DomainId(arguments.get(3) as u16))?;
    let domain: &Domain = target.as_deref().unwrap_or(&caller.vcpu.domain);
    requests::run(arguments, |requests: &mut Requests<SIZE>, budget| {
        requests.each(
            budget,
            &mut (),
            |(), at, budget| one(caller.vcpu, domain, at, budget),
            |(), budget| machine::mmu().finish(&mut domain.paging.lock(), budget),
        )
    })
}

/// Does the request at an address of the caller's; says whether it may have left work over.
#[inline(always)]
fn one(vcpu: &Vcpu, domain: &Domain, at: u64, budget: &mut Budget) -> Result<bool, Stop> {
    let request = guest::read::<Request>(at)?;
    budget.charge(4);
    if flush_here(vcpu, domain, &request) {
        return Ok(false);
    }
    apply(vcpu, domain, &request, budget)?;
    Ok(true)
}

/// Does a flush of this processor alone, the commonest request; says whether it was one.
#[inline(always)]
fn flush_here(vcpu: &Vcpu, domain: &Domain, request: &Request) -> bool {
    if domain.id != vcpu.domain.id {
        return false;
    }
    if request.cmd == MmuextOp::InvlpgLocal.number() {
        if VirtAddr(request.arg1).is_guest() {
            tlb::flush_page_local(request.arg1);
        }
    } else if request.cmd == MmuextOp::TlbFlushLocal.number() {
        tlb::flush_all_local();
    } else {
        return false;
    }
    true
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

fn apply(vcpu: &Vcpu, domain: &Domain, request: &Request, budget: &mut Budget) -> Result<(), Stop> {
    let operation = MmuextOp::from_number(request.cmd).map_err(Refusal::from)?;
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
            Ok(do_flush(vcpu, operation, second)?)
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

fn do_flush(vcpu: &Vcpu, operation: MmuextOp, second: u64) -> Result<(), Refusal> {
    let domain = &vcpu.domain;
    match operation {
        // `flush_here` has done them.
        MmuextOp::TlbFlushLocal | MmuextOp::InvlpgLocal => {}
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
