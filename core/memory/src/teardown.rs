//! The end of a domain's memory: every pin ends, half promoted tables are undone, every frame is given back.

use vocabulary::{Mfn, Refusal};

use crate::budget::{Attempt, Budget, Stop};
use crate::environment::{Host, TableMemory};
use crate::kind::Holder;
use crate::page_info::{Level, PageInfo, PARTIAL};
use crate::paging::{Mmu, Paging};

impl<M: TableMemory, H: Host> Mmu<'_, M, H> {
    /// Gives back all memory of a dying domain, none of whose vCPUs runs or has a base pointer or descriptor
    /// frames left. `next` takes the next frame off the domain's list
    /// ([`DomainPages::next_to_relinquish`](crate::DomainPages::next_to_relinquish), under the list's lock,
    /// which must be free again when it returns). [`Stop::Again`]: call again to go on.
    ///
    /// Afterwards frames that other domains still map remain, until they let go.
    pub fn relinquish(
        &self,
        paging: &mut Paging,
        mut next: impl FnMut() -> Option<Mfn>,
        budget: &mut Budget,
    ) -> Attempt<()> {
        loop {
            self.finish(paging, budget)?;
            budget.check()?;
            let mfn = match paging.relinquishing {
                Some(mfn) => mfn,
                None => {
                    let Some(mfn) = next() else {
                        return Ok(());
                    };
                    if self.frames.take_listed(mfn).is_none() {
                        continue; // Another CPU is freeing it this moment.
                    }
                    paging.relinquishing = Some(mfn);
                    mfn
                }
            };
            self.relinquish_frame(paging, mfn, budget)?;
            budget.charge(1);
            paging.relinquishing = None;
            self.release(mfn);
        }
    }

    /// Ends what the domain holds on a frame to which the caller has a general reference.
    fn relinquish_frame(&self, paging: &mut Paging, mfn: Mfn, budget: &mut Budget) -> Attempt<()> {
        let Some(page) = self.frames.ram(mfn) else {
            return Ok(());
        };
        if let Some(level) = page.page_type().level() {
            if page.is_pinned() {
                page.set_pinned(false);
                self.put_table_or_leave(paging, mfn, level, budget);
                self.finish(paging, budget)?;
            }
            self.undo_orphan(page, mfn, level, budget)?;
        }
        let clock = || self.host.tlb_clock();
        // Refused where the domain gave the frame back itself: nothing to do then.
        if let Ok(Some(freed)) = self.frames.release_allocation(mfn, paging.domain, clock) {
            self.host.free(freed);
        }
        Ok(())
    }

    /// Undoes a promotion that was interrupted and never went on.
    fn undo_orphan(
        &self,
        page: &PageInfo,
        mfn: Mfn,
        level: Level,
        budget: &mut Budget,
    ) -> Attempt<()> {
        let progress = page.progress();
        if page.kind() & PARTIAL == 0 || progress.holder == Holder::Held {
            return Ok(());
        }
        let rule = Refusal::new(vocabulary::Errno::EINVAL, "the domain is dying");
        match self.undo(page, mfn, level, progress.entries, rule, budget) {
            Err(Stop::Again) => Err(Stop::Again),
            _ => Ok(()),
        }
    }
}
