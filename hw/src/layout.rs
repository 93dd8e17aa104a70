//! Where the image and the board's memory lie in the hypervisor's part of the address space.

use vocabulary::{MachineAddr, VirtAddr};

/// First virtual address of the image (slot 261); `hw/image.ld` links it there.
pub const IMAGE_BASE: u64 = 0xffff_82d0_0000_0000;
/// Machine address the loader puts the image at: 2 MiB, above everything the BIOS keeps.
pub const IMAGE_MACHINE_BASE: u64 = 0x20_0000;
/// First virtual address of the direct map of RAM (slots 262-271).
pub const DIRECT_MAP_BASE: u64 = 0xffff_8300_0000_0000;
/// Bytes of machine memory that the boot page tables map, both directly and identically.
pub const EARLY_MAP_BYTES: u64 = 4 << 30;

/// The direct map's address of a machine address. Only the first [`EARLY_MAP_BYTES`] are mapped at first.
pub const fn direct(address: MachineAddr) -> VirtAddr {
    VirtAddr(DIRECT_MAP_BASE.wrapping_add(address.0))
}

/// The machine address behind an address inside the image.
pub const fn image_machine_address(address: VirtAddr) -> MachineAddr {
    MachineAddr(
        address
            .0
            .wrapping_sub(IMAGE_BASE)
            .wrapping_add(IMAGE_MACHINE_BASE),
    )
}

/// The first virtual address behind the image.
pub fn image_end() -> u64 {
    extern "C" {
        static image_end: u8;
    }
    (&raw const image_end) as u64
}

/// Machine addresses of the image: its first byte, and the one behind its last.
pub fn image_range() -> (u64, u64) {
    let end = image_machine_address(VirtAddr(image_end()));
    (IMAGE_MACHINE_BASE, end.0)
}
