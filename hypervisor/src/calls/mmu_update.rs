//! `mmu_update`: changes entries of page tables and of the machine-to-physical table, a batch at a time.

use calls::MmuUpdateOp;
use memory::{Budget, EntryUpdate, Mode, Paging, Stop};
use vocabulary::{DomainId, MachineAddr, Refusal};

use super::requests::{self, Requests};
use crate::domain::Domain;
use crate::hypercall::{Answer, Arguments, Caller};
use crate::{authority, guest, machine};

/// Bits of a request's pointer that are its command: entries are eight bytes long.
const COMMAND: u64 = 7;
/// Bytes of a `struct mmu_update`.
const REQUEST: u64 = 16;

/// Arguments: requests, count, where to store how many were done, foreign domains.
#[inline]
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [at, count, done_at, foreign, ..] = arguments.0;
    let is_own = foreign as u32 == u32::from(DomainId::SELF.0);
    if count == 1 && done_at == 0 && is_own {
        let [pointer, value] = guest::read_words::<2>(at)?;
        if let Some(mode) = usual_mode(pointer) {
            return one(&caller.vcpu.domain, pointer, value, mode, arguments);
        }
    }
    let targets = authority::mmu_targets(caller.vcpu, arguments.get(3) as u32)?;
    let own = &caller.vcpu.domain;
    let tables: &Domain = targets.tables.as_deref().unwrap_or(own);
    requests::run(arguments, |requests: &mut Requests<REQUEST>, budget| {
        requests.each(
            budget,
            &mut *tables.paging.lock(),
            |paging, at, budget| apply(paging, targets.pages, at, budget).map(|()| true),
            |paging, budget| machine::mmu().finish(paging, budget),
        )
    })
}

/// The commonest call: one entry of the caller's own tables, and nobody wants to be told how many were done.
#[inline(always)]
fn one(own: &Domain, pointer: u64, value: u64, mode: Mode, arguments: &mut Arguments) -> Answer {
    let update = entry_update(pointer, value, mode, own.id);
    let mut paging = own.paging.lock();
    // Where it stops, nothing is done yet, and the same call goes on.
    machine::mmu().update_entry(&mut paging, &update, &mut Budget::new(requests::BUDGET))?;
    if paging.has_leftover() {
        // A call without requests finishes it.
        arguments.set(1, authority::PREEMPTED);
        return Err(Stop::Again);
    }
    Ok(0)
}

/// A request about an entry; `page_owner` has the page that the new value names.
#[inline(always)]
fn entry_update(pointer: u64, value: u64, mode: Mode, page_owner: DomainId) -> EntryUpdate {
    let address = MachineAddr(pointer & !COMMAND);
    EntryUpdate {
        table: address.frame(),
        index: address.offset() >> 3,
        value,
        mode,
        page_owner,
    }
}

/// How a request's command replaces an entry, for the two that kernels use all the time.
#[inline(always)]
fn usual_mode(pointer: u64) -> Option<Mode> {
    const NORMAL: u64 = MmuUpdateOp::NormalPtUpdate.number() as u64;
    const PRESERVING: u64 = MmuUpdateOp::PtUpdatePreserveAd.number() as u64;
    match pointer & COMMAND {
        NORMAL => Some(Mode::Normal),
        PRESERVING => Some(Mode::PreserveAccessedDirty),
        _ => None,
    }
}

/// Does the request at an address of the caller's.
#[inline(always)]
fn apply(paging: &mut Paging, pages: DomainId, at: u64, budget: &mut Budget) -> Result<(), Stop> {
    let [pointer, value] = guest::read_words::<2>(at)?;
    let mode = match MmuUpdateOp::from_number((pointer & COMMAND) as u32) {
        // Entries name machine frames in a PV guest anyway, so "do not translate" changes nothing.
        Ok(MmuUpdateOp::NormalPtUpdate | MmuUpdateOp::PtUpdateNoTranslate) => Mode::Normal,
        Ok(MmuUpdateOp::PtUpdatePreserveAd) => Mode::PreserveAccessedDirty,
        Ok(MmuUpdateOp::MachphysUpdate) => {
            machphys(pages, MachineAddr(pointer), value)?;
            budget.charge(1);
            return Ok(());
        }
        Err(not_done) => return Err(Refusal::from(not_done).into()),
    };
    let update = entry_update(pointer, value, mode, pages);
    machine::mmu().update_entry(paging, &update, budget)?;
    budget.charge(4);
    Ok(())
}

/// `MMU_MACHPHYS_UPDATE`: the pseudo-physical number of one of the pages' owner's frames.
fn machphys(owner: DomainId, pointer: MachineAddr, value: u64) -> Result<(), Refusal> {
    let frame = pointer.frame();
    let page = memory::PageRef::acquire(machine::frames(), &machine::Machine, frame, owner)?;
    hw::m2p::set(frame, value);
    drop(page);
    Ok(())
}
