//! Changing one entry of a table in use: the heart of `mmu_update`, `update_va_mapping` and of emulated writes.

use core::sync::atomic::Ordering;

use vocabulary::{refuse, DomainId, Errno, Mfn, Refused, VirtAddr};

use crate::budget::{Attempt, Budget};
use crate::entry::{
    adjust_l1, check_upper, frame, is_hypervisor_slot, ACCESSED, ADDRESS, CACHE_BITS, DIRTY,
    ENTRIES, GUEST_KERNEL, PRESENT, USER, WRITE,
};
use crate::environment::{slot, Host, TableMemory};
use crate::page_info::{Level, PageType};
use crate::paging::{Mmu, Paging};
use crate::promotion::Lender;
use crate::walk::L1Slot;

/// How a new entry replaces the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As given (`MMU_NORMAL_PT_UPDATE`).
    Normal,
    /// With the accessed and dirty bits of the old one added (`MMU_PT_UPDATE_PRESERVE_AD`).
    PreserveAccessedDirty,
}

/// What a change of one entry did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Updated {
    /// The entry that was there, with the accessed and dirty bits that the processor had set by then.
    pub old: u64,
    /// The entry that is there now.
    pub new: u64,
    /// The table's level; `None`: the frame is no table, and the guest's plain memory was written.
    pub level: Option<Level>,
}

impl Updated {
    /// Whether a CPU may have cached the old entry in a way that matters to the guest. Nothing is owed: the
    /// guest asks for its flushes. What the hypervisor's safety needs is flushed when a frame changes its type.
    pub const fn may_be_cached(&self) -> bool {
        self.old & PRESENT != 0 && (self.old ^ self.new) & !(ACCESSED | DIRTY) != 0
    }

    /// Whether an entry of a top-level table changed: a copy of it that a CPU works on must follow.
    pub fn changed_top_level(&self) -> bool {
        self.level == Some(Level::L4) && self.old != self.new
    }
}

/// One request to change an entry.
#[derive(Clone, Copy, Debug)]
pub struct EntryUpdate {
    /// The frame that holds the entry.
    pub table: Mfn,
    /// The entry's number, 0 to 511 (taken modulo 512).
    pub index: usize,
    /// The guest's new entry.
    pub value: u64,
    /// How it replaces the old one.
    pub mode: Mode,
    /// Whose frame the new entry maps, where the table is an L1: the domain itself, or another one in whose
    /// name it is allowed to map (the caller has checked), or [`DomainId::XEN`], or [`DomainId::IO`].
    pub page_owner: DomainId,
}

impl<M: TableMemory, H: Host> Mmu<'_, M, H> {
    /// Changes one entry of a table of the domain, or writes to its plain memory where the frame is no table.
    ///
    /// EINVAL: the table is not the domain's or is half promoted, or the entry breaks a rule of its level.
    /// EBUSY: the frame that it names is not the page owner's, or is in use as something else. EPERM: device
    /// memory that the domain may not access. [`Stop::Again`](crate::Stop::Again): only for levels 2 to 4.
    pub fn update_entry(
        &self,
        paging: &mut Paging,
        update: &EntryUpdate,
        budget: &mut Budget,
    ) -> Attempt<Updated> {
        self.finish(paging, budget)?;
        let page_type = self
            .frames
            .get(update.table)
            .and_then(|page| page.is_validated_table(paging.domain));
        match page_type {
            Some(PageType::L1) => Ok(self.update_l1(paging, update)?),
            Some(PageType::L2) => self.update_upper(paging, Level::L2, update, budget),
            Some(PageType::L3) => self.update_upper(paging, Level::L3, update, budget),
            Some(PageType::L4) => self.update_upper(paging, Level::L4, update, budget),
            _ => Ok(self.write_plain(paging, update)?),
        }
    }

    /// Changes the L1 entry that a [`locate`](Self::locate) found under the same hold of the paging lock.
    #[inline]
    pub fn update_mapping(
        &self,
        paging: &mut Paging,
        found: L1Slot,
        value: u64,
        page_owner: DomainId,
    ) -> Refused<Updated> {
        let update = EntryUpdate {
            table: found.table(),
            index: found.index(),
            value,
            mode: Mode::Normal,
            page_owner,
        };
        self.update_l1(paging, &update)
    }

    /// Changes an entry of a validated L1 table of the domain.
    #[inline]
    fn update_l1(&self, paging: &Paging, update: &EntryUpdate) -> Refused<Updated> {
        let value = update.value;
        if value & PRESENT == 0 {
            let old = self.write(update, value);
            if old & PRESENT != 0 {
                self.put_mapped(old);
            }
            return Ok(bottom(old, value));
        }
        if value & paging.l1_disallowed != 0 {
            return refuse(
                Errno::EINVAL,
                "a mapping sets bits that are not the domain's to set",
            );
        }
        let new = adjust_l1(value);
        let current = self.memory.read(update.table, update.index);
        let lender = Lender::new(paging.domain, update.page_owner);
        if current & PRESENT != 0 && (current ^ new) & (ADDRESS | CACHE_BITS) == 0 {
            // The same frame: the general reference stays.
            if let Some(updated) = self.change_rights(lender, update, current, new)? {
                return Ok(updated);
            }
        }
        let stored = self.take_mapped(paging.domain, lender, new)?;
        let old = self.write(update, stored);
        if old & PRESENT != 0 {
            self.put_mapped(old);
        }
        Ok(bottom(old, stored))
    }

    /// Changes a mapping of one and the same frame. `None`: it must be done as a new mapping.
    #[inline]
    fn change_rights(
        &self,
        lender: Lender,
        update: &EntryUpdate,
        current: u64,
        new: u64,
    ) -> Refused<Option<Updated>> {
        let gains = new & !current & WRITE != 0;
        let loses = current & !new & WRITE != 0;
        let page = match self.frames.get(frame(new)) {
            Some(page) if gains || loses => {
                // Losing the right needs no leave. Gaining it does: the old entry may be a read-only grant.
                if !page.is_ram() || gains && !lender.lends(page) {
                    return Ok(None);
                }
                Some(page)
            }
            None if gains => return Ok(None),
            _ => None,
        };
        if gains {
            if let Some(page) = page {
                page.take_writable(self.host)?;
            }
        }
        let old = self.write(update, new);
        if loses {
            if let Some(page) = page {
                page.drop_writable(|| self.host.tlb_clock());
            }
        }
        Ok(Some(bottom(old, new)))
    }

    /// Stores an entry and gives the one it replaced. Only the processor changes entries beside the lock's
    /// holder, and only their accessed and dirty bits.
    #[inline]
    fn write(&self, update: &EntryUpdate, value: u64) -> u64 {
        self.memory.with_table(update.table, |table| {
            let place = slot(table, update.index);
            match update.mode {
                Mode::Normal => place.swap(value, Ordering::SeqCst),
                Mode::PreserveAccessedDirty => {
                    let mut old = place.load(Ordering::Relaxed);
                    loop {
                        let new = value | old & (ACCESSED | DIRTY);
                        match place.compare_exchange(old, new, Ordering::SeqCst, Ordering::Relaxed)
                        {
                            Ok(_) => return old,
                            Err(now) => old = now,
                        }
                    }
                }
            }
        })
    }

    /// Changes an entry of a validated table of level 2 to 4: the new subtable is promoted before, the old one
    /// demoted after. Interrupted before the entry changed: `Again`. Interrupted after: done, with a leftover.
    fn update_upper(
        &self,
        paging: &mut Paging,
        level: Level,
        update: &EntryUpdate,
        budget: &mut Budget,
    ) -> Attempt<Updated> {
        let index = update.index & (ENTRIES - 1);
        if level == Level::L4 && is_hypervisor_slot(index) {
            return Ok(refuse(
                Errno::EINVAL,
                "top-level slots 256 to 271 are the hypervisor's",
            )?);
        }
        let Some(below) = level.below() else {
            return Ok(refuse(Errno::EINVAL, "not an upper table")?);
        };
        let mut new = update.value;
        let current = self.memory.read(update.table, index);
        let mut same = false;
        if new & PRESENT != 0 {
            new = check_upper(new)?;
            same = current & PRESENT != 0 && (current ^ new) & ADDRESS == 0;
            if !same {
                budget.spend(1)?;
                self.take_table(paging, frame(new), below, budget)?;
            }
        }
        let old = self.write(update, new);
        if old & PRESENT != 0 && !same {
            self.put_table_or_leave(paging, frame(old), below, budget);
        }
        Ok(Updated {
            old,
            new: stored_value(update, old, new),
            level: Some(level),
        })
    }

    /// A table update that names no table: the guest's own memory is written, as the interface has it.
    #[cold]
    fn write_plain(&self, paging: &Paging, update: &EntryUpdate) -> Refused<Updated> {
        let page = self.frames.take(update.table, paging.domain)?;
        if page.take_writable(self.host).is_err() {
            self.release(update.table);
            return refuse(
                Errno::EINVAL,
                "the frame to update is neither a table in use nor writable",
            );
        }
        let old = self.memory.swap(update.table, update.index, update.value);
        page.drop_writable(|| self.host.tlb_clock());
        self.release(update.table);
        Ok(Updated {
            old,
            new: update.value,
            level: None,
        })
    }

    /// Puts a grant mapping in place: an L1 entry for a frame whose general reference (taken with
    /// [`PageRef::acquire_foreign`](crate::PageRef::acquire_foreign)) and, where `entry` has WRITE, writable
    /// type reference the caller has and gives to the entry. What the entry held before is given back.
    /// On a refusal the references stay the caller's. The entry is adjusted as a guest's own.
    pub fn map_grant(&self, paging: &mut Paging, found: L1Slot, entry: u64) -> Refused<Updated> {
        if entry & PRESENT == 0 || entry & paging.l1_disallowed != 0 {
            return refuse(Errno::EINVAL, "the grant's entry has bits that it must not");
        }
        let new = adjust_l1(entry);
        let old = self.memory.swap(found.table(), found.index(), new);
        if old & PRESENT != 0 {
            self.put_mapped(old);
        }
        Ok(bottom(old, new))
    }

    /// Takes a grant mapping away: the entry must map `mfn`, and becomes `replacement` (0, or what
    /// `unmap_and_replace` moves there, with its references). The references of the old entry are given
    /// back here: a writable type reference exactly where the old entry still had WRITE.
    pub fn unmap_grant(
        &self,
        paging: &mut Paging,
        found: L1Slot,
        mfn: Mfn,
        replacement: u64,
    ) -> Refused<Updated> {
        debug_assert!(paging.domain != DomainId::INVALID);
        let current = self.memory.read(found.table(), found.index());
        if current & PRESENT == 0 || frame(current) != mfn {
            return refuse(Errno::EINVAL, "the entry does not map the granted frame");
        }
        let old = self.memory.swap(found.table(), found.index(), replacement);
        self.put_mapped(old);
        Ok(bottom(old, replacement))
    }

    /// Empties an L1 entry without giving its references back: the first half of moving a mapping elsewhere
    /// (`unmap_and_replace`). Gives what was there, references and all.
    pub fn lift_mapping(&self, paging: &mut Paging, found: L1Slot) -> u64 {
        debug_assert!(paging.domain != DomainId::INVALID);
        self.memory.swap(found.table(), found.index(), 0)
    }

    /// The L1 slot for an entry that the guest names by machine address (grants with `GNTMAP_contains_pte`):
    /// the frame must be a validated L1 table of the domain.
    pub fn l1_slot(&self, paging: &Paging, table: Mfn, index: usize) -> Refused<L1Slot> {
        match self.table_type(paging, table) {
            Some(PageType::L1) => Ok(L1Slot::new(table, index)),
            _ => refuse(
                Errno::EINVAL,
                "the frame is no bottom-level table of the domain",
            ),
        }
    }
}

#[inline]
fn bottom(old: u64, new: u64) -> Updated {
    Updated {
        old,
        new,
        level: Some(Level::L1),
    }
}

fn stored_value(update: &EntryUpdate, old: u64, new: u64) -> u64 {
    match update.mode {
        Mode::Normal => new,
        Mode::PreserveAccessedDirty => new | old & (ACCESSED | DIRTY),
    }
}

/// Whether an L1 entry lets the guest reach `address` in the mode it is in: present, and for a user program
/// not the kernel's.
pub const fn permits(entry: u64, write: bool, guest_user: bool) -> bool {
    entry & PRESENT != 0
        && (!write || entry & WRITE != 0)
        && (!guest_user || (entry & USER != 0 && entry & GUEST_KERNEL == 0))
}

/// The index of `address` in a table of `level`.
pub const fn index_of(address: VirtAddr, level: Level) -> usize {
    ((address.0 >> (12 + 9 * (level as u32 - 1))) & 0x1ff) as usize
}
