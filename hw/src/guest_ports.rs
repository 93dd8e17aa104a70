//! I/O ports read and written for a domain that drives devices.
//!
//! Which ports a domain may use is the hypervisor crate's to say, access by access; here is only the instruction.

use crate::ports;

/// Bytes of one access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortWidth {
    /// One byte.
    One,
    /// Two bytes.
    Two,
    /// Four bytes.
    Four,
}

/// Reads from a port what the device answers; bits above the width are zero.
pub fn read(port: u16, width: PortWidth) -> u32 {
    // SAFETY: the port belongs to a device that was given to a domain. What such a device does to memory is bounded
    // by the IOMMU or, without one, trusted to that domain: the same holds for the device registers in memory that
    // the domain maps, and nothing that a port can do beyond those reaches Rust's objects.
    unsafe {
        match width {
            PortWidth::One => u32::from(ports::read_u8(port)),
            PortWidth::Two => u32::from(ports::read_u16(port)),
            PortWidth::Four => ports::read_u32(port),
        }
    }
}

/// Writes to a port; bits above the width are dropped.
pub fn write(port: u16, width: PortWidth, value: u32) {
    // SAFETY: as in `read`.
    unsafe {
        match width {
            PortWidth::One => ports::write_u8(port, value as u8),
            PortWidth::Two => ports::write_u16(port, value as u16),
            PortWidth::Four => ports::write_u32(port, value),
        }
    }
}
