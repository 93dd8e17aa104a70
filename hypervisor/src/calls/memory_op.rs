//! `memory_op`: how much memory a domain has, and what the machine's looks like.

use calls::MemoryOp;
use vocabulary::{DomainId, Refusal};
use xen_abi::memory::MachphysMapping;

use super::memory::{claims, exchange, maps, reservation, resources, translated};
use crate::domain::Domain;
use crate::hypercall::{Answer, Arguments, Caller};
use crate::{authority, guest};

/// Bits of the operation's number that are its own; those above count extents done before a continuation.
pub const OPERATION_BITS: u32 = 6;

/// Arguments: operation, with the extents already done above its bits; its structure.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [command, structure, ..] = arguments.0;
    let number = command as u32 & ((1 << OPERATION_BITS) - 1);
    let done = u64::from(command as u32 >> OPERATION_BITS);
    let vcpu = caller.vcpu;
    match MemoryOp::from_number(number).map_err(Refusal::from)? {
        MemoryOp::IncreaseReservation => reservation::increase(vcpu, arguments, structure, done),
        MemoryOp::DecreaseReservation => reservation::decrease(vcpu, arguments, structure, done),
        MemoryOp::PopulatePhysmap => reservation::populate(vcpu, arguments, structure, done),
        MemoryOp::Exchange => exchange::run(vcpu, arguments, structure),
        MemoryOp::MaximumRamPage => Ok(hw::m2p::frames().saturating_sub(1)),
        MemoryOp::CurrentReservation => {
            about(caller, structure, |domain| domain.pages.lock().total())
        }
        MemoryOp::MaximumReservation => {
            about(caller, structure, |domain| domain.pages.lock().max())
        }
        MemoryOp::MaximumGpfn => about(caller, structure, |domain| {
            maps::told_frames(domain).saturating_sub(1)
        }),
        MemoryOp::MachphysMfnList => maps::machphys_frames(structure),
        MemoryOp::MemoryMap => maps::memory_map(vcpu, structure),
        MemoryOp::SetMemoryMap => maps::set_memory_map(vcpu, structure),
        MemoryOp::MachineMemoryMap => maps::machine_memory_map(vcpu, structure),
        MemoryOp::MachphysMapping => {
            let start = hw::paging::M2P_GUEST;
            let frames = hw::m2p::frames();
            guest::write(
                structure,
                &MachphysMapping {
                    v_start: start,
                    v_end: start + frames * 8,
                    max_mfn: frames.saturating_sub(1),
                },
            )?;
            Ok(0)
        }
        MemoryOp::AddToPhysmap => translated::add(structure, vcpu),
        MemoryOp::AddToPhysmapBatch => translated::add_batch(structure, vcpu),
        MemoryOp::RemoveFromPhysmap => translated::remove(structure, vcpu),
        MemoryOp::SetPodTarget | MemoryOp::GetPodTarget => translated::on_demand(structure, vcpu),
        MemoryOp::GetVnumainfo => translated::virtual_nodes(structure, vcpu),
        MemoryOp::ReservedDeviceMemoryMap => translated::reserved_for_devices(structure),
        MemoryOp::ClaimPages => claims::claim(vcpu, structure),
        MemoryOp::AcquireResource => resources::acquire(vcpu, arguments, structure, done),
        MemoryOp::GetSharingFreedPages | MemoryOp::GetSharingSharedPages => {
            authority::control(vcpu)?;
            Ok(0)
        }
    }
}

/// Answers a number about the domain whose identifier stands at `handle`.
fn about(caller: &Caller<'_>, handle: u64, ask: impl FnOnce(&Domain) -> u64) -> Answer {
    let id = DomainId(guest::read::<u16>(handle)?);
    let domain = authority::target(caller.vcpu, id)?;
    Ok(ask(&domain))
}

/// The continuation after `done` extents, or the end.
pub fn go_on(arguments: &mut Arguments, done: u64) -> Answer {
    let number = arguments.get(0) & ((1 << OPERATION_BITS) - 1);
    arguments.set(0, number | done << OPERATION_BITS);
    Err(memory::Stop::Again)
}
