//! `update_va_mapping`: changes the mapping of one page of the running address space, and flushes.

use hw::tlb;
use vocabulary::{DomainId, Errno, Refusal, Refused, VirtAddr};
use xen_abi::xen as abi;

use crate::hypercall::{Answer, Arguments, Caller};
use crate::{flush, machine};

/// Arguments: address, new entry, flags.
#[inline]
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [address, value, flags, ..] = arguments.0;
    update(
        caller,
        VirtAddr(address),
        value,
        flags,
        caller.vcpu.domain.id,
    )
}

/// The same for a mapping of `owner`'s frame.
pub fn update(
    caller: &Caller<'_>,
    address: VirtAddr,
    value: u64,
    flags: u64,
    owner: DomainId,
) -> Answer {
    let vcpu = caller.vcpu;
    let mmu = machine::mmu();
    {
        let paging = vcpu.domain.paging.lock();
        let Some(slot) = mmu.locate(&paging, vcpu.kernel_base(), address) else {
            return Err(
                Refusal::new(Errno::EINVAL, "the address has no bottom-level table").into(),
            );
        };
        mmu.update_mapping(slot, value, owner)?;
    }
    do_flush(caller, address, flags)?;
    Ok(0)
}

/// The flush that the flags ask for (`UVMF_*`).
fn do_flush(caller: &Caller<'_>, address: VirtAddr, flags: u64) -> Refused<()> {
    let one_page = match flags & abi::UVMF_FLUSHTYPE_MASK {
        abi::UVMF_TLB_FLUSH => false,
        abi::UVMF_INVLPG => true,
        _ => return Ok(()),
    };
    let domain = &caller.vcpu.domain;
    let target = flags & !abi::UVMF_FLUSHTYPE_MASK;
    if target == abi::UVMF_LOCAL {
        local(one_page, address);
    } else if target == abi::UVMF_ALL {
        flush::all(&domain.dirty);
    } else {
        flush::vcpus(domain, target)?;
    }
    Ok(())
}

fn local(one_page: bool, address: VirtAddr) {
    if one_page {
        if address.is_guest() {
            tlb::flush_page_local(address.0);
        }
    } else {
        tlb::flush_all_local();
    }
}
