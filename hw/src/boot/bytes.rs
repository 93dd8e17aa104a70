//! Reading what a loader or a firmware left in memory, as checked slices.

use vocabulary::MachineAddr;

use crate::layout;

/// Memory by machine address, of which slices can be had; tests put a vector behind it.
pub(crate) trait LoaderMemory {
    /// `length` bytes at `address`, or `None` where they are out of reach.
    fn slice(&self, address: u64, length: usize) -> Option<&[u8]>;

    /// The bytes at `address` up to the first zero byte (without it), at most a page and none where out of reach.
    fn string(&self, address: u64) -> &[u8] {
        // A string may end just below the end of what is in reach: ask for less until it fits.
        let mut length = 4096;
        while length > 0 {
            if let Some(bytes) = self.slice(address, length) {
                let end = bytes.iter().position(|&byte| byte == 0);
                return bytes.get(..end.unwrap_or(length)).unwrap_or(&[]);
            }
            length /= 2;
        }
        &[]
    }
}

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

impl LoaderMemory for LowMemory {
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

/// The byte at `offset`.
pub(crate) fn u8_at(bytes: &[u8], offset: usize) -> Option<u8> {
    bytes.get(offset).copied()
}

/// The little-endian number at `offset`.
pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    let rest = bytes.get(offset..)?;
    Some(u16::from_le_bytes(*rest.first_chunk()?))
}

/// The little-endian number at `offset`.
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let rest = bytes.get(offset..)?;
    Some(u32::from_le_bytes(*rest.first_chunk()?))
}

/// The little-endian number at `offset`.
pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    let rest = bytes.get(offset..)?;
    Some(u64::from_le_bytes(*rest.first_chunk()?))
}
