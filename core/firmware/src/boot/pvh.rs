//! Xen's PVH start information (public header `arch-x86/hvm/start_info.h`).

use super::info::{text, AcpiRoot, BootInfo, Protocol};
use super::memory_map::MemoryKind;
use crate::memory::{u32_at, u64_at, FirmwareMemory};
use vocabulary::MachineAddr;

/// `XEN_HVM_START_MAGIC_VALUE`; our entry code puts it in eax, since this protocol leaves no magic there.
pub(super) const MAGIC: u32 = 0x336e_c578;

const INFORMATION_BYTES: usize = 56;
const MODULE_BYTES: u64 = 32;
const MEMORY_ENTRY_BYTES: u64 = 24;
/// A bound on what a broken count makes us read.
const ENTRIES: u64 = 4096;

/// Reads the structure at machine address `address`; `None` where it is not one.
pub(super) fn parse(memory: &dyn FirmwareMemory, address: u64, boot: &mut BootInfo) -> Option<()> {
    let information = memory.slice(address, INFORMATION_BYTES)?;
    if u32_at(information, 0)? != MAGIC {
        return None;
    }
    let version = u32_at(information, 4)?;
    let modules = u64::from(u32_at(information, 12)?);
    let module_list = u64_at(information, 16)?;
    boot.protocol = Protocol::Pvh;
    boot.loader = text(b"PVH");
    match u64_at(information, 24)? {
        0 => {}
        line => boot.command_line = text(memory.string(line)),
    }
    match u64_at(information, 32)? {
        0 => {}
        root => boot.acpi = Some(AcpiRoot::RootPointer(MachineAddr(root))),
    }
    for index in 0..modules.min(ENTRIES) {
        let at = module_list.saturating_add(index * MODULE_BYTES);
        let module = memory.slice(at, MODULE_BYTES as usize)?;
        let (start, length) = (u64_at(module, 0)?, u64_at(module, 8)?);
        let string = match u64_at(module, 16)? {
            0 => &[],
            string => memory.string(string),
        };
        boot.add_module(start, start.saturating_add(length), string);
    }
    if version >= 1 {
        let map = u64_at(information, 40)?;
        let entries = u64::from(u32_at(information, 48)?);
        for index in 0..entries.min(ENTRIES) {
            let at = map.saturating_add(index * MEMORY_ENTRY_BYTES);
            let entry = memory.slice(at, MEMORY_ENTRY_BYTES as usize)?;
            let kind = MemoryKind::from_e820(u32_at(entry, 16)?);
            boot.memory.add(u64_at(entry, 0)?, u64_at(entry, 8)?, kind);
        }
    }
    Some(())
}
