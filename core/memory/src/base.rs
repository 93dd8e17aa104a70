//! What holds a whole tree of tables: pins and base pointers; and the descriptor frames of a GDT or LDT.

use core::sync::atomic::Ordering;

use vocabulary::{refuse, Errno, Mfn, Refused};

use crate::budget::{Attempt, Budget};
use crate::descriptor::check_descriptor;
use crate::environment::{slot, Host, TableMemory};
use crate::kind::{Claim, Groups};
use crate::page_info::{Level, PageInfo, PageType, PINNED};
use crate::paging::{Mmu, Paging};

impl<M: TableMemory, H: Host> Mmu<'_, M, H> {
    /// Pins a frame as a table of `level` (`MMUEXT_PIN_L1_TABLE` … `L4`): it is promoted and stays a table until
    /// [`unpin`](Self::unpin). EINVAL: not the domain's, in use as something else, pinned already, or with a
    /// bad entry; EBUSY, EPERM as in [`update_entry`](Self::update_entry).
    pub fn pin(
        &self,
        paging: &mut Paging,
        mfn: Mfn,
        level: Level,
        budget: &mut Budget,
    ) -> Attempt<()> {
        self.finish(paging, budget)?;
        self.take_table(paging, mfn, level, budget)?;
        let Some(page) = self.frames.get(mfn) else {
            return Ok(());
        };
        if page.kind() & PINNED == 0 {
            page.set_pinned(true);
            return Ok(());
        }
        // The pin holds a reference already: the one just taken is not the last.
        self.put_table_or_leave(paging, mfn, level, budget);
        Ok(refuse(Errno::EINVAL, "the table is pinned already")?)
    }

    /// Ends a pin (`MMUEXT_UNPIN_TABLE`). EINVAL where the frame is not pinned or not the domain's. When it
    /// answers `Ok` the pin is gone; demotion may be left over for [`finish`](Self::finish).
    pub fn unpin(&self, paging: &mut Paging, mfn: Mfn, budget: &mut Budget) -> Attempt<()> {
        self.finish(paging, budget)?;
        let level = self
            .frames
            .ram(mfn)
            .filter(|page| page.is_pinned() && page.owner() == paging.domain)
            .and_then(|page| page.page_type().level().map(|level| (page, level)));
        let Some((page, level)) = level else {
            return Ok(refuse(Errno::EINVAL, "the frame is not pinned as a table")?);
        };
        page.set_pinned(false);
        self.put_table_or_leave(paging, mfn, level, budget);
        Ok(())
    }

    /// Takes a frame of the domain as a base pointer (`MMUEXT_NEW_BASEPTR`, `NEW_USER_BASEPTR`, a new vCPU's
    /// context): a general and an L4 type reference, for one vCPU. Cheap where the table is pinned or loaded.
    ///
    /// A CPU that still has the table loaded when the reference goes must leave it before
    /// [`release_base`](Self::release_base).
    #[inline]
    pub fn take_base(&self, paging: &mut Paging, mfn: Mfn, budget: &mut Budget) -> Attempt<()> {
        self.finish(paging, budget)?;
        self.take_table(paging, mfn, Level::L4, budget)
    }

    /// Gives back what [`take_base`](Self::take_base) took; demotion may be left over. With
    /// [`Stop::Again`](crate::Stop::Again) it still is a base: call again.
    #[inline]
    pub fn release_base(&self, paging: &mut Paging, mfn: Mfn, budget: &mut Budget) -> Attempt<()> {
        self.finish(paging, budget)?;
        self.put_table_or_leave(paging, mfn, Level::L4, budget);
        Ok(())
    }

    /// Exchanges a vCPU's base pointer, or takes its first (`old` is `None`), or ends it (`new` is `None`): `new`
    /// is taken, `load` makes every CPU that has `old` loaded leave it, `old` is given back. Unless the answer
    /// is `Ok` nothing changed and `load` was not called.
    #[inline]
    pub fn replace_base(
        &self,
        paging: &mut Paging,
        old: Option<Mfn>,
        new: Option<Mfn>,
        load: impl FnOnce(),
        budget: &mut Budget,
    ) -> Attempt<()> {
        self.finish(paging, budget)?;
        if let Some(new) = new {
            self.take_table(paging, new, Level::L4, budget)?;
        }
        load();
        if let Some(old) = old {
            self.put_table_or_leave(paging, old, Level::L4, budget);
        }
        Ok(())
    }

    /// Takes a frame of the domain as one that holds segment descriptors (a frame of `set_gdt`, a page of the
    /// LDT): a general and a type reference. Every descriptor in it is checked and adjusted. EINVAL where the
    /// frame is not the domain's, in use as something else, or holds a descriptor that is not allowed.
    pub fn take_descriptors(&self, paging: &mut Paging, mfn: Mfn) -> Refused<()> {
        let page = self.frames.take(mfn, paging.domain)?;
        let result = match page.claim(PageType::SegmentDescriptors, self.host) {
            Ok(Claim::Counted) => Ok(()),
            Ok(_) => self.validate_descriptors(page, mfn),
            Err(refusal) => Err(refusal),
        };
        if result.is_err() {
            self.release(mfn);
        }
        result
    }

    fn validate_descriptors(&self, page: &PageInfo, mfn: Mfn) -> Refused<()> {
        let checked = self.memory.with_table(mfn, |table| {
            for place in table {
                let descriptor = place.load(Ordering::Relaxed);
                let adjusted = check_descriptor(descriptor)?;
                if adjusted != descriptor {
                    place.store(adjusted, Ordering::Relaxed);
                }
            }
            Ok(())
        });
        match checked {
            Ok(()) => page.set_validated(Groups::NONE),
            Err(_) => page.drop_last(self.host.tlb_clock()),
        }
        checked
    }

    /// Gives back what [`take_descriptors`](Self::take_descriptors) took. The frame must have left the
    /// descriptor windows of all CPUs, except for stale translations.
    pub fn release_descriptors(&self, paging: &mut Paging, mfn: Mfn) {
        debug_assert!(paging.domain != vocabulary::DomainId::INVALID);
        if let Some(page) = self.frames.ram(mfn) {
            if !page.drop_unless_last() {
                page.drop_last(self.host.tlb_clock());
            }
            self.release(mfn);
        }
    }

    /// Changes one descriptor (`update_descriptor`) at entry `index` of a frame of the domain, which holds
    /// descriptors or is plain memory. EINVAL where it is neither or the descriptor is not allowed.
    pub fn update_descriptor(
        &self,
        paging: &mut Paging,
        mfn: Mfn,
        index: usize,
        descriptor: u64,
    ) -> Refused<()> {
        const RULE: &str = "the frame is neither a descriptor frame in use nor writable";
        let adjusted = check_descriptor(descriptor)?;
        let page = self.frames.take(mfn, paging.domain)?;
        let in_use = page.is_validated() && page.page_type() == PageType::SegmentDescriptors;
        let result = if in_use {
            self.store(mfn, index, adjusted);
            Ok(())
        } else if page.take_writable(self.host).is_ok() {
            self.store(mfn, index, adjusted);
            page.drop_writable(|| self.host.tlb_clock());
            Ok(())
        } else {
            refuse(Errno::EINVAL, RULE)
        };
        self.release(mfn);
        result
    }

    fn store(&self, mfn: Mfn, index: usize, value: u64) {
        self.memory.with_table(mfn, |table| {
            slot(table, index).store(value, Ordering::Release);
        });
    }
}
