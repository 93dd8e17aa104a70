//! Reading what a loader or a firmware left in memory, as checked slices.

/// Memory by machine address, of which slices can be had; tests put a vector behind it.
pub trait FirmwareMemory {
    /// `length` bytes at `address`, or `None` where they are out of reach.
    fn slice(&self, address: u64, length: usize) -> Option<&[u8]>;

    /// The bytes at `address` up to the first zero byte (without it): at most a page, and none where out of reach.
    fn string(&self, address: u64) -> &[u8] {
        // A string may end just below the end of what is in reach: ask for less until it fits.
        let mut length = 4096;
        while length > 0 {
            if let Some(bytes) = self.slice(address, length) {
                return before_zero(bytes);
            }
            length /= 2;
        }
        &[]
    }
}

/// The bytes before the first zero byte, or all of them.
pub(crate) fn before_zero(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|&byte| byte == 0);
    bytes.get(..end.unwrap_or(bytes.len())).unwrap_or(&[])
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
