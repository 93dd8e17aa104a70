//! From the root pointer to the list of tables, and the checks every table must pass.

use alloc::vec::Vec;

use vocabulary::MachineAddr;

use super::{claimed_length, Problem, Signature, HEADER_BYTES};
use crate::boot::AcpiRoot;
use crate::memory::{u16_at, u32_at, u64_at, u8_at, FirmwareMemory};

const ROOT_POINTER: &[u8; 8] = b"RSD PTR ";
/// Bytes of an ACPI 1 root pointer; later ones are longer and have a second checksum.
const ROOT_POINTER_BYTES: usize = 20;
const ROOT_POINTER_2_BYTES: usize = 36;
/// Where the BIOS keeps the segment of its extended data area.
const EXTENDED_AREA_SEGMENT: u64 = 0x40e;
/// Where root pointers lie on a PC: the first KiB of the extended data area, and the BIOS's own area.
const BIOS_AREA: (u64, usize) = (0xe_0000, 0x2_0000);
/// No sound table is longer than this; a longer one has a broken header.
const LONGEST_TABLE: usize = 16 << 20;

const RSDP: Signature = Signature(*b"RSDP");

/// Machine addresses of the tables that the root table lists.
pub(super) fn table_addresses(
    memory: &dyn FirmwareMemory,
    root: Option<AcpiRoot>,
) -> Result<Vec<u64>, Problem> {
    match root {
        Some(AcpiRoot::Rsdt(address)) => list(memory, address.0, 4),
        Some(AcpiRoot::Xsdt(address)) => list(memory, address.0, 8),
        Some(AcpiRoot::RootPointer(address)) => follow(memory, address.0),
        None => match search(memory) {
            Some(address) => follow(memory, address),
            None => Err(problem(
                RSDP,
                BIOS_AREA.0,
                "there is no root pointer with a right checksum; a machine with ACPI is needed",
            )),
        },
    }
}

/// Follows the root pointer to the XSDT if it has one, else the RSDT.
fn follow(memory: &dyn FirmwareMemory, address: u64) -> Result<Vec<u64>, Problem> {
    let broken = |rule| problem(RSDP, address, rule);
    let pointer = memory
        .slice(address, ROOT_POINTER_BYTES)
        .ok_or(broken("it lies beyond the memory in reach"))?;
    if !pointer.starts_with(ROOT_POINTER) || sum(pointer) != 0 {
        return Err(broken("its signature or checksum is wrong"));
    }
    if u8_at(pointer, 15).unwrap_or(0) >= 2 {
        let extended = memory
            .slice(address, ROOT_POINTER_2_BYTES)
            .ok_or(broken("it lies beyond the memory in reach"))?;
        let xsdt = u64_at(extended, 24).unwrap_or(0);
        if sum(extended) == 0 && xsdt != 0 {
            return list(memory, xsdt, 8);
        }
    }
    list(memory, u64::from(u32_at(pointer, 16).unwrap_or(0)), 4)
}

/// Looks for a root pointer where a BIOS puts it.
fn search(memory: &dyn FirmwareMemory) -> Option<u64> {
    let extended = memory
        .slice(EXTENDED_AREA_SEGMENT, 2)
        .and_then(|segment| u16_at(segment, 0))
        .map_or(0, |segment| u64::from(segment) << 4);
    [(extended, 1024), BIOS_AREA]
        .into_iter()
        .filter(|&(start, _)| start != 0)
        .find_map(|(start, length)| {
            let area = memory.slice(start, length)?;
            let index = area
                .chunks_exact(16)
                .enumerate()
                .position(|(index, chunk)| {
                    chunk.starts_with(ROOT_POINTER)
                        && area
                            .get(index * 16..index * 16 + ROOT_POINTER_BYTES)
                            .is_some_and(|pointer| sum(pointer) == 0)
                })?;
            Some(start + index as u64 * 16)
        })
}

/// The addresses in the root table at `address`, each `width` bytes wide; empty slots are left out.
fn list(memory: &dyn FirmwareMemory, address: u64, width: usize) -> Result<Vec<u64>, Problem> {
    let table = checked_table(memory, address)?;
    let expected = if width == 8 { b"XSDT" } else { b"RSDT" };
    if &signature(table).0 != expected {
        return Err(problem(
            Signature(*expected),
            address,
            "what lies there has another signature",
        ));
    }
    let entries = table.get(HEADER_BYTES..).unwrap_or(&[]).chunks_exact(width);
    Ok(entries
        .filter_map(|entry| match width {
            8 => u64_at(entry, 0),
            _ => u32_at(entry, 0).map(u64::from),
        })
        .filter(|&address| address != 0)
        .collect())
}

/// The whole table at `address` if it is in reach, not shorter than a header, and its bytes add up to zero.
pub(super) fn checked_table(memory: &dyn FirmwareMemory, address: u64) -> Result<&[u8], Problem> {
    let Some(header) = memory.slice(address, HEADER_BYTES) else {
        return Err(problem(
            Signature(*b"????"),
            address,
            "it lies beyond the memory in reach",
        ));
    };
    let broken = |rule| problem(signature(header), address, rule);
    let length = claimed_length(header).unwrap_or(0);
    if !(HEADER_BYTES..=LONGEST_TABLE).contains(&length) {
        return Err(broken(
            "its length is below 36 bytes or above 16 MiB; leaving it out",
        ));
    }
    let table = memory
        .slice(address, length)
        .ok_or(broken("its end lies beyond the memory in reach"))?;
    if sum(table) != 0 {
        return Err(broken(
            "its checksum is wrong (its bytes must add up to 0); leaving it out",
        ));
    }
    Ok(table)
}

/// A table's first four bytes.
pub(super) fn signature(table: &[u8]) -> Signature {
    Signature(table.first_chunk().copied().unwrap_or(*b"????"))
}

fn problem(signature: Signature, address: u64, rule: &'static str) -> Problem {
    Problem {
        signature,
        address: MachineAddr(address),
        rule,
    }
}

/// The sum of all bytes, modulo 256.
pub(super) fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, &byte| sum.wrapping_add(byte))
}
