//! What `mmu_update` and `mmuext_op` have in common: an array of requests, a count that also says whether the call is
//! being continued, a place where the guest wants to read how many were done, and a budget.

use memory::{Budget, Stop};

use crate::hypercall::{Answer, Arguments};
use crate::{authority, guest};

/// Table entries that one call may look at before it is continued.
pub const BUDGET: u32 = 12_000;

/// The requests of one call, of `SIZE` bytes each.
pub struct Requests<const SIZE: u64> {
    first: u64,
    count: u32,
    done: u32,
    continued: bool,
}

impl<const SIZE: u64> Requests<SIZE> {
    /// Does them, `one` by its address each, until one stops or the budget ends. `one` says whether it may have left work
    /// over, which `finish` does; both are given the `state`. Tables that nobody uses any more are free before the
    /// caller is told that its requests are done, or that one was refused: then that one is tried, and refused, again.
    #[inline(always)]
    pub fn each<S>(
        &mut self,
        budget: &mut Budget,
        state: &mut S,
        one: impl Fn(&mut S, u64, &mut Budget) -> Result<bool, Stop>,
        finish: impl Fn(&mut S, &mut Budget) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        // A call that goes on may have no request left, but what the last one left over.
        let mut may_leave_work = self.continued;
        while self.done < self.count {
            budget.check()?;
            match one(state, self.address(self.done), budget) {
                Ok(leaves_work) => may_leave_work |= leaves_work,
                Err(stop) => {
                    finish(state, budget)?;
                    return Err(stop);
                }
            }
            self.done = self.done.wrapping_add(1);
        }
        if may_leave_work {
            finish(state, budget)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn address(&self, number: u32) -> u64 {
        self.first.wrapping_add(u64::from(number) * SIZE)
    }
}

/// Lets `work` do the requests in the first three arguments (their address, their count, where to tell how many were
/// done), until it ends or stops; tells what is done, which stands, and arranges for the rest.
#[inline(always)]
pub fn run<const SIZE: u64>(
    arguments: &mut Arguments,
    work: impl FnOnce(&mut Requests<SIZE>, &mut Budget) -> Result<(), Stop>,
) -> Answer {
    let [first, count, done_at, ..] = arguments.0;
    let continued = count & authority::PREEMPTED != 0;
    let count = count as u32 & !(authority::PREEMPTED as u32);
    let mut done_before = 0;
    if continued && done_at != 0 {
        done_before = guest::read::<u32>(done_at)?;
    }
    let mut requests = Requests {
        first,
        count,
        done: 0,
        continued,
    };
    let result = work(&mut requests, &mut Budget::new(BUDGET));
    let done = requests.done;
    if done_at != 0 {
        // A guest whose place for the count cannot be written is not told.
        let _ = guest::write(done_at, &done_before.wrapping_add(done));
    }
    match result {
        Ok(()) => Ok(0),
        Err(Stop::Again) => {
            arguments.set(0, requests.address(done));
            arguments.set(1, u64::from(count - done) | authority::PREEMPTED);
            Err(Stop::Again)
        }
        Err(refused) => Err(refused),
    }
}
