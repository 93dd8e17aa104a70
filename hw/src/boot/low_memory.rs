//! The low 4 GiB as loader and firmware left them, for the parsers in `firmware`.

use firmware::FirmwareMemory;
use vocabulary::MachineAddr;

use crate::layout;

/// The low 4 GiB through the boot page tables' direct map.
pub(crate) struct LowMemory(());

impl LowMemory {
    /// A view of the low 4 GiB.
    ///
    /// # Safety
    /// The boot page tables' direct map is in use and, while any slice from this view lives, nobody writes to what it
    /// covers: the caller reads only what loader and firmware left and copies it before that memory is handed out.
    pub(crate) const unsafe fn new() -> Self {
        Self(())
    }
}

impl FirmwareMemory for LowMemory {
    fn slice(&self, address: u64, length: usize) -> Option<&[u8]> {
        let end = address.checked_add(length as u64)?;
        if end > layout::EARLY_MAP_BYTES {
            return None;
        }
        let first = layout::direct(MachineAddr(address)).0 as *const u8;
        // SAFETY: the range lies below EARLY_MAP_BYTES, which the boot page tables map readable, so the pointer is
        // valid for `length` bytes; u8 has no alignment or invalid values; `new`'s contract excludes writers.
        Some(unsafe { core::slice::from_raw_parts(first, length) })
    }
}
