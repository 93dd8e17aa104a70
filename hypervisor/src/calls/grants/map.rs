//! `GNTTABOP_map_grant_ref`.

use grants::{Denied, Grant, GrantHandle, Granted, MapRequest, Status};
use memory::entry::{ACCESSED, DIRTY, NO_EXECUTE, PRESENT, USER, WRITE};
use vocabulary::{DomainId, GrantRef, Mfn};
use xen_abi::grant_table as abi;
use xen_abi::grant_table::GnttabMapGrantRef as Request;

use super::{deny, each, slot, status_of, Held, Lenders};
use crate::hypercall::{Answer, Arguments};
use crate::vcpu::Vcpu;
use crate::{guest, heap};
use crate::{machine, trace};

/// Where an entry's three bits for software begin.
const AVAILABLE_SHIFT: u32 = 9;
/// Where a request's bits for them begin (`_GNTMAP_guest_avail0`).
const ASKED_AVAILABLE_SHIFT: u32 = 16;

/// Maps each structure's grant. Each has its own status; a refused one does not stop the others.
pub fn run(vcpu: &Vcpu, arguments: &mut Arguments, count: u32) -> Answer {
    let mut lenders = Lenders::default();
    each::<Request>(arguments, count, |at| {
        let mut request = guest::read::<Request>(at)?;
        let mapped = heap::growing(|| map(vcpu, &mut lenders, &request));
        request.status = status_of(vcpu, "map", &mapped);
        if let Ok((handle, frame)) = mapped {
            request.handle = handle.0;
            request.dev_bus_addr = frame.address().0;
            trace::note(trace::event::GRANT_MAP, &[u32::from(request.dom)]);
        }
        guest::write(at, &request)
    })
}

fn map(vcpu: &Vcpu, lenders: &mut Lenders, request: &Request) -> Granted<(GrantHandle, Mfn)> {
    let has = |flag: u32| request.flags & flag != 0;
    let wish = MapRequest {
        reference: GrantRef(request.grant_ref),
        host: has(abi::GNTMAP_host_map),
        device: has(abi::GNTMAP_device_map),
        readonly: has(abi::GNTMAP_readonly),
        by_entry: has(abi::GNTMAP_contains_pte),
    };
    if !wish.host && !wish.device {
        return deny(
            Status::BadReference,
            "a grant is mapped for the host or for devices",
        );
    }
    let lender = lenders.find(DomainId(request.dom))?;
    let own = &vcpu.domain;
    let pending = lender
        .grants
        .table
        .begin_map(&own.grants.borrowed, vcpu.id, wish)?;
    let grant = pending.grant();
    // The domain is PV: the lender names machine frames.
    let frame = grant.machine.unwrap_or(Mfn(grant.frame.0));
    let hold = |grant: &Grant| Held::take(frame, grant.owner, own.id, grant.writable);
    // A device's mapping holds references of its own, though without an I/O MMU nothing maps.
    let for_device = if wish.device {
        Some(hold(&grant)?)
    } else {
        None
    };
    if wish.host {
        place(vcpu, request, frame, hold(&grant)?)?;
    }
    if let Some(held) = for_device {
        held.keep();
    }
    Ok((pending.commit(frame), frame))
}

/// The entry for a granted frame, as a guest kernel would write it. RAM has the machine's own memory type, whatever
/// the lender asks for.
fn entry_for(frame: Mfn, flags: u32) -> u64 {
    let has = |flag: u32| flags & flag != 0;
    let mut entry = frame.address().0 | PRESENT | ACCESSED | DIRTY | NO_EXECUTE;
    if !has(abi::GNTMAP_readonly) {
        entry |= WRITE;
    }
    if has(abi::GNTMAP_application_map) {
        entry |= USER;
    }
    entry | u64::from(flags >> ASKED_AVAILABLE_SHIFT & 7) << AVAILABLE_SHIFT
}

/// Writes the page-table entry, which takes `held` over.
fn place(vcpu: &Vcpu, request: &Request, frame: Mfn, held: Held) -> Granted<()> {
    let by_entry = request.flags & abi::GNTMAP_contains_pte != 0;
    let paging = vcpu.domain.paging.lock();
    let slot = slot(vcpu, &paging, request.host_addr, by_entry)?;
    match machine::mmu().map_grant(slot, entry_for(frame, request.flags)) {
        Ok(_) => {
            held.keep();
            Ok(())
        }
        Err(refusal) => Err(Denied {
            status: Status::General,
            rule: refusal.rule,
        }),
    }
}
