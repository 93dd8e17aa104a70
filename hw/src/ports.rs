//! The processor's I/O port instructions.

use core::arch::asm;

/// Reads a byte from `port`.
///
/// # Safety
/// The caller drives the device behind the port, and reading it has no effect that breaks memory safety.
pub(crate) unsafe fn read_u8(port: u16) -> u8 {
    let value;
    // SAFETY: the caller answers for the device; the instruction touches no memory, stack or flags.
    unsafe {
        asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack, preserves_flags))
    };
    value
}

/// Reads two bytes from `port`.
///
/// # Safety
/// As [`read_u8`].
pub(crate) unsafe fn read_u16(port: u16) -> u16 {
    let value;
    // SAFETY: as in `read_u8`.
    unsafe {
        asm!("in ax, dx", in("dx") port, out("ax") value, options(nomem, nostack, preserves_flags))
    };
    value
}

/// Reads four bytes from `port`.
///
/// # Safety
/// As [`read_u8`].
pub(crate) unsafe fn read_u32(port: u16) -> u32 {
    let value;
    // SAFETY: as in `read_u8`.
    unsafe {
        asm!("in eax, dx", in("dx") port, out("eax") value, options(nomem, nostack, preserves_flags))
    };
    value
}

/// Writes a byte to `port`.
///
/// # Safety
/// The caller drives the device behind the port, and the write makes it do nothing that breaks memory safety (such as
/// a transfer into memory that Rust owns).
pub(crate) unsafe fn write_u8(port: u16, value: u8) {
    // SAFETY: the caller answers for the device; the instruction touches no memory, stack or flags.
    unsafe {
        asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack, preserves_flags))
    };
}

/// Writes two bytes to `port`.
///
/// # Safety
/// As [`write_u8`].
pub(crate) unsafe fn write_u16(port: u16, value: u16) {
    // SAFETY: as in `write_u8`.
    unsafe {
        asm!("out dx, ax", in("dx") port, in("ax") value, options(nomem, nostack, preserves_flags))
    };
}

/// Writes four bytes to `port`.
///
/// # Safety
/// As [`write_u8`].
pub(crate) unsafe fn write_u32(port: u16, value: u32) {
    // SAFETY: as in `write_u8`.
    unsafe {
        asm!("out dx, eax", in("dx") port, in("eax") value, options(nomem, nostack, preserves_flags))
    };
}
