//! Demotion: a frame stops being a page table, and every present entry in it gives its references back.
//!
//! The entries stay as they are: the guest may promote the frame again, and nobody can write to it before its
//! type count is zero.

use core::sync::atomic::Ordering;

use vocabulary::Mfn;

use crate::budget::{Budget, Exhausted};
use crate::entry::{frame, is_hypervisor_slot, ENTRIES, PRESENT, WRITE};
use crate::environment::{slot, Host, Table, TableMemory};
use crate::frame_table::Freed;
use crate::kind::{Groups, Holder, Progress};
use crate::page_info::{Level, PageInfo, PARTIAL};
use crate::paging::Mmu;

impl<M: TableMemory, H: Host> Mmu<'_, M, H> {
    /// Gives back what a present L1 entry holds. The entry is no longer in any table.
    #[inline(always)]
    pub(crate) fn put_mapped(&self, entry: u64) {
        let mfn = frame(entry);
        let Some(page) = self.frames.get(mfn) else {
            return; // Device memory: no references.
        };
        if !page.is_ram() {
            return;
        }
        if entry & WRITE != 0 {
            page.drop_writable(|| self.host.tlb_clock());
        }
        self.release_page(page, mfn);
    }

    #[inline(always)]
    fn release_page(&self, page: &PageInfo, mfn: Mfn) {
        if let Some(freed) = self
            .frames
            .release_page(page, mfn, || self.host.tlb_clock())
        {
            self.free_frame(freed);
        }
    }

    #[cold]
    #[inline(never)]
    fn free_frame(&self, freed: Freed) {
        self.host.free(freed);
    }

    /// Drops a general and a type reference to a table, which the caller (an entry, a base pointer, a pin)
    /// owned. Where the budget runs out in the middle of a demotion both stay, and the same call goes on.
    #[inline(always)]
    pub(crate) fn put_table(
        &self,
        mfn: Mfn,
        level: Level,
        budget: &mut Budget,
    ) -> Result<(), Exhausted> {
        let Some(page) = self.frames.get(mfn) else {
            return Ok(());
        };
        if page.drop_unless_last() {
            self.release_page(page, mfn);
            return Ok(());
        }
        self.demote(page, mfn, level, budget)
    }

    /// [`put_table`](Self::put_table) where the type reference is the last: a partial table has no other.
    #[inline(never)]
    fn demote(
        &self,
        page: &PageInfo,
        mfn: Mfn,
        level: Level,
        budget: &mut Budget,
    ) -> Result<(), Exhausted> {
        if page.type_references() == 0 {
            return Ok(()); // It cannot be: the caller owns one.
        }
        let mut entries = ENTRIES;
        let mut groups = page.groups();
        if page.kind() & PARTIAL != 0 {
            entries = page.progress().entries;
            groups = Groups::ALL;
        }
        match self.demote_entries(mfn, level, groups, entries, budget) {
            Ok(()) => {
                page.drop_last(self.host.tlb_clock());
                self.release_page(page, mfn);
                Ok(())
            }
            Err(entries) => {
                page.set_progress(Progress {
                    entries,
                    holder: Holder::Held,
                });
                Err(Exhausted)
            }
        }
    }

    /// Gives back what entries `0..count` in `groups` hold. Where the budget runs out: entries `0..` of the
    /// number given still hold references.
    pub(crate) fn demote_entries(
        &self,
        mfn: Mfn,
        level: Level,
        groups: Groups,
        count: usize,
        budget: &mut Budget,
    ) -> Result<(), usize> {
        self.memory.with_table(mfn, |table| match level.below() {
            Some(below) => self.demote_upper(table, level, below, groups, count, budget),
            None => {
                self.demote_bottom(table, groups, count);
                budget.charge(8 + 16 * groups.0.count_ones());
                Ok(())
            }
        })
    }

    /// Gives back the tables that a table of level 2 to 4 points to, from the last entry to the first.
    fn demote_upper(
        &self,
        table: &Table,
        level: Level,
        below: Level,
        groups: Groups,
        count: usize,
        budget: &mut Budget,
    ) -> Result<(), usize> {
        let mut left = groups.0;
        while left != 0 {
            let number = left.ilog2();
            left ^= 1 << number;
            let start = number as usize * 16;
            if level == Level::L4 && is_hypervisor_slot(start) {
                continue;
            }
            for index in (start..count.min(start + 16)).rev() {
                let entry = slot(table, index).load(Ordering::Relaxed);
                if entry & PRESENT == 0 {
                    continue;
                }
                let spent = budget.check().is_err();
                if spent || self.put_table(frame(entry), below, budget).is_err() {
                    return Err(index + 1);
                }
                budget.charge(1);
            }
        }
        Ok(())
    }

    /// Gives back what the first `count` entries of a bottom-level table hold, where they are in `groups`.
    pub(crate) fn demote_bottom(&self, table: &Table, groups: Groups, count: usize) {
        let mut left = groups.0;
        while left != 0 {
            let start = left.trailing_zeros() as usize * 16;
            left &= left - 1;
            let Some(group) = table.get(start..count.min(start + 16)) else {
                return; // Beyond the count.
            };
            for place in group {
                let entry = place.load(Ordering::Relaxed);
                if entry & PRESENT != 0 {
                    self.put_mapped(entry);
                }
            }
        }
    }
}
