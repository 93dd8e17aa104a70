//! The system resource affinity table (ACPI 6.5, section 5.2.16): which node processors and memory belong to.

use alloc::vec::Vec;

use super::{Structures, SHORT_STRUCTURE};
use crate::memory::{u32_at, u64_at, u8_at};

const STRUCTURES: usize = 48;

const PROCESSOR: u8 = 0;
const MEMORY: u8 = 1;
const X2APIC_PROCESSOR: u8 = 2;

const FLAG_ENABLED: u32 = 1 << 0;
const FLAG_HOT_PLUGGABLE: u32 = 1 << 1;

/// A processor's node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessorAffinity {
    /// Its local APIC's number.
    pub apic_id: u32,
    /// The proximity domain: the firmware's number of the node.
    pub domain: u32,
}

/// A memory range's node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryAffinity {
    /// First byte.
    pub start: u64,
    /// Bytes.
    pub length: u64,
    /// The proximity domain.
    pub domain: u32,
    /// Whether memory may be added there later: there need not be any now.
    pub hot_pluggable: bool,
}

/// The table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Srat {
    /// Processors that are in use.
    pub processors: Vec<ProcessorAffinity>,
    /// Memory ranges that are in use.
    pub memory: Vec<MemoryAffinity>,
}

/// Decodes a table whose length and checksum are right.
pub(super) fn decode(table: &[u8]) -> Result<Srat, &'static str> {
    let mut srat = Srat::default();
    for structure in Structures::of(table, STRUCTURES)? {
        let (kind, bytes) = structure?;
        take(kind, bytes, &mut srat).ok_or(SHORT_STRUCTURE)?;
    }
    Ok(srat)
}

/// Takes over one structure; `None` if it is too short.
fn take(kind: u8, bytes: &[u8], srat: &mut Srat) -> Option<()> {
    match kind {
        PROCESSOR => {
            // The domain's low byte is where ACPI 1 had it, the upper three came later.
            let domain = (u32_at(bytes, 8)? & !0xff) | u32::from(u8_at(bytes, 2)?);
            let apic_id = u32::from(u8_at(bytes, 3)?);
            if u32_at(bytes, 4)? & FLAG_ENABLED != 0 {
                srat.processors.push(ProcessorAffinity { apic_id, domain });
            }
        }
        X2APIC_PROCESSOR => {
            let (domain, apic_id) = (u32_at(bytes, 4)?, u32_at(bytes, 8)?);
            if u32_at(bytes, 12)? & FLAG_ENABLED != 0 {
                srat.processors.push(ProcessorAffinity { apic_id, domain });
            }
        }
        MEMORY => {
            let flags = u32_at(bytes, 28)?;
            let memory = MemoryAffinity {
                domain: u32_at(bytes, 2)?,
                start: u64_at(bytes, 8)?,
                length: u64_at(bytes, 16)?,
                hot_pluggable: flags & FLAG_HOT_PLUGGABLE != 0,
            };
            if flags & FLAG_ENABLED != 0 && memory.length != 0 {
                srat.memory.push(memory);
            }
        }
        _ => {}
    }
    Some(())
}
