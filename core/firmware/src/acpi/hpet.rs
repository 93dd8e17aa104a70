//! The HPET table (IA-PC HPET Specification 1.0a, section 3.2.4).

use crate::memory::{u16_at, u64_at, u8_at};

/// The high precision event timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hpet {
    /// Machine address of its registers.
    pub address: u64,
    /// Its number.
    pub number: u8,
    /// Fewest ticks a periodic timer may be set to.
    pub minimum_tick: u16,
}

/// Decodes a table whose length and checksum are right.
pub(super) fn decode(table: &[u8]) -> Result<Hpet, &'static str> {
    let field = || {
        Some((
            u8_at(table, 40)?,
            Hpet {
                address: u64_at(table, 44)?,
                number: u8_at(table, 52)?,
                minimum_tick: u16_at(table, 53)?,
            },
        ))
    };
    match field() {
        None => Err("it is shorter than its 56 bytes; leaving it out"),
        Some((0, hpet)) if hpet.address != 0 => Ok(hpet),
        Some(_) => Err("its registers are not in memory; leaving it out"),
    }
}
