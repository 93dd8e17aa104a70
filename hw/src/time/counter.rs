//! Platform counters: HPET, ACPI's PM timer, and the PIT where there is neither.

use firmware::acpi::{Acpi, Fadt, Hpet, Space};
use vocabulary::MachineAddr;

use crate::mmio::Mmio;
use crate::ports;

/// Which counter it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterKind {
    /// High precision event timer.
    Hpet,
    /// ACPI power management timer.
    PmTimer,
    /// Programmable interval timer, channel 2.
    Pit,
}

impl CounterKind {
    /// The name it goes by in messages and in the `clocksource=` option.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hpet => "hpet",
            Self::PmTimer => "acpi",
            Self::Pit => "pit",
        }
    }
}

/// How a counter is read.
#[derive(Clone, Copy, Debug)]
enum Access {
    Hpet(Mmio),
    PmTimerPort(u16),
    PmTimerMemory(Mmio),
    Pit,
}

/// A counter that runs at a known, constant frequency.
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    kind: CounterKind,
    access: Access,
    frequency: u64,
    femtoseconds: Option<u32>,
    mask: u64,
}

/// Femtoseconds in a second, which HPETs give their period in.
const FEMTOS: u64 = 1_000_000_000_000_000;

/// HPET registers (IA-PC HPET Specification 1.0a, section 2.3).
const HPET_BYTES: usize = 1024;
const HPET_CAPABILITIES: usize = 0x000;
const HPET_CONFIGURATION: usize = 0x010;
const HPET_COUNTER: usize = 0x0f0;
const HPET_64_BIT: u64 = 1 << 13;
const HPET_RUN: u64 = 1 << 0;
/// Longest period the specification allows, in femtoseconds: 100 ns.
const HPET_LONGEST_PERIOD: u64 = 100_000_000;

/// The PM timer's frequency (ACPI 6.5, section 4.8.3.3).
const PM_TIMER_HZ: u64 = 3_579_545;
/// The PIT's (Intel 8254; a third of the above).
const PIT_HZ: u64 = 1_193_182;

const PIT_COMMAND: u16 = 0x43;
const PIT_CHANNEL_2: u16 = 0x42;
/// Bit 0 lets channel 2 count, bit 1 lets it be heard.
const SPEAKER: u16 = 0x61;
/// Channel 2, both bytes, rate generator, binary.
const PIT_CHANNEL_2_RATE: u8 = 0xb4;
const PIT_LATCH_2: u8 = 0x80;

impl Counter {
    /// The best counter of the machine: the HPET, else the PM timer, else the PIT.
    pub fn best(acpi: &Acpi) -> Self {
        acpi.hpet
            .as_ref()
            .and_then(Self::hpet)
            .or_else(|| acpi.fadt.as_ref().and_then(Self::pm_timer))
            .unwrap_or_else(Self::pit)
    }

    /// The HPET, set running; `None` where its registers make no sense.
    pub fn hpet(table: &Hpet) -> Option<Self> {
        // SAFETY: the table names the timer's own registers, which are never RAM; no interrupt is enabled.
        let registers = unsafe { Mmio::map(MachineAddr(table.address), HPET_BYTES) }?;
        let capabilities = registers.read_u64(HPET_CAPABILITIES);
        let period = capabilities >> 32;
        if !(1..=HPET_LONGEST_PERIOD).contains(&period) {
            return None;
        }
        let configuration = registers.read_u64(HPET_CONFIGURATION);
        registers.write_u64(HPET_CONFIGURATION, configuration | HPET_RUN);
        let wide = capabilities & HPET_64_BIT != 0;
        Some(Self {
            kind: CounterKind::Hpet,
            access: Access::Hpet(registers),
            frequency: FEMTOS / period,
            femtoseconds: u32::try_from(period).ok(),
            mask: if wide { u64::MAX } else { 0xffff_ffff },
        })
    }

    /// ACPI's PM timer.
    pub fn pm_timer(table: &Fadt) -> Option<Self> {
        let register = table.pm_timer?;
        let access = match register.space {
            Space::Port => Access::PmTimerPort(u16::try_from(register.address).ok()?),
            Space::Memory => {
                // SAFETY: the table names the timer's own register, which is never RAM; it is only read.
                let register = unsafe { Mmio::map(MachineAddr(register.address), 4) };
                Access::PmTimerMemory(register?)
            }
            Space::PciConfiguration => return None,
        };
        Some(Self {
            kind: CounterKind::PmTimer,
            access,
            frequency: PM_TIMER_HZ,
            femtoseconds: None,
            mask: if table.pm_timer_32_bit {
                0xffff_ffff
            } else {
                0xff_ffff
            },
        })
    }

    /// The PIT's channel 2, set running. Good for calibrating only: it comes round every 55 ms.
    pub fn pit() -> Self {
        // SAFETY: the channel and the speaker's gate touch no memory; the speaker itself is switched off.
        unsafe {
            let speaker = ports::read_u8(SPEAKER);
            ports::write_u8(SPEAKER, (speaker & !0x02) | 0x01);
            ports::write_u8(PIT_COMMAND, PIT_CHANNEL_2_RATE);
            // A full count of 65536 is written as zero.
            ports::write_u8(PIT_CHANNEL_2, 0);
            ports::write_u8(PIT_CHANNEL_2, 0);
        }
        Self {
            kind: CounterKind::Pit,
            access: Access::Pit,
            frequency: PIT_HZ,
            femtoseconds: None,
            mask: 0xffff,
        }
    }

    /// Which it is.
    pub const fn kind(&self) -> CounterKind {
        self.kind
    }

    /// How long one count takes, in femtoseconds, where that is known exactly: [`frequency`](Self::frequency) is then
    /// rounded.
    pub const fn femtoseconds(&self) -> Option<u32> {
        self.femtoseconds
    }

    /// Counts a second.
    pub const fn frequency(&self) -> u64 {
        self.frequency
    }

    /// The bits that count; differences are to be taken within them.
    pub const fn mask(&self) -> u64 {
        self.mask
    }

    /// The count now, rising.
    pub fn read(&self) -> u64 {
        match self.access {
            Access::Hpet(registers) if self.mask == u64::MAX => registers.read_u64(HPET_COUNTER),
            Access::Hpet(registers) => u64::from(registers.read_u32(HPET_COUNTER)),
            // SAFETY: reading the timer has no effect.
            Access::PmTimerPort(port) => u64::from(unsafe { ports::read_u32(port) }) & self.mask,
            Access::PmTimerMemory(register) => u64::from(register.read_u32(0)) & self.mask,
            Access::Pit => read_pit(),
        }
    }
}

/// Channel 2's count, which falls, turned round.
fn read_pit() -> u64 {
    // SAFETY: latching and reading the count touches no memory; the hypervisor alone uses channel 2 while it boots.
    let (low, high) = unsafe {
        ports::write_u8(PIT_COMMAND, PIT_LATCH_2);
        (ports::read_u8(PIT_CHANNEL_2), ports::read_u8(PIT_CHANNEL_2))
    };
    u64::from(!u16::from_le_bytes([low, high]))
}
