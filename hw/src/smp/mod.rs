//! Starting the other processors, one after another.
//!
//! A processor begins in real mode, in a page below 1 MiB that [`Starter::prepare`] fills with `trampoline.S`; it goes to
//! 64-bit mode on the boot page tables (which must stay as they were), takes over what [`Handover`] says and calls its
//! entry function.

mod handover;

pub use handover::Starter;

use crate::boot::{MemoryKind, MemoryMap};
use vocabulary::{MachineAddr, Mfn, VirtAddr};

/// What a started processor takes over.
#[derive(Clone, Copy, Debug)]
pub struct Handover {
    /// The top-level page table to run on; it maps the image where the boot page tables do.
    pub page_table: MachineAddr,
    /// The first byte above its stack, a multiple of 16, mapped in that table.
    pub stack_top: VirtAddr,
    /// Handed to `entry`.
    pub index: u32,
    /// What it runs, interrupts off, in 64-bit mode with no-execute and write protection on, no interrupt table yet.
    pub entry: extern "C" fn(u32) -> !,
}

/// A processor did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absent;

/// The page for the trampoline: the highest of RAM below 640 KiB. What it holds is put back afterwards, but must not
/// be used meanwhile.
pub fn trampoline_page(map: &MemoryMap) -> Option<Mfn> {
    const LIMIT: u64 = 0xa_0000;
    map.regions()
        .iter()
        .filter(|region| region.kind == MemoryKind::Usable)
        .filter_map(|region| {
            let page = (region.end.min(LIMIT) >> 12).checked_sub(1)?;
            // The first page holds the BIOS's own data.
            (page > 0 && page << 12 >= region.start).then_some(Mfn(page))
        })
        .max()
}
