//! From a virtual address to the entry that maps it, through the guest's own validated tables.

use vocabulary::{Mfn, VirtAddr};

use crate::entry::{frame, is_hypervisor_slot, ENTRIES, PRESENT};
use crate::environment::{Host, TableMemory};
use crate::page_info::{Level, PageInfo};
use crate::paging::{Mmu, Paging};
use crate::update::index_of;

/// A place in a validated bottom-level table. It stays valid while it borrows the [`Paging`]: whatever could
/// make the table something else needs that for itself.
#[derive(Clone, Copy, Debug)]
pub struct L1Slot<'p> {
    paging: &'p Paging,
    page: &'p PageInfo,
    table: Mfn,
    index: usize,
}

impl<'p> L1Slot<'p> {
    pub(crate) const fn new(
        paging: &'p Paging,
        page: &'p PageInfo,
        table: Mfn,
        index: usize,
    ) -> Self {
        Self {
            paging,
            page,
            table,
            index: index & (ENTRIES - 1),
        }
    }

    /// Whose table it is.
    pub const fn paging(self) -> &'p Paging {
        self.paging
    }

    pub(crate) const fn page(self) -> &'p PageInfo {
        self.page
    }

    /// The table.
    pub const fn table(self) -> Mfn {
        self.table
    }

    /// The entry in it, 0 to 511.
    pub const fn index(self) -> usize {
        self.index
    }
}

impl<'a, M: TableMemory, H: Host> Mmu<'a, M, H> {
    /// Finds the L1 entry for `address` under the top-level table `root`, which is a base of the domain (a
    /// type reference to it is held). `None`: the hypervisor's part, or some level has no entry.
    #[inline]
    pub fn locate<'p>(&self, paging: &'p Paging, root: Mfn, address: VirtAddr) -> Option<L1Slot<'p>>
    where
        'a: 'p,
    {
        let top = index_of(address, Level::L4);
        if !address.is_canonical() || is_hypervisor_slot(top) {
            return None;
        }
        let third = present(self.memory.read(root, top))?;
        let second = present(self.memory.read(third, index_of(address, Level::L3)))?;
        let table = present(self.memory.read(second, index_of(address, Level::L2)))?;
        let page = self.frames.get(table)?;
        let index = index_of(address, Level::L1);
        Some(L1Slot::new(paging, page, table, index))
    }

    /// The L1 entry at a place that [`locate`](Self::locate) found.
    #[inline]
    pub fn entry_at(&self, found: L1Slot<'_>) -> u64 {
        self.memory.read(found.table, found.index)
    }
}

#[inline]
fn present(entry: u64) -> Option<Mfn> {
    (entry & PRESENT != 0).then(|| frame(entry))
}
