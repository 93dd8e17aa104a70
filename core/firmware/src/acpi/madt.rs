//! The multiple APIC description table (ACPI 6.5, section 5.2.12): processors, interrupt controllers, interrupt lines.

use alloc::vec::Vec;

use super::{Structures, SHORT_STRUCTURE};
use crate::memory::{u16_at, u32_at, u64_at, u8_at};

const STRUCTURES: usize = 44;

const LOCAL_APIC: u8 = 0;
const IO_APIC: u8 = 1;
const OVERRIDE: u8 = 2;
const NMI_SOURCE: u8 = 3;
const LOCAL_APIC_NMI: u8 = 4;
const LOCAL_APIC_ADDRESS: u8 = 5;
const LOCAL_X2APIC: u8 = 9;
const LOCAL_X2APIC_NMI: u8 = 10;

/// A line's active level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    /// As the line's bus has it: ISA lines are active high, PCI's low.
    Bus,
    /// Active high.
    High,
    /// Active low.
    Low,
}

/// What of a line interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// As the line's bus has it: ISA's edges, PCI's level.
    Bus,
    /// The change to active.
    Edge,
    /// Being active.
    Level,
}

/// A logical processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processor {
    /// The number ACPI's namespace knows it by.
    pub acpi_id: u32,
    /// Its local APIC's number.
    pub apic_id: u32,
    /// Whether it can be used now.
    pub enabled: bool,
    /// Whether it may be enabled later (hot-plug), where it is not.
    pub online_capable: bool,
}

/// An I/O APIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoApic {
    /// Its number.
    pub id: u8,
    /// Machine address of its registers.
    pub address: u32,
    /// The global system interrupt of its first pin.
    pub gsi_base: u32,
}

/// Where an ISA line is wired other than one to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Override {
    /// The ISA line.
    pub irq: u8,
    /// The global system interrupt it is.
    pub gsi: u32,
    /// Its polarity.
    pub polarity: Polarity,
    /// Its trigger.
    pub trigger: Trigger,
}

/// A global system interrupt that is an NMI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NmiSource {
    /// The interrupt.
    pub gsi: u32,
    /// Its polarity.
    pub polarity: Polarity,
    /// Its trigger.
    pub trigger: Trigger,
}

/// A pin of local APICs that is wired to NMI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalNmi {
    /// The processor's number in ACPI's namespace; `None` for all.
    pub acpi_id: Option<u32>,
    /// The pin: LINT0 or LINT1.
    pub lint: u8,
    /// Its polarity.
    pub polarity: Polarity,
    /// Its trigger.
    pub trigger: Trigger,
}

/// The table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Madt {
    /// Machine address of the local APICs' registers.
    pub local_apic: u64,
    /// Whether there are also two 8259s, to be masked.
    pub has_8259: bool,
    /// Processors in the firmware's order, each APIC number once.
    pub processors: Vec<Processor>,
    /// I/O APICs.
    pub io_apics: Vec<IoApic>,
    /// ISA lines.
    pub overrides: Vec<Override>,
    /// NMI interrupts.
    pub nmi_sources: Vec<NmiSource>,
    /// NMI pins.
    pub local_nmis: Vec<LocalNmi>,
}

/// Decodes a table whose length and checksum are right.
pub(super) fn decode(table: &[u8]) -> Result<Madt, &'static str> {
    let short = "it is shorter than its fixed part; leaving it out";
    let mut madt = Madt {
        local_apic: u64::from(u32_at(table, 36).ok_or(short)?),
        has_8259: u32_at(table, 40).ok_or(short)? & 1 != 0,
        ..Madt::default()
    };
    for structure in Structures::of(table, STRUCTURES)? {
        let (kind, bytes) = structure?;
        take(kind, bytes, &mut madt).ok_or(SHORT_STRUCTURE)?;
    }
    if madt.processors.iter().any(|processor| processor.enabled) {
        Ok(madt)
    } else {
        Err("it lists no processor that can be used; one at least is needed")
    }
}

/// Takes over one structure; `None` if it is too short.
fn take(kind: u8, bytes: &[u8], madt: &mut Madt) -> Option<()> {
    match kind {
        LOCAL_APIC => {
            let (acpi_id, apic_id) = (u8_at(bytes, 2)?, u8_at(bytes, 3)?);
            let flags = u32_at(bytes, 4)?;
            // 255 is the broadcast address: firmware fills unused slots with it.
            if apic_id != 0xff {
                add_processor(madt, u32::from(acpi_id), u32::from(apic_id), flags);
            }
        }
        LOCAL_X2APIC => {
            let (apic_id, flags) = (u32_at(bytes, 4)?, u32_at(bytes, 8)?);
            let acpi_id = u32_at(bytes, 12)?;
            if apic_id != u32::MAX {
                add_processor(madt, acpi_id, apic_id, flags);
            }
        }
        IO_APIC => madt.io_apics.push(IoApic {
            id: u8_at(bytes, 2)?,
            address: u32_at(bytes, 4)?,
            gsi_base: u32_at(bytes, 8)?,
        }),
        OVERRIDE => {
            let (polarity, trigger) = line(u16_at(bytes, 8)?);
            madt.overrides.push(Override {
                irq: u8_at(bytes, 3)?,
                gsi: u32_at(bytes, 4)?,
                polarity,
                trigger,
            });
        }
        NMI_SOURCE => {
            let (polarity, trigger) = line(u16_at(bytes, 2)?);
            let gsi = u32_at(bytes, 4)?;
            madt.nmi_sources.push(NmiSource {
                gsi,
                polarity,
                trigger,
            });
        }
        LOCAL_APIC_NMI => {
            let id = u8_at(bytes, 2)?;
            let id = (id != 0xff).then_some(u32::from(id));
            add_local_nmi(madt, id, u16_at(bytes, 3)?, u8_at(bytes, 5)?);
        }
        LOCAL_X2APIC_NMI => {
            let id = u32_at(bytes, 4)?;
            let id = (id != u32::MAX).then_some(id);
            add_local_nmi(madt, id, u16_at(bytes, 2)?, u8_at(bytes, 8)?);
        }
        LOCAL_APIC_ADDRESS => madt.local_apic = u64_at(bytes, 4)?,
        _ => {}
    }
    Some(())
}

/// Adds a processor; one that both kinds of structure list counts once, and one that is unusable for good never.
fn add_processor(madt: &mut Madt, acpi_id: u32, apic_id: u32, flags: u32) {
    let processor = Processor {
        acpi_id,
        apic_id,
        enabled: flags & 1 != 0,
        online_capable: flags & 2 != 0,
    };
    let known = madt.processors.iter().any(|it| it.apic_id == apic_id);
    if !known && (processor.enabled || processor.online_capable) {
        madt.processors.push(processor);
    }
}

fn add_local_nmi(madt: &mut Madt, acpi_id: Option<u32>, flags: u16, lint: u8) {
    let (polarity, trigger) = line(flags);
    madt.local_nmis.push(LocalNmi {
        acpi_id,
        lint,
        polarity,
        trigger,
    });
}

/// The line flags of the MultiProcessor specification: polarity in bits 0 and 1, trigger in bits 2 and 3. The reserved
/// values count as the bus's own.
const fn line(flags: u16) -> (Polarity, Trigger) {
    let polarity = match flags & 3 {
        1 => Polarity::High,
        3 => Polarity::Low,
        _ => Polarity::Bus,
    };
    let trigger = match (flags >> 2) & 3 {
        1 => Trigger::Edge,
        3 => Trigger::Level,
        _ => Trigger::Bus,
    };
    (polarity, trigger)
}
