//! Copies between the hypervisor and the running guest's address space. A bad address is an error here,
//! never a crash: each access is listed in the exception table.

use core::arch::asm;

use vocabulary::VirtAddr;

/// The guest's memory could not be accessed there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestFault;

/// Whether `[start, start + length)` lies whole in the guest's part of the address space.
#[inline(always)]
pub fn is_guest_range(start: u64, length: u64) -> bool {
    let Some(end) = start.checked_add(length) else {
        return false;
    };
    // Below the hypervisor, or above it. The non-canonical hole needs no check of its own: an access
    // there faults and is caught.
    end <= VirtAddr::HYPERVISOR_START.0 || start >= VirtAddr::HYPERVISOR_END.0
}

macro_rules! guest_access {
    ($($line:literal),* ; $($operand:tt)*) => {
        asm!(
            "9998: .byte 0x0f, 0x1f, 0x00",
            ".pushsection .smap_sites, \"a\", @progbits",
            ".quad 9998b, 0xcb",
            ".popsection",
            $($line,)*
            "9998: .byte 0x0f, 0x1f, 0x00",
            ".pushsection .smap_sites, \"a\", @progbits",
            ".quad 9998b, 0xca",
            ".popsection",
            $($operand)*
        )
    };
}

/// A fault, unless what an access left is nothing.
#[inline(always)]
fn unless(left: impl Into<u64>) -> Result<(), GuestFault> {
    if left.into() == 0 {
        Ok(())
    } else {
        Err(GuestFault)
    }
}

/// Copies bytes in from the guest.
pub fn read_bytes(from: VirtAddr, to: &mut [u8]) -> Result<(), GuestFault> {
    if !is_guest_range(from.0, to.len() as u64) {
        return Err(GuestFault);
    }
    // SAFETY: the source lies outside the hypervisor's part; the destination is the slice.
    unsafe { copy_bytes(from.0, to.as_mut_ptr() as u64, to.len() as u64) }
}

/// Copies bytes out to the guest.
pub fn write_bytes(to: VirtAddr, from: &[u8]) -> Result<(), GuestFault> {
    if !is_guest_range(to.0, from.len() as u64) {
        return Err(GuestFault);
    }
    // SAFETY: the destination lies outside the hypervisor's part and is writable only where the guest may
    // write; the source is the slice.
    unsafe { copy_bytes(from.as_ptr() as u64, to.0, from.len() as u64) }
}

/// Copies `length` bytes of which either side may be a guest's; a fault there ends it.
///
/// # Safety
/// The hypervisor's side is valid for the length, and the other lies in the guest's part.
unsafe fn copy_bytes(from: u64, to: u64, length: u64) -> Result<(), GuestFault> {
    let left: u64;
    // SAFETY: by the caller's promise only the guest's side can fault, and a fault continues with what is left
    // of the count in rcx.
    unsafe {
        guest_access!(
            ".pushsection .ex_table, \"a\", @progbits", ".quad 2f, 4f, 3f, 5f", ".popsection",
            "2: rep movsq",
            "mov ecx, {tail:e}",
            "3: rep movsb",
            "jmp 5f",
            "4: lea rcx, [rcx * 8 + {tail}]",
            "5:";
            tail = in(reg) length & 7,
            inout("rcx") length / 8 => left, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack)
        )
    }
    unless(left)
}

/// Whether `WORDS` words from `start` touch nothing of the hypervisor's part. Shorter than [`is_guest_range`]: words
/// that wrap go on at address zero, which is the guest's too.
#[inline(always)]
fn spares<const WORDS: usize>(start: u64) -> bool {
    let first = VirtAddr::HYPERVISOR_START.0 - WORDS as u64 * 8 + 1;
    start.wrapping_sub(first) >= VirtAddr::HYPERVISOR_END.0 - first
}

/// The two halves of a copy of `N` words without a loop: 1 stays in `failed` where one of them faults.
macro_rules! copy_words {
    ($load:literal, $store:literal, $from:expr, $to:expr, $failed:ident) => {
        guest_access!(
            "mov {failed:e}, 1",
            ".set word_at, 0",
            ".rept {words}",
            $load,
            $store,
            ".set word_at, word_at + 8",
            ".endr",
            "xor {failed:e}, {failed:e}",
            "3:";
            words = const N, word = out(reg) _, from = in(reg) $from, to = in(reg) $to,
            failed = out(reg) $failed, options(nostack)
        )
    };
}

/// Copies words in from the guest; cheaper than bytes for the small structures of hypercalls.
#[inline(always)]
pub fn read_words<const N: usize>(from: VirtAddr, to: &mut [u64; N]) -> Result<(), GuestFault> {
    if !spares::<N>(from.0) {
        return Err(GuestFault);
    }
    let failed: u32;
    // SAFETY: as for `read_bytes`, a word at a time; a fault continues behind the last.
    unsafe {
        copy_words!(
            "2: mov {word}, [{from} + word_at]\n.pushsection .ex_table, \"a\", @progbits\n.quad 2b, 3f\n.popsection",
            "mov [{to} + word_at], {word}",
            from.0,
            to.as_mut_ptr(),
            failed
        )
    }
    unless(failed)
}

/// Copies words out to the guest.
#[inline(always)]
pub fn write_words<const N: usize>(to: VirtAddr, from: &[u64; N]) -> Result<(), GuestFault> {
    if !spares::<N>(to.0) {
        return Err(GuestFault);
    }
    let failed: u32;
    // SAFETY: as for `write_bytes`, a word at a time; a fault continues behind the last.
    unsafe {
        copy_words!(
            "mov {word}, [{from} + word_at]",
            "2: mov [{to} + word_at], {word}\n.pushsection .ex_table, \"a\", @progbits\n.quad 2b, 3f\n.popsection",
            from.as_ptr(),
            to.0,
            failed
        )
    }
    unless(failed)
}

/// One access of less than a word: 1 stays in `failed` where it faults.
macro_rules! copy_part {
    ($instruction:literal, $at:expr, $failed:ident, $($operand:tt)*) => {
        guest_access!(
            "mov {failed:e}, 1",
            $instruction,
            ".pushsection .ex_table, \"a\", @progbits", ".quad 2b, 3f", ".popsection",
            "xor {failed:e}, {failed:e}",
            "3:";
            at = in(reg) $at, failed = out(reg) $failed, $($operand)*, options(nostack)
        )
    };
}

/// Reads half a word.
#[inline(always)]
pub fn read_half_word(from: VirtAddr) -> Result<u32, GuestFault> {
    if !spares::<1>(from.0) {
        return Err(GuestFault);
    }
    let (failed, value): (u32, u32);
    // SAFETY: as for `read_bytes`.
    unsafe { copy_part!("2: mov {value:e}, [{at}]", from.0, failed, value = out(reg) value) }
    unless(failed).map(|()| value)
}

/// Writes half a word.
#[inline(always)]
pub fn write_half_word(to: VirtAddr, value: u32) -> Result<(), GuestFault> {
    if !spares::<1>(to.0) {
        return Err(GuestFault);
    }
    let failed: u32;
    // SAFETY: as for `write_bytes`.
    unsafe { copy_part!("2: mov [{at}], {value:e}", to.0, failed, value = in(reg) value) }
    unless(failed)
}

/// Writes a quarter of a word.
#[inline(always)]
pub fn write_quarter_word(to: VirtAddr, value: u16) -> Result<(), GuestFault> {
    if !spares::<1>(to.0) {
        return Err(GuestFault);
    }
    let failed: u32;
    // SAFETY: as for `write_bytes`.
    unsafe { copy_part!("2: mov [{at}], {value:x}", to.0, failed, value = in(reg) value) }
    unless(failed)
}
