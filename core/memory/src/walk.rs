//! From a virtual address to the entry that maps it, through the guest's own validated tables.

use vocabulary::{Mfn, VirtAddr};

use crate::entry::{frame, is_hypervisor_slot, ENTRIES, PRESENT};
use crate::environment::{Host, TableMemory};
use crate::page_info::Level;
use crate::paging::{Mmu, Paging};
use crate::update::index_of;

/// A place in a bottom-level table that was found valid. It stays so while the paging lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct L1Slot {
    table: Mfn,
    index: usize,
}

impl L1Slot {
    pub(crate) const fn new(table: Mfn, index: usize) -> Self {
        Self {
            table,
            index: index & (ENTRIES - 1),
        }
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

impl<M: TableMemory, H: Host> Mmu<'_, M, H> {
    /// Finds the L1 entry for `address` under the top-level table `root`, which is a base of the domain (a
    /// type reference to it is held). `None`: the hypervisor's part, or some level has no entry.
    #[inline]
    pub fn locate(&self, _paging: &Paging, root: Mfn, address: VirtAddr) -> Option<L1Slot> {
        let top = index_of(address, Level::L4);
        if !address.is_canonical() || is_hypervisor_slot(top) {
            return None;
        }
        let third = present(self.memory.read(root, top))?;
        let second = present(self.memory.read(third, index_of(address, Level::L3)))?;
        let table = present(self.memory.read(second, index_of(address, Level::L2)))?;
        Some(L1Slot::new(table, index_of(address, Level::L1)))
    }

    /// The L1 entry at a place that [`locate`](Self::locate) found.
    #[inline]
    pub fn entry_at(&self, found: L1Slot) -> u64 {
        self.memory.read(found.table, found.index)
    }
}

#[inline]
fn present(entry: u64) -> Option<Mfn> {
    (entry & PRESENT != 0).then(|| frame(entry))
}
