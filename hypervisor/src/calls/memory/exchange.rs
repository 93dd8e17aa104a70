//! `XENMEM_exchange`: frames given up for others that lie better, such as adjacent ones below 4 GiB for a
//! device without an address width of its own.

use alloc::vec::Vec;

use allocator::{Contents, Request};
use memory::Stop;
use vocabulary::{refuse, DomainId, Errno, Mfn, Refusal, Refused};
use xen_abi::memory::MemoryExchange;

use super::reservation::{address_bits, asked_node, most_order};
use crate::domain::Domain;
use crate::hypercall::{Answer, Arguments};
use crate::placement::AskedNode;
use crate::vcpu::Vcpu;
use crate::{authority, guest, machine, ownership};

/// Frames exchanged before the call is continued.
const BATCH: u64 = 1024;

/// Where the count of extents done stands in the structure.
const DONE_OFFSET: u64 = core::mem::offset_of!(MemoryExchange, nr_exchanged) as u64;

/// Runs the exchange: chunk by chunk, each whole or not at all. `nr_exchanged` carries on over continuations.
pub fn run(vcpu: &Vcpu, _: &mut Arguments, structure: u64) -> Answer {
    let request = guest::read::<MemoryExchange>(structure)?;
    check(vcpu, &request)?;
    let domain = authority::target(vcpu, DomainId(request.input.domid))?;
    // A chunk is the larger of the two extents.
    let order = request.input.extent_order.max(request.out.extent_order);
    let inputs = 1u64 << (order - request.input.extent_order);
    let outputs = 1u64 << (order - request.out.extent_order);
    let node = asked_node(vcpu, request.out.mem_flags)?;
    let mut done = request.nr_exchanged / inputs;
    let chunks = request.input.nr_extents / inputs;
    let mut spent = 0;
    while done < chunks {
        if spent >= BATCH {
            guest::write(structure.wrapping_add(DONE_OFFSET), &(done * inputs))?;
            return Err(Stop::Again);
        }
        let result = chunk(&domain, &request, node, done, (inputs, outputs));
        if let Err(refusal) = result {
            guest::write(structure.wrapping_add(DONE_OFFSET), &(done * inputs))?;
            return Err(refusal.into());
        }
        spent += 1 << order;
        done += 1;
    }
    guest::write(structure.wrapping_add(DONE_OFFSET), &(done * inputs))?;
    Ok(0)
}

fn check(vcpu: &Vcpu, request: &MemoryExchange) -> Refused<()> {
    let (input, out) = (&request.input, &request.out);
    if input.domid != out.domid || request.nr_exchanged > input.nr_extents {
        return refuse(Errno::EINVAL, "both sides of an exchange are one domain's");
    }
    let most = most_order(vcpu);
    if input.extent_order > most || out.extent_order > most {
        return refuse(Errno::EPERM, "an extent of the exchange is too large");
    }
    let limit = u64::MAX >> most;
    let equal = input.nr_extents < limit
        && out.nr_extents < limit
        && input.nr_extents << input.extent_order == out.nr_extents << out.extent_order;
    if !equal {
        return refuse(Errno::EINVAL, "the two sides of an exchange differ in size");
    }
    Ok(())
}

/// Exchanges one chunk, so many extents for so many. First the new frames are had and the old ones taken; if either fails, everything is
/// put back. Then nothing can fail but the guest's own memory, which costs it the numbers.
fn chunk(
    domain: &Domain,
    request: &MemoryExchange,
    node: AskedNode,
    number: u64,
    (inputs, outputs): (u64, u64),
) -> Refused<()> {
    let first_input = number * inputs;
    let first_output = number * outputs;
    let mut gained = Vec::new();
    let count = usize::try_from(outputs).unwrap_or(usize::MAX);
    if gained.try_reserve_exact(count).is_err() {
        return refuse(Errno::ENOMEM, "no memory to keep track of the exchange");
    }
    let wanted = Request {
        order: request.out.extent_order as u8,
        max_address_bits: address_bits(request.out.mem_flags)?,
        contents: Contents::Zeroed,
        ..Request::of_order(0)
    };
    for _ in 0..outputs {
        let node = domain.settings.placement.next(node);
        match machine::take(Request { node, ..wanted }) {
            Ok(allocation) => gained.push(allocation.first),
            Err(refusal) => {
                put_back(&gained, wanted.order);
                return Err(refusal);
            }
        }
    }
    let mut taken = Vec::new();
    for extent in first_input..first_input + inputs {
        if let Err(refusal) = take_extent(domain, request, extent, &mut taken) {
            return_to(domain, &taken);
            put_back(&gained, wanted.order);
            return Err(refusal);
        }
    }
    taken.into_iter().for_each(ownership::discard);
    let mut written = Ok(());
    for (index, &first) in (first_output..).zip(&gained) {
        let told = hand_over(domain, request, index, first);
        written = written.and(told);
    }
    written
}

fn put_back(gained: &[Mfn], order: u8) {
    for &first in gained {
        machine::give_back(first, order);
    }
}

/// Takes the frames of one input extent from the domain; they are nobody's then.
fn take_extent(
    domain: &Domain,
    request: &MemoryExchange,
    extent: u64,
    taken: &mut Vec<Mfn>,
) -> Refused<()> {
    let first = guest::read::<u64>(guest::element::<u64>(request.input.extent_start, extent))?;
    let count = 1usize << request.input.extent_order;
    taken
        .try_reserve(count)
        .map_err(|_| Refusal::new(Errno::ENOMEM, "no memory to keep track of the exchange"))?;
    for number in 0..count as u64 {
        let frame = Mfn(first.wrapping_add(number));
        let frame = ownership::take_away(domain, frame).map_err(|refusal| Refusal {
            errno: Errno::EINVAL,
            ..refusal
        })?;
        taken.push(frame);
    }
    Ok(())
}

/// Gives frames back to the domain they were just taken from. One that it may not have any more (another of its vCPUs
/// used up the room, or it began to die) is free.
fn return_to(domain: &Domain, taken: &[Mfn]) {
    for &frame in taken {
        if ownership::adopt(domain, frame, hw::m2p::get(frame)).is_err() {
            ownership::discard(frame);
        }
    }
}

/// Makes one output extent the domain's and tells its number.
fn hand_over(domain: &Domain, request: &MemoryExchange, extent: u64, first: Mfn) -> Refused<()> {
    let at = guest::element::<u64>(request.out.extent_start, extent);
    let place = guest::read::<u64>(at).unwrap_or(hw::paging::NO_FRAME);
    ownership::adopt_extent(domain, first, 1 << request.out.extent_order, place)?;
    guest::write(at, &first.0)
}
