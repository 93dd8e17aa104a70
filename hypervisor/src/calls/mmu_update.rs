//! `mmu_update`: changes entries of page tables and of the machine-to-physical table, a batch at a time.

use calls::MmuUpdateOp;
use memory::{Budget, EntryUpdate, Mode, Stop};
use vocabulary::{DomainId, MachineAddr, Refusal};

use crate::authority;
use crate::domain::Domain;
use crate::guest;
use crate::hypercall::{Answer, Arguments, Caller};
use crate::machine;

/// Table entries that one call may look at before it is continued.
const BUDGET: u32 = 12_000;
/// Bits of a request's pointer that are its command: entries are eight bytes long.
const COMMAND: u64 = 7;
/// Bytes of a `struct mmu_update`.
const REQUEST: u64 = 16;

/// Arguments: requests, count, where to store how many were done, foreign domains.
#[inline]
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [requests, count, done_at, foreign, ..] = arguments.0;
    let preempted = count & authority::PREEMPTED != 0;
    let count = count as u32 & !(authority::PREEMPTED as u32);
    let targets = authority::mmu_targets(caller.vcpu, foreign as u32)?;
    let own = &caller.vcpu.domain;
    let table_domain: &Domain = targets.tables.as_deref().unwrap_or(own);
    let mut done_before = 0;
    if preempted && done_at != 0 {
        done_before = guest::read::<u32>(done_at)?;
    }
    let mut budget = Budget::new(BUDGET);
    let mut done = 0;
    let result = apply_all(
        table_domain,
        targets.pages,
        requests,
        count,
        &mut done,
        &mut budget,
    );
    if done_at != 0 {
        let total = done_before.wrapping_add(done);
        // What is done stands; a guest that gave no place for the count is not told.
        let _ = guest::write(done_at, &total);
    }
    match result {
        Ok(()) => Ok(0),
        Err(Stop::Again) => {
            arguments.set(0, requests.wrapping_add(u64::from(done) * REQUEST));
            arguments.set(1, u64::from(count - done) | authority::PREEMPTED);
            Err(Stop::Again)
        }
        Err(refused) => Err(refused),
    }
}

fn apply_all(
    domain: &Domain,
    pages: DomainId,
    requests: u64,
    count: u32,
    done: &mut u32,
    budget: &mut Budget,
) -> Result<(), Stop> {
    let mmu = machine::mmu();
    let mut paging = domain.paging.lock();
    while *done < count {
        budget.check()?;
        let at = requests.wrapping_add(u64::from(*done) * REQUEST);
        let [pointer, value] = guest::read_words::<2>(at)?;
        let mode = match MmuUpdateOp::from_number((pointer & COMMAND) as u32) {
            // Entries name machine frames in a PV guest anyway, so "do not translate" changes nothing.
            Ok(MmuUpdateOp::NormalPtUpdate | MmuUpdateOp::PtUpdateNoTranslate) => Mode::Normal,
            Ok(MmuUpdateOp::PtUpdatePreserveAd) => Mode::PreserveAccessedDirty,
            Ok(MmuUpdateOp::MachphysUpdate) => {
                machphys(pages, MachineAddr(pointer), value)?;
                *done += 1;
                budget.charge(1);
                continue;
            }
            Err(not_done) => return Err(Refusal::from(not_done).into()),
        };
        let address = MachineAddr(pointer & !COMMAND);
        let update = EntryUpdate {
            table: address.frame(),
            index: address.offset() >> 3,
            value,
            mode,
            page_owner: pages,
        };
        mmu.update_entry(&mut paging, &update, budget)?;
        budget.charge(4);
        *done += 1;
    }
    // What the last change left over (a table that nobody uses any more) is finished before the caller knows.
    mmu.finish(&mut paging, budget)
}

/// `MMU_MACHPHYS_UPDATE`: the pseudo-physical number of one of the pages' owner's frames.
fn machphys(owner: DomainId, pointer: MachineAddr, value: u64) -> Result<(), Refusal> {
    let frame = pointer.frame();
    let page = memory::PageRef::acquire(machine::frames(), &machine::Machine, frame, owner)?;
    hw::m2p::set(frame, value);
    drop(page);
    Ok(())
}
