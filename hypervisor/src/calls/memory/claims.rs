//! `XENMEM_claim_pages`: free frames set aside for a domain that is about to be populated.

use vocabulary::{refuse, DomainId, Errno, Refusal};
use xen_abi::memory::MemoryReservation;

use crate::domains;
use crate::hypercall::Answer;
use crate::vcpu::Vcpu;
use crate::{authority, guest, machine};

/// Sets as many frames aside as the domain still needs to have `nr_extents`; zero gives up what is set aside.
pub fn claim(vcpu: &Vcpu, structure: u64) -> Answer {
    let request = guest::read::<MemoryReservation>(structure)?;
    if request.extent_start != 0 || request.extent_order != 0 || request.mem_flags != 0 {
        return Ok(refuse(
            Errno::EINVAL,
            "a claim names a number of frames only",
        )?);
    }
    let Some(domain) = domains::find(DomainId(request.domid)) else {
        return Ok(refuse(Errno::EINVAL, "there is no such domain")?);
    };
    authority::control(vcpu)?;
    let wanted = request.nr_extents;
    if wanted == 0 {
        machine::cancel_claim(&domain);
        return Ok(0);
    }
    // The list stays locked, so that the domain does not begin to die meanwhile and keep its claim for ever.
    let pages = domain.pages.lock();
    if pages.is_dying() || wanted <= pages.total() || wanted > pages.max() {
        return Ok(refuse(
            Errno::EINVAL,
            "a claim lies between what a domain has and may have",
        )?);
    }
    let claimed = machine::claim(&domain, wanted - pages.total());
    claimed.map_err(|refusal| match refusal.errno {
        Errno::EBUSY => Refusal::new(Errno::EINVAL, refusal.rule),
        _ => refusal,
    })?;
    Ok(0)
}
