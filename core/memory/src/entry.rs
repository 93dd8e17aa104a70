//! A page-table entry's bits, what a guest may set, and how its entries are adjusted before they are stored.
//!
//! Bits: Intel SDM volume 3, chapter 4.5 (4-level paging). In 64-bit PV both guest modes run in ring 3, so every
//! present entry carries USER; bit 52 (available to software) remembers that the guest meant a kernel mapping.

use vocabulary::{refuse, Errno, Mfn, Refused};

/// The entry maps something.
pub const PRESENT: u64 = 1;
/// Writes are allowed.
pub const WRITE: u64 = 1 << 1;
/// Ring 3 may use the entry.
pub const USER: u64 = 1 << 2;
/// Write-through; first bit of the choice of memory type.
pub const WRITE_THROUGH: u64 = 1 << 3;
/// Uncached; second bit of the choice of memory type.
pub const CACHE_DISABLE: u64 = 1 << 4;
/// Set by the processor on use.
pub const ACCESSED: u64 = 1 << 5;
/// Set by the processor on a write.
pub const DIRTY: u64 = 1 << 6;
/// In L2 and L3: a superpage. In L1: third bit of the choice of memory type.
pub const SUPERPAGE_OR_PAT: u64 = 1 << 7;
/// Survives a change of base pointer.
pub const GLOBAL: u64 = 1 << 8;
/// Bits for software, low part.
pub const AVAILABLE: u64 = 7 << 9;
/// Marks a guest-kernel mapping (64-bit PV; the guest reads its entries back with it).
pub const GUEST_KERNEL: u64 = 1 << 52;
/// Bits for software and protection keys, high part.
pub const AVAILABLE_HIGH: u64 = 0x7ff << 52;
/// No instruction fetches.
pub const NO_EXECUTE: u64 = 1 << 63;
/// Where the frame number sits.
pub const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
/// The three bits that choose a memory type in an L1 entry.
pub const CACHE_BITS: u64 = WRITE_THROUGH | CACHE_DISABLE | SUPERPAGE_OR_PAT;

/// The first top-level slot that is the hypervisor's.
pub const FIRST_HYPERVISOR_SLOT: usize = 256;
/// How many top-level slots are the hypervisor's.
pub const HYPERVISOR_SLOTS: usize = 16;
/// Entries in a table, and descriptors in a descriptor frame.
pub const ENTRIES: usize = 512;

/// What no guest may set in a present entry of an L2, L3 or L4: memory-type bits, superpage and global.
pub(crate) const UPPER_DISALLOWED: u64 = CACHE_BITS | GLOBAL;
/// What a guest without device memory may not set in a present L1 entry. GLOBAL is adjusted, so it is harmless.
pub(crate) const L1_DISALLOWED: u64 = CACHE_BITS;

/// The frame an entry names.
#[inline]
pub const fn frame(entry: u64) -> Mfn {
    Mfn((entry & ADDRESS) >> 12)
}

/// Whether the top-level slot `index` is the hypervisor's own.
#[inline]
pub const fn is_hypervisor_slot(index: usize) -> bool {
    index >= FIRST_HYPERVISOR_SLOT && index < FIRST_HYPERVISOR_SLOT + HYPERVISOR_SLOTS
}

/// A guest's present L1 entry as it is stored: a mapping without USER is the guest kernel's (marked, not
/// global, so that it leaves the TLB when the guest's user program runs), one with USER is global.
#[inline(always)]
pub const fn adjust_l1(entry: u64) -> u64 {
    if entry & (USER | GUEST_KERNEL) == USER {
        entry | GLOBAL
    } else {
        adjust_kernel(entry)
    }
}

#[cold]
const fn adjust_kernel(entry: u64) -> u64 {
    (entry | USER | GUEST_KERNEL) & !GLOBAL
}

/// Checks a guest's present entry for a table of level 2 to 4 and gives it as it is stored.
#[inline]
pub(crate) fn check_upper(entry: u64) -> Refused<u64> {
    if entry & UPPER_DISALLOWED == 0 {
        return Ok(entry | USER);
    }
    if entry & SUPERPAGE_OR_PAT != 0 {
        return refuse(Errno::EINVAL, "a guest's page tables hold no superpages");
    }
    refuse(
        Errno::EINVAL,
        "a table entry sets bits that are not the guest's to set",
    )
}
