//! Promotion: a frame becomes a page table when every entry in it obeys the rules, and each present entry then
//! holds a reference to what it names.

use core::sync::atomic::{AtomicU64, Ordering};

use vocabulary::{refuse, DomainId, Errno, Mfn, Refusal, Refused};

use crate::budget::{Attempt, Budget, Stop};
use crate::entry::{
    adjust_l1, check_upper, frame, is_hypervisor_slot, CACHE_BITS, FIRST_HYPERVISOR_SLOT, PRESENT,
    WRITE,
};
use crate::environment::{Host, IoAccess, Table, TableMemory};
use crate::kind::{Claim, Groups, Holder, Progress};
use crate::page_info::{owner_bits, Level, PageInfo, ALLOCATED, FOREIGN, OWNER, OWNER_SHIFT};
use crate::paging::{Mmu, Paging};

/// Whose frames a mapping request names, ready for comparison with a frame's state.
#[derive(Clone, Copy)]
pub(crate) struct Lender {
    pub(crate) owner: DomainId,
    /// Bits of the state that such a frame has.
    wanted: u64,
    /// Bits of the state that a mapping adds.
    mark: u64,
}

impl Lender {
    #[inline]
    pub(crate) fn new(mapper: DomainId, owner: DomainId) -> Self {
        // Frames of INVALID are the hypervisor's own: ask for what no frame has.
        let wanted = if owner == DomainId::INVALID {
            u64::MAX
        } else {
            owner_bits(owner) | ALLOCATED
        };
        Self {
            owner,
            wanted,
            mark: if owner == mapper { 0 } else { FOREIGN },
        }
    }

    /// The domain lends to itself. No [`Paging`] belongs to the hypervisor's own frames.
    #[inline]
    pub(crate) fn own(domain: DomainId) -> Self {
        Self {
            owner: domain,
            wanted: owner_bits(domain) | ALLOCATED,
            mark: 0,
        }
    }

    /// Whether the frame is the lender's. The answer holds while the caller has a reference to the frame and
    /// the lender does not give it back.
    #[inline]
    pub(crate) fn lends(&self, page: &PageInfo) -> bool {
        page.state() & (OWNER | ALLOCATED) == self.wanted
    }
}

/// Where a promotion stopped, and why: entries `0..done` hold references.
struct Stopped {
    done: usize,
    stop: Stop,
}

/// Whether one of sixteen entries is present.
#[inline(always)]
fn any_present(sixteen: &[AtomicU64; 16]) -> bool {
    let all = sixteen
        .iter()
        .fold(0, |bits, entry| bits | entry.load(Ordering::Relaxed));
    all & PRESENT != 0
}

/// The groups of a table, one after the other.
#[inline(always)]
fn groups(table: &Table) -> impl Iterator<Item = &[AtomicU64; 16]> {
    table
        .chunks_exact(16)
        .filter_map(|chunk| chunk.try_into().ok())
}

impl<M: TableMemory, H: Host> Mmu<'_, M, H> {
    /// References the frame that a present, checked and adjusted L1 entry maps. Gives the entry to store,
    /// which may have lost its WRITE bit (device memory that is read-only to the domain).
    #[inline(always)]
    pub(crate) fn take_mapped(&self, mapper: DomainId, lender: Lender, entry: u64) -> Refused<u64> {
        if self.take_mapped_at_once(lender, entry) {
            return Ok(entry);
        }
        self.take_mapped_slowly(mapper, lender.owner, entry)
    }

    /// [`take_mapped`](Self::take_mapped) of the lender's plain memory where nobody interferes; `false`:
    /// nothing was taken.
    #[inline(always)]
    fn take_mapped_at_once(&self, lender: Lender, entry: u64) -> bool {
        let mfn = frame(entry);
        let Some(page) = self.frames.get(mfn) else {
            return false;
        };
        if !page.take_at_once(lender.wanted, lender.mark) {
            return false;
        }
        if entry & WRITE == 0 || page.take_writable_at_once() {
            return true;
        }
        self.release_again(mfn);
        false
    }

    #[cold]
    #[inline(never)]
    fn release_again(&self, mfn: Mfn) {
        self.release(mfn);
    }

    #[cold]
    #[inline(never)]
    fn take_mapped_slowly(&self, mapper: DomainId, owner: DomainId, entry: u64) -> Refused<u64> {
        let lender = Lender::new(mapper, owner);
        let mfn = frame(entry);
        match self.frames.get(mfn) {
            Some(page) if page.take(lender.wanted, lender.mark) => {
                if let Err(refusal) = self.take_mapped_type(page, entry) {
                    self.release(mfn);
                    return Err(refusal);
                }
                Ok(entry)
            }
            _ => self.take_unusual(mapper, lender, entry),
        }
    }

    fn take_mapped_type(&self, page: &PageInfo, entry: u64) -> Refused<()> {
        if entry & CACHE_BITS != 0 && page.is_hypervisors() {
            return refuse(
                Errno::EACCES,
                "a frame of the hypervisor is mapped with its own memory type only",
            );
        }
        if entry & WRITE != 0 {
            page.take_writable(self.host)?;
        }
        Ok(())
    }

    /// [`take_mapped`](Self::take_mapped) where the frame is not simply the lender's.
    fn take_unusual(&self, mapper: DomainId, lender: Lender, entry: u64) -> Refused<u64> {
        let mfn = frame(entry);
        let Some(page) = self.frames.ram(mfn) else {
            return self.take_device(mapper, lender.owner, entry);
        };
        let owner = DomainId(((page.state() & OWNER) >> OWNER_SHIFT) as u16);
        let differs = owner != lender.owner && owner != DomainId::INVALID;
        if !differs || page.is_free() || !self.host.may_map_foreign(lender.owner, owner) {
            return refuse(
                Errno::EBUSY,
                "the frame to map does not belong to the domain",
            );
        }
        if !page.take(owner_bits(owner) | ALLOCATED, FOREIGN) {
            return refuse(Errno::EBUSY, "the frame to map is being given back");
        }
        match self.take_mapped_type(page, entry) {
            Ok(()) => Ok(entry),
            Err(refusal) => {
                self.release(mfn);
                Err(refusal)
            }
        }
    }

    /// The rule for mappings of what is not RAM.
    fn take_device(&self, mapper: DomainId, owner: DomainId, entry: u64) -> Refused<u64> {
        let mfn = frame(entry);
        if owner == DomainId::XEN {
            // Not the mapper's right counts: it may name that owner, which the caller has checked.
            return match self.host.io_access(owner, mfn) {
                IoAccess::ReadOnly => Ok(entry & !WRITE),
                _ => refuse(
                    Errno::EPERM,
                    "the frame is not one that the hypervisor shows",
                ),
            };
        }
        let other = owner != mapper && owner != DomainId::IO;
        if other && self.host.io_access(owner, mfn) == IoAccess::Denied {
            return refuse(
                Errno::EPERM,
                "the other domain may not access this device memory",
            );
        }
        match self.host.io_access(mapper, mfn) {
            IoAccess::Full => Ok(entry),
            IoAccess::ReadOnly => Ok(entry & !WRITE),
            IoAccess::Denied => {
                refuse(Errno::EPERM, "the domain may not access this device memory")
            }
        }
    }

    /// Takes a general and a type reference to a frame of the domain as a table of `level`, promoting it where
    /// needed. With [`Stop::Again`] the frame remembers how far it got.
    #[inline(always)]
    pub(crate) fn take_table(
        &self,
        paging: &Paging,
        mfn: Mfn,
        level: Level,
        budget: &mut Budget,
    ) -> Attempt<()> {
        let page = self.frames.take(mfn, paging.domain)?;
        if page.claim_at_once(level.page_type()) {
            return Ok(());
        }
        self.promote(paging, page, mfn, level, budget)
    }

    #[inline(never)]
    fn promote(
        &self,
        paging: &Paging,
        page: &PageInfo,
        mfn: Mfn,
        level: Level,
        budget: &mut Budget,
    ) -> Attempt<()> {
        match page.claim(level.page_type(), self.host) {
            Ok(Claim::Counted) => Ok(()),
            Ok(Claim::Fresh) => self.promote_fresh(paging, page, mfn, level, budget),
            Ok(Claim::Partial) => self.promote_partial(paging, page, mfn, level, budget),
            Err(refusal) => {
                self.release(mfn);
                Err(refusal.into())
            }
        }
    }

    /// Promotes a frame with its first type reference; the caller's general reference goes to the caller's
    /// entry, to the interrupted frame itself, or back.
    fn promote_fresh(
        &self,
        paging: &Paging,
        page: &PageInfo,
        mfn: Mfn,
        level: Level,
        budget: &mut Budget,
    ) -> Attempt<()> {
        let stopped = match self.promote_entries(paging, mfn, level, 0, budget) {
            Ok(groups) => {
                page.set_validated(groups);
                return Ok(());
            }
            Err(stopped) => stopped,
        };
        match stopped.stop {
            Stop::Again => {
                page.set_progress(Progress {
                    entries: stopped.done,
                    holder: Holder::Orphan,
                });
                Err(Stop::Again)
            }
            Stop::Refused(refusal) => self.undo(page, mfn, level, stopped.done, refusal, budget),
        }
    }

    /// Undoes the promotion of a frame that belongs to nobody else, together with its general reference.
    pub(crate) fn undo(
        &self,
        page: &PageInfo,
        mfn: Mfn,
        level: Level,
        done: usize,
        refusal: Refusal,
        budget: &mut Budget,
    ) -> Attempt<()> {
        match self.demote_entries(mfn, level, Groups::ALL, done, budget) {
            Ok(()) => {
                page.drop_last(self.host.tlb_clock());
                self.release(mfn);
                Err(Stop::Refused(refusal))
            }
            Err(entries) => {
                page.set_progress(Progress {
                    entries,
                    holder: Holder::Failing(refusal.errno as i32 as u8),
                });
                Err(Stop::Again)
            }
        }
    }

    /// Goes on with a table that stopped part way. The caller's general reference goes back in all cases but
    /// one: where a demotion was stopped and the table is whole again, a reference was added to its holder's.
    #[cold]
    fn promote_partial(
        &self,
        paging: &Paging,
        page: &PageInfo,
        mfn: Mfn,
        level: Level,
        budget: &mut Budget,
    ) -> Attempt<()> {
        let Progress { entries, holder } = page.progress();
        let result = match holder {
            Holder::Failing(errno) => {
                let refusal = Refusal::new(errno_of(errno), "an entry of the table was refused");
                self.undo(page, mfn, level, entries, refusal, budget)
            }
            Holder::Orphan | Holder::Held => {
                match self.promote_entries(paging, mfn, level, entries, budget) {
                    Ok(groups) => {
                        page.set_validated(groups);
                        if holder == Holder::Held {
                            return match page.claim(level.page_type(), self.host) {
                                Ok(_) => Ok(()),
                                Err(refusal) => Err(refusal.into()),
                            };
                        }
                        Ok(())
                    }
                    Err(Stopped { done, stop }) => match stop {
                        Stop::Refused(refusal) if holder == Holder::Orphan => {
                            self.undo(page, mfn, level, done, refusal, budget)
                        }
                        stop => {
                            page.set_progress(Progress {
                                entries: done,
                                holder,
                            });
                            Err(stop)
                        }
                    },
                }
            }
        };
        self.release(mfn);
        result
    }

    /// Checks entries from `from` on, adjusts them and takes their references. Gives where entries are.
    fn promote_entries(
        &self,
        paging: &Paging,
        mfn: Mfn,
        level: Level,
        from: usize,
        budget: &mut Budget,
    ) -> Result<Groups, Stopped> {
        self.memory.with_table(mfn, |table| {
            let Some(below) = level.below() else {
                return self.promote_bottom(paging, table, budget);
            };
            let groups = self.promote_upper(paging, table, level, below, from, budget)?;
            if level == Level::L4 {
                self.fill_hypervisor_slots(table, paging.domain);
            }
            Ok(groups)
        })
    }

    /// Promotes what the entries of a table of level 2 to 4 point to.
    fn promote_upper(
        &self,
        paging: &Paging,
        table: &Table,
        level: Level,
        below: Level,
        from: usize,
        budget: &mut Budget,
    ) -> Result<Groups, Stopped> {
        let first = from / 16;
        let mut used = if from == 0 { Groups::NONE } else { Groups::ALL };
        for (number, sixteen) in groups(table).enumerate().skip(first) {
            let start = number * 16;
            let own = level == Level::L4 && is_hypervisor_slot(start);
            if own || !any_present(sixteen) {
                continue;
            }
            used = used.with(start);
            for (offset, place) in sixteen.iter().enumerate() {
                let index = start + offset;
                let entry = place.load(Ordering::Relaxed);
                if entry & PRESENT == 0 || index < from {
                    continue;
                }
                match self.promote_child(paging, entry, below, budget) {
                    Ok(stored) if stored == entry => {}
                    Ok(stored) => place.store(stored, Ordering::Relaxed),
                    Err(stop) => return Err(Stopped { done: index, stop }),
                }
            }
        }
        Ok(used)
    }

    /// Checks a present entry, references the table that it points to, and gives it as it is stored.
    fn promote_child(
        &self,
        paging: &Paging,
        entry: u64,
        below: Level,
        budget: &mut Budget,
    ) -> Attempt<u64> {
        budget.check()?;
        let adjusted = check_upper(entry)?;
        self.take_table(paging, frame(entry), below, budget)?;
        budget.charge(1);
        Ok(adjusted)
    }

    fn fill_hypervisor_slots(&self, table: &Table, domain: DomainId) {
        let entries = self.host.hypervisor_slots(domain);
        let own = table.iter().skip(FIRST_HYPERVISOR_SLOT);
        for (place, entry) in own.zip(entries) {
            place.store(entry, Ordering::Relaxed);
        }
    }

    /// Promotes a bottom-level table, whole: at most 512 mappings. Undoes them itself where one is refused.
    fn promote_bottom(
        &self,
        paging: &Paging,
        table: &Table,
        budget: &mut Budget,
    ) -> Result<Groups, Stopped> {
        let lender = Lender::own(paging.domain);
        let mut used = Groups::NONE;
        budget.charge(8);
        for (number, sixteen) in groups(table).enumerate() {
            if !any_present(sixteen) {
                continue;
            }
            used = used.with(number * 16);
            budget.charge(16);
            for (offset, place) in sixteen.iter().enumerate() {
                let entry = place.load(Ordering::Relaxed);
                if entry & PRESENT == 0 {
                    continue;
                }
                match self.check_mapping(paging, lender, entry) {
                    Ok(stored) => place.store(stored, Ordering::Relaxed),
                    Err(refusal) => {
                        self.demote_bottom(table, Groups::ALL, number * 16 + offset);
                        return Err(Stopped {
                            done: 0,
                            stop: Stop::Refused(refusal),
                        });
                    }
                }
            }
        }
        Ok(used)
    }

    /// Checks a present L1 entry, references what it maps, and gives it as it is stored.
    #[inline(always)]
    pub(crate) fn check_mapping(
        &self,
        paging: &Paging,
        lender: Lender,
        entry: u64,
    ) -> Refused<u64> {
        paging.check_l1(entry)?;
        self.take_mapped(paging.domain, lender, adjust_l1(entry))
    }
}

/// The errno that was kept as a number.
fn errno_of(number: u8) -> Errno {
    [Errno::EBUSY, Errno::EPERM, Errno::EACCES]
        .into_iter()
        .find(|errno| *errno as i32 == i32::from(number))
        .unwrap_or(Errno::EINVAL)
}
