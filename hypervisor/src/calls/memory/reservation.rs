//! Getting and giving up frames: `increase_reservation`, `decrease_reservation`, `populate_physmap`.

use allocator::Request;
use vocabulary::{refuse, DomainId, Errno, Mfn, Refused};
use xen_abi::memory::{
    MemoryReservation, XENMEMF_exact_node_request, XENMEMF_populate_on_demand, XENMEMF_vnode,
};

use crate::authority;
use crate::calls::memory_op::{go_on, OPERATION_BITS};
use crate::domain::Domain;
use crate::hypercall::{Answer, Arguments};
use crate::placement::AskedNode;
use crate::vcpu::Vcpu;
use crate::{guest, machine, ownership, trace};

/// Frames handled before a call is continued.
const BATCH: u64 = 512;
/// Largest extent of the control domain, as an order of frames: as much as one call zeroes and hands over in about a
/// millisecond. Xen has 18, which it, too, can rarely serve: builders fall back to smaller ones.
const MOST_ORDER: u32 = 11;
/// Largest extent of any other domain (Xen's default).
const MOST_ORDER_OF_GUESTS: u32 = 9;
/// Nodes that a flag can name (Xen's default of `MAX_NUMNODES`).
const NODES_NAMED: u8 = 64;
/// A width of addresses up to which there is not even one frame.
const NO_WIDTH: u8 = 12;

/// The largest extent, as an order of frames, that a caller may ask for.
pub fn most_order(vcpu: &Vcpu) -> u32 {
    if authority::control(vcpu).is_ok() {
        MOST_ORDER
    } else {
        MOST_ORDER_OF_GUESTS
    }
}

/// Extents of `order` that fit a batch, one at least.
fn extents_in_batch(order: u32) -> u64 {
    (BATCH >> order.min(63)).max(1)
}

/// A call on extents, checked.
struct Reservation {
    /// The structure as it was read.
    given: MemoryReservation,
    /// What to ask the allocator for, an extent, but for the node.
    wanted: Request,
    /// The node that was named.
    node: AskedNode,
}

impl Reservation {
    /// Reads and checks the structure. Whatever is wrong with it, the answer is "so many extents were done".
    fn read(vcpu: &Vcpu, structure: u64, done: u64) -> Refused<Self> {
        let given = guest::read::<MemoryReservation>(structure)?;
        if given.nr_extents > u64::from(u32::MAX) >> OPERATION_BITS || done >= given.nr_extents {
            return refuse(Errno::EINVAL, "too many extents for one call, or none");
        }
        if given.extent_order > most_order(vcpu) {
            return refuse(
                Errno::EPERM,
                "extents are larger than the caller may ask for",
            );
        }
        let wanted = Request {
            max_address_bits: address_bits(given.mem_flags)?,
            ..Request::of_order(given.extent_order as u8)
        };
        let node = asked_node(vcpu, given.mem_flags)?;
        Ok(Self {
            given,
            wanted,
            node,
        })
    }

    /// Frames an extent has.
    fn frames(&self) -> u64 {
        1 << self.wanted.order
    }

    /// Where the number of an extent stands.
    fn place(&self, extent: u64) -> u64 {
        guest::element::<u64>(self.given.extent_start, extent)
    }
}

/// Runs `one` on each extent from `done` on, answering how many succeeded; it stops quietly at the first that
/// cannot be, as the interface has it.
fn each_extent(
    vcpu: &Vcpu,
    arguments: &mut Arguments,
    structure: u64,
    done: u64,
    mut one: impl FnMut(&Domain, &Reservation, u64) -> Refused<()>,
) -> Answer {
    let checked = Reservation::read(vcpu, structure, done).and_then(|request| {
        let domain = authority::target(vcpu, DomainId(request.given.domid))?;
        Ok((request, domain))
    });
    let (request, domain) = match checked {
        Ok(checked) => checked,
        Err(refusal) => {
            crate::guest_log!(Debug, "d{}: memory extents: {refusal}", vcpu.domain.id);
            return Ok(done);
        }
    };
    let batch_end = done + extents_in_batch(request.given.extent_order);
    for extent in done..request.given.nr_extents {
        if extent == batch_end {
            return go_on(arguments, extent);
        }
        if let Err(refusal) = one(&domain, &request, extent) {
            crate::guest_log!(Debug, "d{}: memory extent {extent}: {refusal}", domain.id);
            return Ok(extent);
        }
    }
    Ok(request.given.nr_extents)
}

/// `XENMEM_increase_reservation`: new frames, whose numbers are told but which have no place yet.
pub fn increase(vcpu: &Vcpu, arguments: &mut Arguments, structure: u64, done: u64) -> Answer {
    let one = |domain: &Domain, request: &Reservation, extent: u64| {
        let first = give(domain, request, hw::paging::NO_FRAME)?;
        if request.given.extent_start != 0 {
            guest::write(request.place(extent), &first.0)?;
        }
        Ok(())
    };
    each_extent(vcpu, arguments, structure, done, one)
}

/// `XENMEM_populate_physmap`: new frames for given places; the frames' numbers replace them.
pub fn populate(vcpu: &Vcpu, arguments: &mut Arguments, structure: u64, done: u64) -> Answer {
    let one = |domain: &Domain, request: &Reservation, extent: u64| {
        if request.given.mem_flags & XENMEMF_populate_on_demand != 0 {
            // Another domain's demand never comes, as it has no map to fault in; nobody asks for his own.
            return if domain.id == vcpu.domain.id {
                refuse(Errno::EINVAL, "a domain does not populate itself on demand")
            } else {
                Ok(())
            };
        }
        let at = request.place(extent);
        let place = guest::read::<u64>(at)?;
        let first = give(domain, request, place)?;
        guest::write(at, &first.0)
    };
    each_extent(vcpu, arguments, structure, done, one)
}

/// `XENMEM_decrease_reservation`: frames given up.
pub fn decrease(vcpu: &Vcpu, arguments: &mut Arguments, structure: u64, done: u64) -> Answer {
    let one = |domain: &Domain, request: &Reservation, extent: u64| {
        let first = guest::read::<u64>(request.place(extent))?;
        for number in 0..request.frames() {
            ownership::give_up(domain, Mfn(first.wrapping_add(number)))?;
        }
        trace::note_extent(domain, first, request.wanted.order.into());
        Ok(())
    };
    each_extent(vcpu, arguments, structure, done, one)
}

/// The widest machine address, in bits, that a reservation allows (`XENMEMF_address_bits`). EINVAL where no frame
/// has so narrow a one.
pub fn address_bits(flags: u32) -> Refused<u8> {
    match flags as u8 {
        0 => Ok(64),
        1..=NO_WIDTH => refuse(Errno::EINVAL, "no frame has so narrow an address"),
        bits => Ok(bits.min(64)),
    }
}

/// The node that a reservation names (`XENMEMF_node`, `XENMEMF_exact_node`). Only the control domain chooses; a virtual
/// node is none, as no domain has any.
pub fn asked_node(vcpu: &Vcpu, flags: u32) -> Refused<AskedNode> {
    let Some(node) = ((flags >> 8) as u8).checked_sub(1) else {
        return Ok(AskedNode::None);
    };
    if flags & XENMEMF_vnode != 0 {
        return Ok(AskedNode::None);
    }
    let exact = flags & XENMEMF_exact_node_request != 0;
    if authority::control(vcpu).is_err() {
        if exact {
            return refuse(Errno::EPERM, "only the control domain chooses a node");
        }
        return Ok(AskedNode::None);
    }
    match node {
        NODES_NAMED.. => refuse(Errno::EINVAL, "no such node"),
        node if exact => Ok(AskedNode::Only(node)),
        node => Ok(AskedNode::First(node)),
    }
}

/// Gives the domain one extent, for `place` in its memory.
fn give(domain: &Domain, request: &Reservation, place: u64) -> Refused<Mfn> {
    domain.pages.lock().check_room(request.frames())?;
    let wanted = Request {
        node: domain.settings.placement.next(request.node),
        ..request.wanted
    };
    let first = machine::take_for(domain, wanted)?.first;
    ownership::adopt_extent(domain, first, request.frames(), place)?;
    Ok(first)
}
