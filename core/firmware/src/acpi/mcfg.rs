//! The MCFG table (PCI Firmware Specification 3.3, section 4.1.2): PCI configuration space in memory.

use alloc::vec::Vec;

use super::HEADER_BYTES;
use crate::memory::{u16_at, u64_at, u8_at};

/// The configuration space of a range of buses: 1 MiB a bus, at `address` + bus << 20.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigurationSpace {
    /// Machine address of bus 0's, whether or not bus 0 is in the range.
    pub address: u64,
    /// The segment group.
    pub segment: u16,
    /// First bus.
    pub first_bus: u8,
    /// Last bus.
    pub last_bus: u8,
}

/// Decodes a table whose length and checksum are right.
pub(super) fn decode(table: &[u8]) -> Result<Vec<ConfigurationSpace>, &'static str> {
    let entries = table
        .get(HEADER_BYTES + 8..)
        .ok_or("it is shorter than its fixed part; leaving it out")?;
    let spaces: Option<Vec<_>> = entries.chunks_exact(16).map(space).collect();
    spaces
        .filter(|spaces| spaces.iter().all(|it| it.first_bus <= it.last_bus))
        .ok_or("an entry's last bus comes before its first; leaving the table out")
}

fn space(entry: &[u8]) -> Option<ConfigurationSpace> {
    Some(ConfigurationSpace {
        address: u64_at(entry, 0)?,
        segment: u16_at(entry, 8)?,
        first_bus: u8_at(entry, 10)?,
        last_bus: u8_at(entry, 11)?,
    })
}
