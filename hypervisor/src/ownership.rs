//! Frames that change hands: from free to a domain's, and back to nobody's.

use memory::Host;
use vocabulary::{Mfn, Refused};

use crate::domain::Domain;
use crate::machine::{self, Machine};

/// Makes a frame the domain's that was just had from the allocator, at `place` in its pseudo-physical memory. A
/// refusal (ENOMEM: as many as it may have, EINVAL: it is dying) leaves the frame nobody's: the caller gives it back.
pub fn adopt(domain: &Domain, frame: Mfn, place: u64) -> Refused<()> {
    let table = machine::frames();
    hw::m2p::set(frame, place);
    // One step under the list's lock: once a frame is the domain's, another of its vCPUs may give it up, and then
    // it must not get on the list any more.
    let mut pages = domain.pages.lock();
    pages.check_room(1)?;
    table.assign(frame, domain.id, &Machine)?;
    let inserted = pages.insert(table, frame);
    drop(pages);
    if inserted.is_err() {
        // It is on no list; nobody has heard of it, so that it comes back.
        if let Ok(freed) = table.steal(frame, domain.id, hw::tlb::stamp) {
            table.into_free(freed);
        }
    }
    inserted
}

/// Makes every frame of an extent the domain's, at `place` and after. What it may not have is free again.
pub fn adopt_extent(domain: &Domain, first: Mfn, count: u64, place: u64) -> Refused<()> {
    for number in 0..count {
        let place = match place {
            hw::paging::NO_FRAME => place,
            place => place.wrapping_add(number),
        };
        let adopted = adopt(domain, first.plus(number), place);
        if adopted.is_err() {
            for rest in number..count {
                machine::give_back(first.plus(rest), 0);
            }
            return adopted;
        }
    }
    Ok(())
}

/// Makes a domain's frame nobody's at once. Nothing else may know it: EINVAL where it is not the domain's, EBUSY
/// where it is in use.
pub fn take_away(domain: &Domain, frame: Mfn) -> Refused<Mfn> {
    let table = machine::frames();
    let freed = table.steal(frame, domain.id, hw::tlb::stamp)?;
    domain.pages.lock().remove(table, &freed);
    Ok(table.into_free(freed))
}

/// Gives a frame back that is nobody's.
pub fn discard(frame: Mfn) {
    hw::m2p::set(frame, hw::paging::NO_FRAME);
    machine::give_back(frame, 0);
}

/// The domain gives a frame up; it is free when its last reference goes. EINVAL where it is not the domain's.
pub fn give_up(domain: &Domain, frame: Mfn) -> Refused<()> {
    let freed = machine::frames().release_allocation(frame, domain.id, hw::tlb::stamp)?;
    if let Some(freed) = freed {
        Machine.free(freed);
    }
    Ok(())
}
