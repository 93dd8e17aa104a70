//! ACPI's static tables: found, checked and decoded into [`Acpi`].
//!
//! Layouts: ACPI Specification 6.5, chapter 5, and for HPET and MCFG the documents it names. Every table's length and
//! checksum is checked before its content is believed; what is wrong becomes a [`Problem`] and the table is left out.

mod fadt;
mod hpet;
mod madt;
mod mcfg;
mod root;
mod slit;
mod srat;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::fmt;

use vocabulary::MachineAddr;

pub use fadt::{Fadt, Register, Space};
pub use hpet::Hpet;
pub use madt::{IoApic, LocalNmi, Madt, NmiSource, Override, Polarity, Processor, Trigger};
pub use mcfg::ConfigurationSpace;
pub use slit::Slit;
pub use srat::{MemoryAffinity, ProcessorAffinity, Srat};

use crate::boot::AcpiRoot;
use crate::memory::u32_at;
use crate::FirmwareMemory;

/// A table's four letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature(pub [u8; 4]);

impl fmt::Display for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.escape_ascii() {
            fmt::Write::write_char(formatter, byte as char)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// One table that the root table lists and whose checks passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// What it is.
    pub signature: Signature,
    /// Where.
    pub address: MachineAddr,
    /// Its bytes, header included.
    pub length: u32,
}

/// Something wrong in the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The table.
    pub signature: Signature,
    /// Where it lies, or where it should.
    pub address: MachineAddr,
    /// What is wrong, and what would be right.
    pub rule: &'static str,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            signature,
            address,
            rule,
        } = self;
        write!(formatter, "ACPI table {signature} at {address:#x}: {rule}")
    }
}

/// What the tables say. A table that is missing or broken is `None` or empty.
#[derive(Clone, Debug, Default)]
pub struct Acpi {
    /// Interrupt controllers and processors.
    pub madt: Option<Madt>,
    /// Fixed hardware: power management registers.
    pub fadt: Option<Fadt>,
    /// The high precision event timer.
    pub hpet: Option<Hpet>,
    /// PCI configuration space in memory.
    pub mcfg: Vec<ConfigurationSpace>,
    /// Which node processors and memory belong to.
    pub srat: Option<Srat>,
    /// How far nodes are from each other.
    pub slit: Option<Slit>,
    /// All tables whose checks passed, in the firmware's order.
    pub tables: Vec<Table>,
    /// What was wrong, one line each; empty on a sound machine.
    pub problems: Vec<Problem>,
}

impl Acpi {
    /// What keeps the machine from being run: a root pointer, MADT or FADT that is broken, or no MADT at all, without
    /// which nothing says how processors and interrupts are wired. Other tables can be done without.
    pub fn unusable(&self) -> Option<Problem> {
        let needed = |problem: &&Problem| matches!(&problem.signature.0, b"APIC" | b"FACP");
        if let Some(problem) = self.problems.iter().find(needed) {
            return Some(*problem);
        }
        if self.madt.is_some() {
            return None;
        }
        let missing = Problem {
            signature: Signature(*b"APIC"),
            address: MachineAddr(0),
            rule: "the firmware lists no such table (MADT), which says how interrupts are wired; a machine with an I/O \
                   APIC is needed",
        };
        Some(self.problems.first().copied().unwrap_or(missing))
    }
}

/// Finds and reads the tables. `root` is what the loader said; without it the places where a PC's BIOS puts the root
/// pointer are searched. A machine without any ACPI gives an [`Acpi`] whose one problem says so.
pub fn read(memory: &dyn FirmwareMemory, root: Option<AcpiRoot>) -> Acpi {
    let mut acpi = Acpi::default();
    match root::table_addresses(memory, root) {
        Ok(addresses) => {
            for address in addresses {
                if let Err(problem) = read_table(memory, address, &mut acpi) {
                    acpi.problems.push(problem);
                }
            }
        }
        Err(problem) => acpi.problems.push(problem),
    }
    acpi
}

/// Checks and takes over the table at `address`.
fn read_table(memory: &dyn FirmwareMemory, address: u64, acpi: &mut Acpi) -> Result<(), Problem> {
    let table = root::checked_table(memory, address)?;
    let signature = root::signature(table);
    acpi.tables.push(Table {
        signature,
        address: MachineAddr(address),
        length: table.len() as u32,
    });
    let decoded = match &signature.0 {
        b"APIC" => madt::decode(table).map(|madt| acpi.madt = Some(madt)),
        b"FACP" => fadt::decode(table).map(|fadt| acpi.fadt = Some(fadt)),
        b"HPET" => hpet::decode(table).map(|hpet| acpi.hpet = Some(hpet)),
        b"MCFG" => mcfg::decode(table).map(|mcfg| acpi.mcfg = mcfg),
        b"SLIT" => slit::decode(table).map(|slit| acpi.slit = Some(slit)),
        b"SRAT" => srat::decode(table).map(|srat| acpi.srat = Some(srat)),
        _ => Ok(()),
    };
    decoded.map_err(|rule| Problem {
        signature,
        address: MachineAddr(address),
        rule,
    })
}

/// The variable part of a table: structures that begin with a type byte and a length byte, from `first` on. Ends with
/// an error at a length that is too small or leaves the table.
struct Structures<'a> {
    rest: &'a [u8],
}

impl<'a> Structures<'a> {
    fn of(table: &'a [u8], first: usize) -> Result<Self, &'static str> {
        let rest = table
            .get(first..)
            .ok_or("it is shorter than its fixed part; leaving it out")?;
        Ok(Self { rest })
    }
}

impl<'a> Iterator for Structures<'a> {
    type Item = Result<(u8, &'a [u8]), &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        let &kind = self.rest.first()?;
        let length = usize::from(self.rest.get(1).copied().unwrap_or(0));
        match self.rest.split_at_checked(length) {
            Some((structure, rest)) if length >= 2 => {
                self.rest = rest;
                Some(Ok((kind, structure)))
            }
            _ => {
                self.rest = &[];
                Some(Err(
                    "a structure in it has a length below 2 or beyond the table's end; leaving the table out",
                ))
            }
        }
    }
}

/// The rule for a structure that is shorter than its type asks for.
const SHORT_STRUCTURE: &str =
    "a structure in it is shorter than its type needs; leaving the table out";

/// Offset of the first byte after a table's header.
const HEADER_BYTES: usize = 36;

/// The length that a table's header claims.
fn claimed_length(header: &[u8]) -> Option<usize> {
    Some(u32_at(header, 4)? as usize)
}
