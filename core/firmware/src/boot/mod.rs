//! The boot information of three boot protocols, in one shape: [`BootInfo`].

mod info;
mod memory_map;
mod multiboot1;
mod multiboot2;
mod pvh;
#[cfg(test)]
mod tests;

pub use info::{
    AcpiRoot, BootInfo, Efi, Framebuffer, Module, Protocol, Video, COMMAND_LINE, MODULES,
    MODULE_STRING,
};
pub use memory_map::{MemoryKind, MemoryMap, MemoryRegion, REGIONS};

use crate::FirmwareMemory;

/// Why there is no boot information.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootError {
    /// The number in eax belongs to none of the protocols.
    UnknownProtocol,
    /// The structure at the given address is out of reach, or is not what the protocol says.
    Unreadable,
}

/// Reads the boot information into `boot`, which is empty: `magic` is what the loader left in eax (PVH's own magic
/// number for that protocol), `address` the machine address it left in ebx.
pub fn parse(
    memory: &dyn FirmwareMemory,
    magic: u32,
    address: u64,
    boot: &mut BootInfo,
) -> Result<(), BootError> {
    let parsed = match magic {
        multiboot1::MAGIC => multiboot1::parse(memory, address, boot),
        multiboot2::MAGIC => multiboot2::parse(memory, address, boot),
        pvh::MAGIC => pvh::parse(memory, address, boot),
        _ => return Err(BootError::UnknownProtocol),
    };
    parsed.ok_or(BootError::Unreadable)
}
