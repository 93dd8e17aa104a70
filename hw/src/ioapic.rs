//! The I/O APICs: which processor a global system interrupt goes to, by which vector.
//!
//! Registers: Intel 82093AA data sheet, chapter 3. The owner keeps [`IoApics`] behind a lock.

extern crate alloc;

use alloc::vec::Vec;

use firmware::acpi::{Madt, Override, Polarity, Trigger};
use vocabulary::MachineAddr;

use crate::mmio::Mmio;

const SELECT: usize = 0x00;
const WINDOW: usize = 0x10;
const END_OF_INTERRUPT: usize = 0x40;
const REGISTERS_BYTES: usize = 0x44;

const VERSION: u32 = 0x01;
const FIRST_ENTRY: u32 = 0x10;
/// From this version on there is an end-of-interrupt register.
const VERSION_WITH_END: u32 = 0x20;

const ENTRY_LOW: u64 = 1 << 13;
const ENTRY_LEVEL: u64 = 1 << 15;
const ENTRY_MASKED: u64 = 1 << 16;
const ENTRY_DESTINATION_SHIFT: u32 = 56;
const ENTRY_REMOTE_IRR: u64 = 1 << 14;

/// Lines of the ISA bus.
const ISA_LINES: u32 = 16;

/// Where and how an interrupt is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The vector, 16 to 255.
    pub vector: u8,
    /// APIC number of the processor (physical destination mode). Without interrupt remapping the controller can reach
    /// 0 to 254 only.
    pub apic_id: u8,
    /// Active low, else high.
    pub low: bool,
    /// Level-triggered, else by edge.
    pub level: bool,
}

/// What an ISA line is as a global system interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IsaLine {
    /// The global system interrupt.
    pub gsi: u32,
    /// Active low, else high.
    pub low: bool,
    /// Level-triggered, else by edge.
    pub level: bool,
}

/// One controller.
#[derive(Debug)]
struct IoApic {
    registers: Mmio,
    address: u32,
    gsi_base: u32,
    pins: u32,
    has_end: bool,
    /// The entries as last written, so that masking needs no read.
    entries: Vec<u64>,
}

/// All controllers of the machine.
#[derive(Debug)]
pub struct IoApics {
    controllers: Vec<IoApic>,
    overrides: Vec<Override>,
}

impl IoApics {
    /// Maps the controllers the MADT lists and masks all their pins. One whose registers do not answer is left out;
    /// its address is then in the second value.
    pub fn new(madt: &Madt) -> (Self, Vec<u32>) {
        let mut controllers = Vec::new();
        let mut silent = Vec::new();
        for listed in &madt.io_apics {
            match IoApic::open(listed.address, listed.gsi_base) {
                Some(controller) => controllers.push(controller),
                None => silent.push(listed.address),
            }
        }
        let overrides = madt.overrides.clone();
        let apics = Self {
            controllers,
            overrides,
        };
        (apics, silent)
    }

    /// One more than the highest global system interrupt.
    pub fn gsi_count(&self) -> u32 {
        let ends = self
            .controllers
            .iter()
            .map(|it| it.gsi_base.saturating_add(it.pins));
        ends.max().unwrap_or(0)
    }

    /// What ISA line `irq` is, by the MADT's overrides.
    pub fn isa_line(&self, irq: u8) -> IsaLine {
        match self.overrides.iter().find(|it| it.irq == irq) {
            Some(it) => IsaLine {
                gsi: it.gsi,
                low: it.polarity == Polarity::Low,
                level: it.trigger == Trigger::Level,
            },
            None => IsaLine {
                gsi: u32::from(irq),
                low: false,
                level: false,
            },
        }
    }

    /// How a global system interrupt is wired where nobody said otherwise: as its override says, an ISA line high and
    /// by edge, any other low and by level. Returns (low, level).
    pub fn default_wiring(&self, gsi: u32) -> (bool, bool) {
        let isa = gsi < ISA_LINES;
        match self.overrides.iter().find(|it| it.gsi == gsi) {
            // The override's line is an ISA one, so that bus's way is high and by edge.
            Some(it) => (it.polarity == Polarity::Low, it.trigger == Trigger::Level),
            None => (!isa, !isa),
        }
    }

    /// Sets where an interrupt goes, masked. `None` where there is no such interrupt.
    pub fn route(&mut self, gsi: u32, route: Route) -> Option<()> {
        let mut entry = ENTRY_MASKED
            | u64::from(route.vector)
            | u64::from(route.apic_id) << ENTRY_DESTINATION_SHIFT;
        if route.low {
            entry |= ENTRY_LOW;
        }
        if route.level {
            entry |= ENTRY_LEVEL;
        }
        let (controller, pin) = self.find(gsi)?;
        controller.write_entry(pin, entry);
        Some(())
    }

    /// Moves an interrupt to another processor and vector and leaves the rest as it is.
    pub fn redirect(&mut self, gsi: u32, vector: u8, apic_id: u8) -> Option<()> {
        let (controller, pin) = self.find(gsi)?;
        let kept = controller.entry(pin)? & (ENTRY_LOW | ENTRY_LEVEL | ENTRY_MASKED);
        let entry = kept | u64::from(vector) | u64::from(apic_id) << ENTRY_DESTINATION_SHIFT;
        controller.write_entry(pin, entry);
        Some(())
    }

    /// Holds an interrupt back.
    pub fn mask(&mut self, gsi: u32) -> Option<()> {
        let (controller, pin) = self.find(gsi)?;
        let entry = controller.entry(pin)?;
        controller.write_low(pin, entry | ENTRY_MASKED);
        Some(())
    }

    /// Lets an interrupt through.
    pub fn unmask(&mut self, gsi: u32) -> Option<()> {
        let (controller, pin) = self.find(gsi)?;
        let entry = controller.entry(pin)?;
        controller.write_low(pin, entry & !ENTRY_MASKED);
        Some(())
    }

    /// Whether an interrupt is level-triggered, as it is routed now.
    pub fn is_level(&self, gsi: u32) -> Option<bool> {
        let controller = self.controllers.iter().find(|it| it.has(gsi))?;
        Some(controller.entry(gsi - controller.gsi_base)? & ENTRY_LEVEL != 0)
    }

    /// Ends a level-triggered interrupt at the controller itself, for when the local APIC's end of interrupt does not
    /// reach it (its vector changed meanwhile, or broadcasts are suppressed).
    pub fn end(&mut self, gsi: u32) -> Option<()> {
        let (controller, pin) = self.find(gsi)?;
        let entry = controller.entry(pin)?;
        if controller.has_end {
            controller
                .registers
                .write_u32(END_OF_INTERRUPT, (entry & 0xff) as u32);
        } else if controller.read(FIRST_ENTRY + 2 * pin) & ENTRY_REMOTE_IRR as u32 != 0 {
            // Older ones forget the interrupt when the pin is for a moment edge-triggered.
            controller.write_low(pin, (entry | ENTRY_MASKED) & !ENTRY_LEVEL);
            controller.write_low(pin, entry);
        }
        Some(())
    }

    /// Reads a register of the controller at machine address `address`, as dom0 may (`PHYSDEVOP_apic_read`).
    pub fn read_register(&self, address: u64, register: u32) -> Option<u32> {
        let controller = self
            .controllers
            .iter()
            .find(|it| u64::from(it.address) == address)?;
        (register < FIRST_ENTRY + 2 * controller.pins).then(|| controller.read(register))
    }

    /// The interrupt that a register of the controller at machine address `address` belongs to, and whether it is
    /// the upper half of its entry; for what dom0 writes (`PHYSDEVOP_apic_write`).
    pub fn gsi_of_register(&self, address: u64, register: u32) -> Option<(u32, bool)> {
        let controller = self
            .controllers
            .iter()
            .find(|it| u64::from(it.address) == address)?;
        let offset = register.checked_sub(FIRST_ENTRY)?;
        (offset / 2 < controller.pins).then(|| (controller.gsi_base + offset / 2, offset % 2 != 0))
    }

    /// The controller and pin of an interrupt.
    fn find(&mut self, gsi: u32) -> Option<(&mut IoApic, u32)> {
        let controller = self.controllers.iter_mut().find(|it| it.has(gsi))?;
        let pin = gsi - controller.gsi_base;
        Some((controller, pin))
    }
}

impl IoApic {
    fn open(address: u32, gsi_base: u32) -> Option<Self> {
        let place = MachineAddr(u64::from(address));
        // SAFETY: the MADT names a controller's own registers, which are never RAM; they steer interrupts only.
        let registers = unsafe { Mmio::map(place, REGISTERS_BYTES) }?;
        let mut controller = Self {
            registers,
            address,
            gsi_base,
            pins: 0,
            has_end: false,
            entries: Vec::new(),
        };
        let version = controller.read(VERSION);
        if version == u32::MAX {
            return None;
        }
        controller.pins = ((version >> 16) & 0xff).min(239) + 1;
        controller.has_end = version & 0xff >= VERSION_WITH_END;
        controller.entries.resize(controller.pins as usize, 0);
        for pin in 0..controller.pins {
            controller.write_entry(pin, ENTRY_MASKED);
        }
        Some(controller)
    }

    fn has(&self, gsi: u32) -> bool {
        gsi.checked_sub(self.gsi_base)
            .is_some_and(|pin| pin < self.pins)
    }

    fn entry(&self, pin: u32) -> Option<u64> {
        self.entries.get(pin as usize).copied()
    }

    /// Writes a whole entry; it is masked while its halves do not belong together.
    fn write_entry(&mut self, pin: u32, entry: u64) {
        self.write(FIRST_ENTRY + 2 * pin, ENTRY_MASKED as u32);
        self.write(FIRST_ENTRY + 2 * pin + 1, (entry >> 32) as u32);
        self.write_low(pin, entry);
    }

    /// Writes the lower half of an entry.
    fn write_low(&mut self, pin: u32, entry: u64) {
        self.write(FIRST_ENTRY + 2 * pin, entry as u32);
        if let Some(copy) = self.entries.get_mut(pin as usize) {
            *copy = entry;
        }
    }

    fn read(&self, register: u32) -> u32 {
        self.registers.write_u32(SELECT, register);
        self.registers.read_u32(WINDOW)
    }

    fn write(&self, register: u32, value: u32) {
        self.registers.write_u32(SELECT, register);
        self.registers.write_u32(WINDOW, value);
    }
}
