//! Interrupts that are messages: MSI and MSI-X, whose destination the hypervisor writes into the device.
//!
//! Capabilities: PCI Local Bus Specification 3.0, section 6.8; the message's form: Intel SDM volume 3, section 11.11.

use hw::guest_ports::PortWidth::{Four, One, Two};
use hw::pci::{Configuration, Function, MessageEntry};
use memory::IoAccess;
use vocabulary::{refuse, DomainId, Errno, MachineAddr, Refused};

use crate::devices;

const STATUS: u8 = 0x06;
const HAS_CAPABILITIES: u32 = 1 << 4;
const FIRST_CAPABILITY: u8 = 0x34;
const VENDOR: u8 = 0x00;
const FIRST_BASE: u8 = 0x10;
const MSI: u32 = 0x05;
const MSI_X: u32 = 0x11;
/// Capabilities there is room for between the header and the end of configuration space.
const MOST_CAPABILITIES: usize = 48;

/// Bits of MSI's control half.
const WIDE_ADDRESS: u32 = 1 << 7;
const CAN_MASK: u32 = 1 << 8;
/// Highest entry of an MSI-X table, in its control half.
const TABLE_SIZE: u32 = 0x7ff;
/// Which base register, in the table's offset.
const TABLE_BASE: u32 = 7;
/// A memory base register's type bits: bit 0 for ports, bits 2 and 1 for 64 bits.
const BASE_IS_PORT: u32 = 1;
const BASE_IS_WIDE: u32 = 4;

/// The address of every message; the destination APIC is in bits 12 to 19.
const ADDRESS: u64 = 0xfee0_0000;
const DESTINATION_SHIFT: u32 = 12;

/// How a message's destination is written.
#[derive(Clone, Copy, Debug)]
pub enum Wire {
    /// In configuration space.
    Msi {
        /// The device.
        function: Function,
        /// Offset of the capability.
        capability: u8,
        /// The address has 64 bits.
        wide: bool,
        /// It can be masked.
        maskable: bool,
    },
    /// In the device's table.
    MsiX {
        /// The device.
        function: Function,
        /// Its table's entry.
        index: u16,
        /// Where the entry is.
        entry: MessageEntry,
    },
}

impl Wire {
    /// The MSI of a device, or `entry` of its MSI-X table where `extended`.
    ///
    /// # Errors
    /// `ENODEV`: no such device, or without the capability. `EINVAL`: no such entry. `ENXIO`: the table lies nowhere.
    pub fn find(function: Function, extended: Option<u16>) -> Refused<Self> {
        devices::configure(|space| {
            if space.read_of(function, VENDOR, Two) == 0xffff {
                return refuse(Errno::ENODEV, "there is no such PCI device");
            }
            let kind = if extended.is_some() { MSI_X } else { MSI };
            let Some(capability) = capability(space, function, kind) else {
                return refuse(
                    Errno::ENODEV,
                    "the PCI device has no such message interrupts",
                );
            };
            let control = space.read_of(function, capability + 2, Two);
            match extended {
                None => Ok(Self::Msi {
                    function,
                    capability,
                    wide: control & WIDE_ADDRESS != 0,
                    maskable: control & CAN_MASK != 0,
                }),
                Some(index) if u32::from(index) > control & TABLE_SIZE => {
                    refuse(Errno::EINVAL, "the device's MSI-X table has no such entry")
                }
                Some(index) => {
                    let table = table(space, function, capability);
                    let table = table.filter(|table| is_device(*table, index));
                    match table.and_then(|table| MessageEntry::map(table, index)) {
                        Some(entry) => Ok(Self::MsiX {
                            function,
                            index,
                            entry,
                        }),
                        None => refuse(
                            Errno::ENXIO,
                            "the device's MSI-X table does not lie in device memory",
                        ),
                    }
                }
            }
        })
    }

    /// The device, and the entry of its MSI-X table.
    pub const fn of(&self) -> (Function, Option<u16>) {
        match self {
            Self::Msi { function, .. } => (*function, None),
            Self::MsiX {
                function, index, ..
            } => (*function, Some(*index)),
        }
    }

    /// Writes the message: a fixed interrupt by edge, to one APIC.
    pub fn set(&self, apic_id: u8, vector: u8) {
        let address = ADDRESS | u64::from(apic_id) << DESTINATION_SHIFT;
        let data = u32::from(vector);
        match *self {
            Self::MsiX { entry, .. } => entry.set(address, data),
            Self::Msi {
                function,
                capability,
                wide,
                ..
            } => devices::configure(|space| {
                let data_at = if wide {
                    capability + 12
                } else {
                    capability + 8
                };
                if wide {
                    space.write_of(function, capability + 8, Four, (address >> 32) as u32);
                }
                // Multiple messages are never on: only the first is the hypervisor's.
                let control = space.read_of(function, capability + 2, Two) & !0x70;
                space.write_of(function, capability + 2, Two, control);
                space.write_of(function, data_at, Two, data);
                space.write_of(function, capability + 4, Four, address as u32);
            }),
        }
    }

    /// Holds the message back or lets it through, where the device can.
    pub fn mask(&self, masked: bool) {
        match *self {
            Self::MsiX { entry, .. } => entry.mask(masked),
            Self::Msi {
                function,
                capability,
                wide,
                maskable: true,
            } => devices::configure(|space| {
                let at = if wide {
                    capability + 16
                } else {
                    capability + 12
                };
                let others = space.read_of(function, at, Four) & !1;
                space.write_of(function, at, Four, others | u32::from(masked));
            }),
            Self::Msi {
                maskable: false, ..
            } => {}
        }
    }
}

/// Whether an entry of a table lies where dom0 may write device registers itself.
fn is_device(table: MachineAddr, index: u16) -> bool {
    let address = table.0.checked_add(u64::from(index) * 16).map(MachineAddr);
    address
        .is_some_and(|address| devices::io_access(DomainId(0), address.frame()) == IoAccess::Full)
}

/// The offset of a capability in configuration space.
fn capability(space: &mut Configuration, function: Function, kind: u32) -> Option<u8> {
    if space.read_of(function, STATUS, Two) & HAS_CAPABILITIES == 0 {
        return None;
    }
    let mut at = space.read_of(function, FIRST_CAPABILITY, One) as u8 & 0xfc;
    for _ in 0..MOST_CAPABILITIES {
        // Capabilities lie between the header and what leaves room for the longest one looked for.
        if !(0x40..=0xe8).contains(&at) {
            return None;
        }
        if space.read_of(function, at, One) == kind {
            return Some(at);
        }
        at = space.read_of(function, at + 1, One) as u8 & 0xfc;
    }
    None
}

/// The machine address of a device's MSI-X table, by its base register.
fn table(space: &mut Configuration, function: Function, capability: u8) -> Option<MachineAddr> {
    let offset = space.read_of(function, capability + 4, Four);
    let register = u8::try_from(offset & TABLE_BASE)
        .ok()
        .filter(|&number| number < 6)?;
    let at = FIRST_BASE + 4 * register;
    let low = space.read_of(function, at, Four);
    if low & BASE_IS_PORT != 0 {
        return None;
    }
    let high = if low & BASE_IS_WIDE != 0 && register < 5 {
        space.read_of(function, at + 4, Four)
    } else {
        0
    };
    let base = u64::from(high) << 32 | u64::from(low & !0xf);
    let address = base.checked_add(u64::from(offset & !TABLE_BASE))?;
    (base != 0).then_some(MachineAddr(address))
}
