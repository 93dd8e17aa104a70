//! Changing one entry of a table in use: the heart of `mmu_update`, `update_va_mapping` and of emulated writes.

use core::sync::atomic::{AtomicU64, Ordering};

use vocabulary::{refuse, DomainId, Errno, Mfn, Refused, VirtAddr};

use crate::budget::{Attempt, Budget};
use crate::entry::{
    adjust_l1, check_upper, frame, is_hypervisor_slot, ACCESSED, ADDRESS, CACHE_BITS, DIRTY,
    ENTRIES, GUEST_KERNEL, PRESENT, USER, WRITE,
};
use crate::environment::{slot, Host, TableMemory};
use crate::page_info::{Level, PageInfo, PageType};
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
    /// As given, if the old one is still exactly this; else EAGAIN: for an emulated instruction that reads,
    /// computes and writes, which the processor's accessed and dirty bits must not get lost in.
    IfStill(u64),
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
    #[inline]
    fn at(level: Level, update: &EntryUpdate, old: u64, stored: u64) -> Self {
        let kept = match update.mode {
            Mode::PreserveAccessedDirty => old & (ACCESSED | DIRTY),
            Mode::Normal | Mode::IfStill(_) => 0,
        };
        Self {
            old,
            new: stored | kept,
            level: Some(level),
        }
    }

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
    /// memory that the domain may not access. EAGAIN: [`Mode::IfStill`]. [`Stop::Again`](crate::Stop::Again): only for levels 2 to 4.
    pub fn update_entry(
        &self,
        paging: &mut Paging,
        update: &EntryUpdate,
        budget: &mut Budget,
    ) -> Attempt<Updated> {
        self.finish(paging, budget)?;
        let Some(page) = self.frames.get(update.table) else {
            return Ok(self.write_plain(paging, update)?);
        };
        if page.is_live(PageType::L1, paging.domain) {
            return Ok(self.update_l1(paging, page, update)?);
        }
        match page.live_table(paging.domain) {
            Some(page_type) => self.update_upper(paging, page, page_type, update, budget),
            None => Ok(self.write_plain(paging, update)?),
        }
    }

    /// Changes the L1 entry at a place that [`locate`](Self::locate) found (`update_va_mapping`). Refused as in
    /// [`update_entry`](Self::update_entry).
    #[inline]
    pub fn update_mapping(
        &self,
        found: L1Slot<'_>,
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
        self.update_l1(found.paging(), found.page(), &update)
    }

    /// Changes an entry of a validated L1 table of the domain.
    #[inline(always)]
    fn update_l1(
        &self,
        paging: &Paging,
        page: &PageInfo,
        update: &EntryUpdate,
    ) -> Refused<Updated> {
        let value = update.value;
        if value & PRESENT == 0 {
            let old = self.write(update, value)?;
            if old & PRESENT != 0 {
                self.put_mapped(old);
            }
            return Ok(Updated::at(Level::L1, update, old, value));
        }
        paging.check_l1(value)?;
        let new = adjust_l1(value);
        let lender = Lender::new(paging.domain, update.page_owner);
        let current = self.memory.read(update.table, update.index);
        let differs = (current ^ new) & (ADDRESS | CACHE_BITS | WRITE);
        if current & PRESENT != 0 && differs == 0 {
            // The same frame with the same rights: its references stay as they are.
            let old = self.write(update, new)?;
            return Ok(Updated::at(Level::L1, update, old, new));
        }
        if current & PRESENT != 0 && differs == WRITE {
            if let Some(mapped) = self.may_change_rights(lender, new) {
                return self.change_rights(mapped, update, new);
            }
        }
        let stored = self.take_mapped(paging.domain, lender, new)?;
        page.note_present(update.index);
        let old = match self.write(update, stored) {
            Ok(old) => old,
            Err(refusal) => {
                self.put_mapped(stored);
                return Err(refusal);
            }
        };
        if old & PRESENT != 0 {
            self.put_mapped(old);
        }
        Ok(Updated::at(Level::L1, update, old, stored))
    }

    /// The frame of a mapping whose right to write changes. `None`: it must be done as a new mapping. Losing
    /// the right needs no leave. Gaining it does: the entry that is there may be a read-only grant.
    #[inline(always)]
    fn may_change_rights(&self, lender: Lender, new: u64) -> Option<&PageInfo> {
        self.frames
            .ram(frame(new))
            .filter(|page| new & WRITE == 0 || lender.lends(page))
    }

    /// Changes a mapping of one and the same frame, the general reference to which stays.
    #[inline(always)]
    fn change_rights(&self, mapped: &PageInfo, update: &EntryUpdate, new: u64) -> Refused<Updated> {
        let gains = new & WRITE != 0;
        if gains {
            mapped.take_writable(self.host)?;
        }
        let written = self.write(update, new);
        // Where nothing was written the entry keeps what it had: no right to write that it would have gained.
        if written.is_ok() != gains {
            mapped.drop_writable(|| self.host.tlb_clock());
        }
        Ok(Updated::at(Level::L1, update, written?, new))
    }

    /// Stores an entry and gives the one it replaced. Only the processor changes entries beside the lock's
    /// holder, and only their accessed and dirty bits.
    #[inline(always)]
    fn write(&self, update: &EntryUpdate, value: u64) -> Refused<u64> {
        self.memory.with_table(update.table, |table| {
            let place = slot(table, update.index);
            match update.mode {
                Mode::Normal => Ok(place.swap(value, Ordering::SeqCst)),
                Mode::PreserveAccessedDirty => Ok(write_preserving(place, value)),
                Mode::IfStill(expected) => write_if_still(place, expected, value),
            }
        })
    }

    /// Changes an entry of a validated table of level 2 to 4: the new subtable is promoted before, the old one
    /// demoted after. Interrupted before the entry changed: `Again`. Interrupted after: done, with a leftover.
    fn update_upper(
        &self,
        paging: &mut Paging,
        page: &PageInfo,
        page_type: PageType,
        update: &EntryUpdate,
        budget: &mut Budget,
    ) -> Attempt<Updated> {
        let index = update.index & (ENTRIES - 1);
        let level = page_type.level();
        if level == Some(Level::L4) && is_hypervisor_slot(index) {
            return Ok(refuse(
                Errno::EINVAL,
                "top-level slots 256 to 271 are the hypervisor's",
            )?);
        }
        let Some((level, below)) = level.and_then(|level| Some((level, level.below()?))) else {
            return Ok(refuse(Errno::EINVAL, "not an upper table")?);
        };
        let mut new = update.value;
        let current = self.memory.read(update.table, index);
        let mut taken = false;
        let mut same = false;
        if new & PRESENT != 0 {
            new = check_upper(new)?;
            same = current & PRESENT != 0 && (current ^ new) & ADDRESS == 0;
            if !same {
                self.take_table(paging, frame(new), below, budget)?;
                page.note_present(index);
                taken = true;
            }
        }
        let old = match self.write(update, new) {
            Ok(old) => old,
            Err(refusal) => {
                if taken {
                    self.put_table_or_leave(paging, frame(new), below, budget);
                }
                return Err(refusal.into());
            }
        };
        if old & PRESENT != 0 && !same {
            self.put_table_or_leave(paging, frame(old), below, budget);
        }
        Ok(Updated::at(level, update, old, new))
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
}

#[cold]
fn write_if_still(place: &AtomicU64, expected: u64, value: u64) -> Refused<u64> {
    place
        .compare_exchange(expected, value, Ordering::SeqCst, Ordering::Relaxed)
        .or(refuse(Errno::EAGAIN, "the entry changed meanwhile"))
}

/// Stores `value` with the accessed and dirty bits that the entry has at that moment.
#[cold]
fn write_preserving(place: &AtomicU64, value: u64) -> u64 {
    let mut old = place.load(Ordering::Relaxed);
    loop {
        let new = value | old & (ACCESSED | DIRTY);
        match place.compare_exchange(old, new, Ordering::SeqCst, Ordering::Relaxed) {
            Ok(_) => return old,
            Err(now) => old = now,
        }
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
