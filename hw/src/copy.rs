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
    if left == 0 {
        Ok(())
    } else {
        Err(GuestFault)
    }
}

/// Copies words in from the guest; cheaper than bytes for the small structures of hypercalls.
#[inline]
pub fn read_words(from: VirtAddr, to: &mut [u64]) -> Result<(), GuestFault> {
    if !is_guest_range(from.0, to.len() as u64 * 8) {
        return Err(GuestFault);
    }
    if to.is_empty() {
        return Ok(());
    }
    let left: u64;
    // SAFETY: as for `read_bytes`, a word at a time; the count is not zero, and on a fault what is left of
    // it stays in the register.
    unsafe {
        guest_access!(
            "2: mov {word}, [{from}]",
            ".pushsection .ex_table, \"a\", @progbits", ".quad 2b, 3f", ".popsection",
            "mov [{to}], {word}",
            "add {from}, 8",
            "add {to}, 8",
            "dec {left}",
            "jnz 2b",
            "3:";
            word = out(reg) _, from = inout(reg) from.0 => _, to = inout(reg) to.as_mut_ptr() => _,
            left = inout(reg) to.len() as u64 => left,
            options(nostack)
        )
    }
    if left == 0 {
        Ok(())
    } else {
        Err(GuestFault)
    }
}

/// Copies words out to the guest.
#[inline]
pub fn write_words(to: VirtAddr, from: &[u64]) -> Result<(), GuestFault> {
    if !is_guest_range(to.0, from.len() as u64 * 8) {
        return Err(GuestFault);
    }
    if from.is_empty() {
        return Ok(());
    }
    let left: u64;
    // SAFETY: as for `write_bytes`, a word at a time.
    unsafe {
        guest_access!(
            "4: mov {word}, [{from}]",
            "2: mov [{to}], {word}",
            ".pushsection .ex_table, \"a\", @progbits", ".quad 2b, 3f", ".popsection",
            "add {from}, 8",
            "add {to}, 8",
            "dec {left}",
            "jnz 4b",
            "3:";
            word = out(reg) _, from = inout(reg) from.as_ptr() => _, to = inout(reg) to.0 => _,
            left = inout(reg) from.len() as u64 => left,
            options(nostack)
        )
    }
    if left == 0 {
        Ok(())
    } else {
        Err(GuestFault)
    }
}

/// Reads one word of the guest's, as page-table and descriptor walks do.
#[inline]
pub fn read_word(from: VirtAddr) -> Result<u64, GuestFault> {
    let mut word = [0];
    read_words(from, &mut word)?;
    let [word] = word;
    Ok(word)
}
