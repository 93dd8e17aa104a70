//! Grant mappings: L1 entries whose references were taken by the grant code, in the granter's name.
//!
//! A present L1 entry owns its references, whoever made it: a guest that overwrites a grant's entry by an ordinary
//! table update gives them back just so, and the grant code finds at unmapping that the entry is gone.

use vocabulary::{refuse, Errno, Mfn, Refused};

use crate::entry::{adjust_l1, frame, PRESENT};
use crate::environment::{Host, TableMemory};
use crate::page_info::PageType;
use crate::paging::{Mmu, Paging};
use crate::update::Updated;
use crate::walk::L1Slot;
use crate::Level;

impl<'a, M: TableMemory, H: Host> Mmu<'a, M, H> {
    /// Puts a grant mapping in place: an L1 entry for a frame whose general reference (taken with
    /// [`PageRef::acquire_foreign`](crate::PageRef::acquire_foreign)) and, where `entry` has WRITE, writable
    /// type reference the caller has and gives to the entry. What the entry held before is given back.
    /// On a refusal the references stay the caller's. The entry is adjusted as a guest's own.
    pub fn map_grant(&self, found: L1Slot<'_>, entry: u64) -> Refused<Updated> {
        found.paging().check_l1(entry)?;
        if entry & PRESENT == 0 {
            return refuse(Errno::EINVAL, "a grant's entry is present");
        }
        let new = adjust_l1(entry);
        found.page().note_present(found.index());
        let old = self.memory.swap(found.table(), found.index(), new);
        if old & PRESENT != 0 {
            self.put_mapped(old);
        }
        Ok(replaced(old, new))
    }

    /// Takes a grant mapping away: the entry must map `mfn`, and becomes `replacement` (0, or what
    /// `unmap_and_replace` moves there, with its references). The references of the old entry are given
    /// back here: a writable type reference exactly where the old entry still had WRITE.
    #[inline]
    pub fn unmap_grant(&self, found: L1Slot<'_>, mfn: Mfn, replacement: u64) -> Refused<Updated> {
        let current = self.memory.read(found.table(), found.index());
        if current & PRESENT == 0 || frame(current) != mfn {
            return refuse(Errno::EINVAL, "the entry does not map the granted frame");
        }
        found.page().note_present(found.index());
        let old = self.memory.swap(found.table(), found.index(), replacement);
        self.put_mapped(old);
        Ok(replaced(old, replacement))
    }

    /// Empties an L1 entry without giving its references back: the first half of moving a mapping elsewhere
    /// (`unmap_and_replace`). Gives what was there, references and all.
    pub fn lift_mapping(&self, found: L1Slot<'_>) -> u64 {
        self.memory.swap(found.table(), found.index(), 0)
    }

    /// The L1 slot for an entry that the guest names by machine address (grants with `GNTMAP_contains_pte`):
    /// the frame must be a validated L1 table of the domain.
    pub fn l1_slot<'p>(&self, paging: &'p Paging, table: Mfn, index: usize) -> Refused<L1Slot<'p>>
    where
        'a: 'p,
    {
        let page = self.frames.get(table);
        match page.filter(|page| page.is_live(PageType::L1, paging.domain)) {
            Some(page) => Ok(L1Slot::new(paging, page, table, index)),
            None => refuse(
                Errno::EINVAL,
                "the frame is no bottom-level table of the domain",
            ),
        }
    }
}

fn replaced(old: u64, new: u64) -> Updated {
    Updated {
        old,
        new,
        level: Some(Level::L1),
    }
}
