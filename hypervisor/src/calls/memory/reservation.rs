//! Getting and giving up frames: `increase_reservation`, `decrease_reservation`, `populate_physmap`.

use allocator::Request;
use memory::Host;
use vocabulary::{refuse, Errno, Mfn, Refused};
use xen_abi::memory::MemoryReservation;

use crate::authority;
use crate::calls::memory_op::{check_extents, go_on};
use crate::domain::Domain;
use crate::guest;
use crate::hypercall::{Answer, Arguments};
use crate::machine::{self, Machine};
use crate::vcpu::Vcpu;
use vocabulary::DomainId;

/// Frames handled before a call is continued.
const BATCH: u64 = 512;

/// Extents of `order` that fit a batch, one at least.
fn extents_in_batch(order: u32) -> u64 {
    (BATCH >> order.min(63)).max(1)
}

/// Runs `one` on each extent from `done` on, answering how many succeeded; it stops quietly at the first that
/// cannot be, as the interface has it.
fn each_extent(
    vcpu: &Vcpu,
    arguments: &mut Arguments,
    structure: u64,
    done: u64,
    mut one: impl FnMut(&Domain, &MemoryReservation, u64) -> Refused<()>,
) -> Answer {
    // Nothing done is what there is to say of extents that nobody named.
    let Ok(request) = guest::read::<MemoryReservation>(structure) else {
        return Ok(done);
    };
    if check_extents(&request).is_err() || done > request.nr_extents {
        return Ok(done);
    }
    let domain = authority::target(vcpu, DomainId(request.domid))?;
    let batch_end = done + extents_in_batch(request.extent_order);
    for extent in done..request.nr_extents {
        if extent == batch_end {
            return go_on(arguments, extent);
        }
        if let Err(refusal) = one(&domain, &request, extent) {
            crate::guest_log!(Debug, "d{}: memory extent {extent}: {refusal}", domain.id);
            return Ok(extent);
        }
    }
    Ok(request.nr_extents)
}

/// `XENMEM_increase_reservation`: new frames, whose numbers are told but which have no place yet.
pub fn increase(vcpu: &Vcpu, arguments: &mut Arguments, structure: u64, done: u64) -> Answer {
    each_extent(
        vcpu,
        arguments,
        structure,
        done,
        |domain, request, extent| {
            let first = give(domain, request)?;
            if request.extent_start != 0 {
                guest::write(
                    guest::element::<u64>(request.extent_start, extent),
                    &first.0,
                )?;
            }
            Ok(())
        },
    )
}

/// `XENMEM_populate_physmap`: new frames for given places; the frames' numbers replace them.
pub fn populate(vcpu: &Vcpu, arguments: &mut Arguments, structure: u64, done: u64) -> Answer {
    each_extent(
        vcpu,
        arguments,
        structure,
        done,
        |domain, request, extent| {
            let at = guest::element::<u64>(request.extent_start, extent);
            let place = guest::read::<u64>(at)?;
            let first = give(domain, request)?;
            for number in 0..1u64 << request.extent_order {
                hw::m2p::set(first.plus(number), place.wrapping_add(number));
            }
            guest::write(at, &first.0)
        },
    )
}

/// `XENMEM_decrease_reservation`: frames given up.
pub fn decrease(vcpu: &Vcpu, arguments: &mut Arguments, structure: u64, done: u64) -> Answer {
    each_extent(
        vcpu,
        arguments,
        structure,
        done,
        |domain, request, extent| {
            let first = guest::read::<u64>(guest::element::<u64>(request.extent_start, extent))?;
            for number in 0..1u64 << request.extent_order {
                give_up(domain, Mfn(first.wrapping_add(number)))?;
            }
            Ok(())
        },
    )
}

/// The widest machine address, in bits, that a reservation allows (`XENMEMF_address_bits`).
pub fn address_bits(flags: u32) -> u8 {
    match flags as u8 {
        0 => 64,
        bits => bits.clamp(allocator::MIN_ADDRESS_BITS, 64),
    }
}

/// Gives the domain one extent.
fn give(domain: &Domain, reservation: &MemoryReservation) -> Refused<Mfn> {
    let order = reservation.extent_order as u8;
    // Frames in large pieces are for those that drive devices.
    if order > 9 && !domain.privileged {
        return refuse(
            Errno::EPERM,
            "extents of that size are for domains with devices",
        );
    }
    domain.pages.lock().check_room(1 << order)?;
    let request = Request {
        max_address_bits: address_bits(reservation.mem_flags),
        ..Request::of_order(order)
    };
    let allocation = machine::take(request)?;
    let table = machine::frames();
    let mut refused = None;
    for frame in allocation.all() {
        hw::m2p::set(frame, hw::paging::NO_FRAME);
        // One step under the list's lock: once a frame is the domain's, another of its vCPUs may give it up, and
        // then it must not get on the list any more.
        let mut pages = domain.pages.lock();
        table.assign(frame, domain.id, &Machine)?;
        let inserted = pages.insert(table, frame);
        drop(pages);
        if let Err(refusal) = inserted {
            // Another vCPU used up the room meanwhile: the frame is on no list and goes back at once.
            refused = Some(refusal);
            if let Ok(freed) = table.steal(frame, domain.id, hw::tlb::stamp) {
                machine::give_back(table.into_free(freed), 0);
            }
        }
    }
    refused.map_or(Ok(allocation.first), Err)
}

/// Takes a frame from the domain; it is free when its last reference goes.
fn give_up(domain: &Domain, frame: Mfn) -> Refused<()> {
    let freed = machine::frames().release_allocation(frame, domain.id, hw::tlb::stamp)?;
    if let Some(freed) = freed {
        Machine.free(freed);
    }
    Ok(())
}
