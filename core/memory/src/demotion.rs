//! Demotion: a frame stops being a page table, and every present entry in it gives its references back.
//!
//! The entries stay as they are: the guest may promote the frame again, and nobody can write to it before its
//! type count is zero.

use core::sync::atomic::Ordering;

use vocabulary::Mfn;

use crate::budget::{Budget, Exhausted};
use crate::entry::{frame, is_hypervisor_slot, ENTRIES, FIRST_HYPERVISOR_SLOT, PRESENT, WRITE};
use crate::environment::{slot, Host, Table, TableMemory};
use crate::kind::{Holder, Progress};
use crate::page_info::{Level, PageInfo, PARTIAL};
use crate::paging::Mmu;
use crate::promotion::any_present;

/// The last present entry before `end`, looking at eight at a time.
fn previous_present(table: &Table, end: usize) -> Option<usize> {
    let mut index = end;
    while index > 0 {
        if index % 8 == 0 && !any_present(table, index - 8) {
            index -= 8;
            continue;
        }
        index -= 1;
        if slot(table, index).load(Ordering::Relaxed) & PRESENT != 0 {
            return Some(index);
        }
    }
    None
}

impl<M: TableMemory, H: Host> Mmu<'_, M, H> {
    /// Gives back what a present L1 entry holds. The entry is no longer in any table.
    #[inline]
    pub(crate) fn put_mapped(&self, entry: u64) {
        let mfn = frame(entry);
        let Some(page) = self.frames.get(mfn) else {
            return;
        };
        if entry & WRITE != 0 {
            if !page.is_ram() {
                return; // Device memory: no references.
            }
            page.drop_writable(|| self.host.tlb_clock());
        } else if !page.is_ram() {
            return;
        }
        self.release_page(page, mfn);
    }

    #[inline]
    fn release_page(&self, page: &PageInfo, mfn: Mfn) {
        if let Some(freed) = self
            .frames
            .release_page(page, mfn, || self.host.tlb_clock())
        {
            self.host.free(freed);
        }
    }

    /// Drops a general and a type reference to a table, which the caller (an entry, a base pointer, a pin)
    /// owned. Where the budget runs out in the middle of a demotion both stay, and the same call goes on.
    pub(crate) fn put_table(
        &self,
        mfn: Mfn,
        level: Level,
        budget: &mut Budget,
    ) -> Result<(), Exhausted> {
        let Some(page) = self.frames.ram(mfn) else {
            return Ok(());
        };
        let mut entries = ENTRIES;
        if page.kind() & PARTIAL != 0 {
            entries = page.progress().entries;
        } else if page.drop_unless_last() {
            self.release_page(page, mfn);
            return Ok(());
        }
        match self.demote_entries(mfn, level, entries, budget) {
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

    /// Gives back what entries `0..count` hold, from the last to the first. Where the budget runs out: how many
    /// still hold references.
    pub(crate) fn demote_entries(
        &self,
        mfn: Mfn,
        level: Level,
        count: usize,
        budget: &mut Budget,
    ) -> Result<(), usize> {
        let Some(below) = level.below() else {
            let present = self
                .memory
                .with_table(mfn, |table| self.demote_bottom(table, count));
            budget.charge(8 + present);
            return Ok(());
        };
        let mut end = count;
        while let Some(index) = self
            .memory
            .with_table(mfn, |table| previous_present(table, end))
        {
            if level == Level::L4 && is_hypervisor_slot(index) {
                end = FIRST_HYPERVISOR_SLOT;
                continue;
            }
            if budget.check().is_err() {
                return Err(index + 1);
            }
            let entry = self.memory.read(mfn, index);
            if self.put_table(frame(entry), below, budget).is_err() {
                return Err(index + 1);
            }
            budget.charge(1);
            end = index;
        }
        Ok(())
    }

    /// Gives back what the first `count` entries of a bottom-level table hold, and counts them.
    pub(crate) fn demote_bottom(&self, table: &Table, count: usize) -> u32 {
        let mut present = 0;
        let counted = table.get(..count).unwrap_or(table);
        for eight in counted.chunks(8) {
            let all = eight
                .iter()
                .fold(0, |bits, entry| bits | entry.load(Ordering::Relaxed));
            if all & PRESENT == 0 {
                continue;
            }
            for place in eight {
                let entry = place.load(Ordering::Relaxed);
                if entry & PRESENT != 0 {
                    present += 1;
                    self.put_mapped(entry);
                }
            }
        }
        present
    }
}
