//! PCI configuration space by ports (PCI Local Bus Specification 3.0, section 3.2.2.3.2) and the message tables of MSI-X
//! (section 6.8.2) in devices' memory.

use vocabulary::MachineAddr;

use crate::guest_ports::PortWidth;
use crate::mmio::Mmio;
use crate::{paging, ports};

const ADDRESS: u16 = 0xcf8;
const DATA: u16 = 0xcfc;
const ENABLE: u32 = 1 << 31;

/// A function of a device in segment 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// The bus.
    pub bus: u8,
    /// Device (5 bits) and function (3 bits).
    pub device_function: u8,
}

impl Function {
    /// The value of the address register for the double word at `offset`.
    const fn address(self, offset: u8) -> u32 {
        ENABLE
            | (self.bus as u32) << 16
            | (self.device_function as u32) << 8
            | (offset & 0xfc) as u32
    }
}

/// The two configuration ports. There is one of it, kept behind a lock, since an access takes two steps.
#[derive(Debug)]
pub struct Configuration(());

impl Configuration {
    /// The machine's; the caller sees to it that there is one only.
    pub const fn new() -> Self {
        Self(())
    }

    /// Reads at `offset` of the space that an address register value (bit 31 set, bits 1 and 0 ignored) selects; the
    /// access must not cross a double word (`offset` counts modulo 4 then).
    pub fn read(&mut self, address: u32, offset: u8, width: PortWidth) -> u32 {
        self.select(address);
        let port = DATA + u16::from(offset & 3);
        // SAFETY: reading configuration space touches no memory.
        unsafe {
            match width {
                PortWidth::One => u32::from(ports::read_u8(port)),
                PortWidth::Two => u32::from(ports::read_u16(port)),
                PortWidth::Four => ports::read_u32(port),
            }
        }
    }

    /// Writes likewise.
    pub fn write(&mut self, address: u32, offset: u8, width: PortWidth, value: u32) {
        self.select(address);
        let port = DATA + u16::from(offset & 3);
        // SAFETY: what a device does to memory after being configured is bounded by the IOMMU or, without one,
        // trusted to the domain that drives it (see `guest_ports`).
        unsafe {
            match width {
                PortWidth::One => ports::write_u8(port, value as u8),
                PortWidth::Two => ports::write_u16(port, value as u16),
                PortWidth::Four => ports::write_u32(port, value),
            }
        }
    }

    /// Reads a function's byte, half or double word at `offset`.
    pub fn read_of(&mut self, function: Function, offset: u8, width: PortWidth) -> u32 {
        self.read(function.address(offset), offset, width)
    }

    /// Writes a function's byte, half or double word at `offset`.
    pub fn write_of(&mut self, function: Function, offset: u8, width: PortWidth, value: u32) {
        self.write(function.address(offset), offset, width, value);
    }

    fn select(&mut self, address: u32) {
        // SAFETY: only selects what the data port shows.
        unsafe { ports::write_u32(ADDRESS, address | ENABLE) }
    }
}

impl Default for Configuration {
    fn default() -> Self {
        Self::new()
    }
}

/// Bytes of an entry of an MSI-X table.
const ENTRY_BYTES: u64 = 16;
const ENTRY_ADDRESS: usize = 0;
const ENTRY_ADDRESS_HIGH: usize = 4;
const ENTRY_DATA: usize = 8;
const ENTRY_CONTROL: usize = 12;
const ENTRY_MASKED: u32 = 1;

/// One entry of an MSI-X table.
#[derive(Clone, Copy, Debug)]
pub struct MessageEntry(Mmio);

impl MessageEntry {
    /// Maps entry `index` of the table at `table`; `None` where that is RAM or out of reach.
    pub fn map(table: MachineAddr, index: u16) -> Option<Self> {
        let address = table.0.checked_add(u64::from(index) * ENTRY_BYTES)?;
        if paging::is_in_direct_map(MachineAddr(address)) || address & 0xf != 0 {
            return None;
        }
        // SAFETY: the direct map shows all RAM, so what is written here reaches a device; a device's registers are
        // its driver's to answer for (see `guest_ports`).
        unsafe { Mmio::map(MachineAddr(address), ENTRY_BYTES as usize) }.map(Self)
    }

    /// Sets where the interrupt's message goes; the entry is masked while its parts do not belong together.
    pub fn set(&self, address: u64, data: u32) {
        let control = self.0.read_u32(ENTRY_CONTROL);
        self.0.write_u32(ENTRY_CONTROL, control | ENTRY_MASKED);
        self.0.write_u32(ENTRY_ADDRESS, address as u32);
        self.0.write_u32(ENTRY_ADDRESS_HIGH, (address >> 32) as u32);
        self.0.write_u32(ENTRY_DATA, data);
        self.0.write_u32(ENTRY_CONTROL, control);
    }

    /// Holds the interrupt back or lets it through.
    pub fn mask(&self, masked: bool) {
        let control = self.0.read_u32(ENTRY_CONTROL) & !ENTRY_MASKED;
        self.0.write_u32(ENTRY_CONTROL, control | u32::from(masked));
        // Reading back makes sure that the write arrived before the caller goes on.
        self.0.read_u32(ENTRY_CONTROL);
    }
}
