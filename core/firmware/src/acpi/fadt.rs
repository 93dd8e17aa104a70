//! The fixed ACPI description table (ACPI 6.5, section 5.2.9): power management registers, reset, the PM timer.

use crate::memory::{u16_at, u32_at, u64_at, u8_at};

/// Where a register lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// In memory.
    Memory,
    /// At an I/O port.
    Port,
    /// In PCI configuration space: bus 0, device in bits 47..32, function in 31..16, offset in 15..0.
    PciConfiguration,
}

/// A register: ACPI's generic address structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// The space.
    pub space: Space,
    /// Its width in bits, as the firmware says (0 where it does not).
    pub bits: u8,
    /// The address in that space.
    pub address: u64,
}

/// The table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fadt {
    /// The system control interrupt, a global system interrupt.
    pub sci: u16,
    /// The port that switches ACPI on, and the value to write; `None` where it is always on.
    pub smi_command: Option<(u16, u8)>,
    /// PM1 event blocks.
    pub pm1_event: [Option<Register>; 2],
    /// PM1 control registers.
    pub pm1_control: [Option<Register>; 2],
    /// The PM timer.
    pub pm_timer: Option<Register>,
    /// Whether the PM timer counts 32 bits (else 24).
    pub pm_timer_32_bit: bool,
    /// The reset register and what to write there.
    pub reset: Option<(Register, u8)>,
    /// The sleep control register of machines without fixed hardware.
    pub sleep_control: Option<Register>,
    /// Whether sleeping goes by `sleep_control` only.
    pub hardware_reduced: bool,
    /// The CMOS register that holds the century; 0 where there is none.
    pub century: u8,
    /// Whether the machine says that it has no VGA, so that its memory must not be touched.
    pub no_vga: bool,
    /// Whether the machine says that it has no CMOS clock.
    pub no_cmos_clock: bool,
    /// Machine address of the firmware control structure, 0 for none.
    pub facs: u64,
}

const FLAG_PM_TIMER_32_BIT: u32 = 1 << 8;
const FLAG_RESET: u32 = 1 << 10;
const FLAG_HARDWARE_REDUCED: u32 = 1 << 20;
const BOOT_FLAG_NO_VGA: u16 = 1 << 2;
const BOOT_FLAG_NO_CMOS_CLOCK: u16 = 1 << 5;

/// Decodes a table whose length and checksum are right. Fields beyond its end, as in older revisions, count as absent.
pub(super) fn decode(table: &[u8]) -> Result<Fadt, &'static str> {
    if table.len() < 116 {
        return Err("it is shorter than ACPI 1's 116 bytes; leaving it out");
    }
    let flags = u32_at(table, 112).unwrap_or(0);
    let boot_flags = u16_at(table, 109).unwrap_or(0);
    let smi_port = u32_at(table, 48).unwrap_or(0);
    let acpi_enable = u8_at(table, 52).unwrap_or(0);
    let reset_value = u8_at(table, 128);
    let facs = match u64_at(table, 132) {
        Some(address) if address != 0 => address,
        _ => u64::from(u32_at(table, 36).unwrap_or(0)),
    };
    Ok(Fadt {
        sci: u16_at(table, 46).unwrap_or(0),
        smi_command: u16::try_from(smi_port)
            .ok()
            .filter(|&port| port != 0 && acpi_enable != 0)
            .map(|port| (port, acpi_enable)),
        pm1_event: [block(table, 148, 56, 88), block(table, 160, 60, 88)],
        pm1_control: [block(table, 172, 64, 89), block(table, 184, 68, 89)],
        pm_timer: block(table, 208, 76, 91),
        pm_timer_32_bit: flags & FLAG_PM_TIMER_32_BIT != 0,
        reset: generic(table, 116)
            .zip(reset_value)
            .filter(|_| flags & FLAG_RESET != 0),
        sleep_control: generic(table, 244),
        hardware_reduced: flags & FLAG_HARDWARE_REDUCED != 0,
        century: u8_at(table, 108).unwrap_or(0),
        no_vga: boot_flags & BOOT_FLAG_NO_VGA != 0,
        no_cmos_clock: boot_flags & BOOT_FLAG_NO_CMOS_CLOCK != 0,
        facs,
    })
}

/// A register block: by the generic address at `generic_at` if that is there and filled, else by the port number at
/// `port_at`, with its length in bytes at `length_at`.
fn block(table: &[u8], generic_at: usize, port_at: usize, length_at: usize) -> Option<Register> {
    if let Some(register) = generic(table, generic_at) {
        return Some(register);
    }
    let port = u32_at(table, port_at)?;
    let bytes = u8_at(table, length_at)?;
    (port != 0 && bytes != 0).then_some(Register {
        space: Space::Port,
        bits: bytes.saturating_mul(8),
        address: u64::from(port),
    })
}

/// The generic address structure at `offset`; `None` if it is empty, beyond the table, or in a space we do not reach.
fn generic(table: &[u8], offset: usize) -> Option<Register> {
    let space = match u8_at(table, offset)? {
        0 => Space::Memory,
        1 => Space::Port,
        2 => Space::PciConfiguration,
        _ => return None,
    };
    let address = u64_at(table, offset + 4)?;
    let bits = u8_at(table, offset + 1)?;
    (address != 0).then_some(Register {
        space,
        bits,
        address,
    })
}
