//! Which device memory and which I/O ports a domain may use.

mod ports;

use alloc::vec::Vec;

use firmware::acpi::{Acpi, Space};
use hw::boot::{BootInfo, MemoryKind};
use memory::IoAccess;
use options::{ClockSource, Options};
use spin::Once;
use vocabulary::{DomainId, Mfn};

use crate::domain::Domain;
use crate::{domains, power};

pub use ports::{configure, has_ports, port_read, port_write, user_may, PortBitmaps};

/// Machine memory that older AMD processors use for HyperTransport (AMD BKDG, "reserved address space").
const HYPERTRANSPORT: (u64, u64) = (0xfd_0000_0000, 0xff_ffff_ffff);
/// Messages of interrupts (MSI) are writes to this range, so nobody may map it.
const MESSAGES: (u64, u64) = (0xfee0_0000, 0xfeef_ffff);
/// The first frame above the first MiB.
const LOW_END: u64 = 0x100;
/// Width of addresses where CPUID does not say.
const DEFAULT_WIDTH: u32 = 36;

/// A piece of memory or ports, ends included.
type Range<T> = (T, T);

/// What the hypervisor keeps for itself.
#[derive(Debug, Default)]
struct Kept {
    /// First frame that no address reaches.
    frames: u64,
    /// Addresses of the interrupt controllers' registers.
    controllers: Vec<u64>,
    /// Frames nobody may map.
    denied: Vec<Range<u64>>,
    /// Frames that may be read only.
    read_only: Vec<Range<u64>>,
    /// Ports nobody may use.
    ports: Vec<Range<u16>>,
    /// The PM timer's first port: read only.
    pm_timer: Option<u16>,
    /// The PIT's channel 2 is the hypervisor's clock.
    pit: bool,
    /// PCI configuration space in memory: segment, address of bus 0, first bus, last bus.
    configuration: Vec<firmware::acpi::ConfigurationSpace>,
}

static KEPT: Once<Kept> = Once::new();

/// Learns from the firmware's tables what devices are the hypervisor's own.
pub fn initialise(acpi: &Acpi, boot: &BootInfo) {
    power::learn(acpi.fadt);
    KEPT.call_once(|| {
        let mut kept = Kept::new(acpi, crate::boot::options());
        kept.denied.extend(memory_taken_early(boot));
        kept
    });
}

/// Memory that the frame table calls no domain's RAM, because the hypervisor took it before there was a frame table
/// to say so, is no device either. Below 1 MiB lies what drivers look for: it is theirs to map.
fn memory_taken_early(boot: &BootInfo) -> impl Iterator<Item = Range<u64>> + '_ {
    let memory = boot
        .memory
        .regions()
        .iter()
        .filter(|region| region.kind == MemoryKind::Usable);
    let frames =
        memory.map(|region| ((region.start >> 12).max(LOW_END), region.end.div_ceil(4096)));
    frames
        .filter(|(first, end)| first < end)
        .map(|(first, end)| (first, end - 1))
}

impl Kept {
    fn new(acpi: &Acpi, options: &Options<'_>) -> Self {
        let [answer, ..] = hw::cpu::cpuid(0x8000_0008, 0);
        let width = match answer & 0xff {
            0 => DEFAULT_WIDTH,
            width => width.clamp(32, 52),
        };
        let page = |address: u64| (address >> 12, address >> 12);
        let mut kept = Self {
            frames: 1 << (width - 12),
            denied: Vec::from([(MESSAGES.0 >> 12, MESSAGES.1 >> 12)]),
            configuration: acpi.mcfg.clone(),
            ..Self::default()
        };
        if has_hypertransport() {
            kept.denied
                .push((HYPERTRANSPORT.0 >> 12, HYPERTRANSPORT.1 >> 12));
        }
        if let Some(madt) = &acpi.madt {
            kept.controllers.push(madt.local_apic);
            kept.controllers.extend(
                madt.io_apics
                    .iter()
                    .map(|controller| u64::from(controller.address)),
            );
            kept.denied.push(page(madt.local_apic));
            kept.read_only.extend(
                madt.io_apics
                    .iter()
                    .map(|controller| page(u64::from(controller.address))),
            );
        }
        if let Some(hpet) = &acpi.hpet {
            kept.read_only.push(page(hpet.address));
        }
        let timer = acpi
            .fadt
            .and_then(|fadt| fadt.pm_timer)
            .filter(|timer| timer.space == Space::Port);
        kept.pm_timer = timer.and_then(|timer| u16::try_from(timer.address).ok());
        let other_clock =
            acpi.hpet.is_some() || acpi.fadt.is_some_and(|fadt| fadt.pm_timer.is_some());
        kept.pit = !other_clock || options.clock_source == Some(ClockSource::Pit);
        // Interrupt controllers, and the timer's channels 0 and 1.
        kept.ports = Vec::from([(0x20, 0x21), (0xa0, 0xa1), (0x40, 0x41)]);
        if kept.pit {
            kept.ports.push((0x42, 0x43));
        }
        if let Some(serial) = serial_port(options) {
            kept.ports.push((serial, serial.saturating_add(7)));
        }
        kept
    }
}

/// The first I/O port of the serial port that the hypervisor uses.
fn serial_port(options: &Options<'_>) -> Option<u16> {
    let first = options.com1.filter(|_| options.consoles.com1);
    let port = first.or(options.com2.filter(|_| options.consoles.com2));
    port.map(|port| port.io_base)
}

fn is_in<T: PartialOrd + Copy>(ranges: &[Range<T>], first: T, last: T) -> bool {
    ranges
        .iter()
        .any(|&(start, end)| first <= end && last >= start)
}

/// What a domain may do with a frame that is not RAM: the first domain with all that the hypervisor does not keep,
/// others with what they were granted of that.
pub fn io_access(domain: DomainId, frame: Mfn) -> IoAccess {
    let is_granted = domain == DomainId(0)
        || domains::with(domain, |domain| is_granted(domain, frame, frame)) == Some(true);
    let Some(kept) = KEPT.get().filter(|_| is_granted) else {
        return IoAccess::Denied;
    };
    if frame.0 >= kept.frames || is_in(&kept.denied, frame.0, frame.0) {
        IoAccess::Denied
    } else if is_in(&kept.read_only, frame.0, frame.0) {
        IoAccess::ReadOnly
    } else {
        IoAccess::Full
    }
}

fn is_granted(domain: &Domain, first: Mfn, last: Mfn) -> bool {
    domain
        .settings
        .access
        .lock()
        .frames
        .contains(first.0, last.0)
}

/// The first frame that no address reaches.
pub fn end_of_frames() -> u64 {
    KEPT.get().map_or(0, |kept| kept.frames)
}

/// Whether a domain has all frames from `first` to `last`, none of which the hypervisor keeps.
pub fn has_frames(domain: &Domain, first: Mfn, last: Mfn) -> bool {
    let Some(kept) = KEPT.get() else { return false };
    let is_kept = last.0 >= kept.frames || is_in(&kept.denied, first.0, last.0);
    !is_kept && (domain.privileged || is_granted(domain, first, last))
}

/// Whether a part of machine memory is HyperTransport's: on AMD's processors before family 17h.
fn has_hypertransport() -> bool {
    let [_, vendor, ..] = hw::cpu::cpuid(0, 0);
    let [signature, ..] = hw::cpu::cpuid(1, 0);
    let family = (signature >> 8 & 0xf) + (signature >> 20 & 0xff);
    vendor == u32::from_le_bytes(*b"Auth") && family < 0x17
}

/// Addresses of the pages of the interrupt controllers, which domains are told not to look at.
pub fn kept_pages() -> impl Iterator<Item = u64> {
    KEPT.get()
        .into_iter()
        .flat_map(|kept| kept.controllers.iter().copied())
}

/// Whether the firmware's tables name this window of PCI configuration space: `Some` with whether the address is
/// theirs, for segment and buses that they name.
pub fn configuration_space(
    segment: u16,
    first_bus: u8,
    last_bus: u8,
    address: u64,
) -> Option<bool> {
    let spaces = KEPT
        .get()
        .map_or(&[][..], |kept| kept.configuration.as_slice());
    let named = |space: &&firmware::acpi::ConfigurationSpace| {
        (space.segment, space.first_bus, space.last_bus) == (segment, first_bus, last_bus)
    };
    spaces
        .iter()
        .find(named)
        .map(|space| space.address == address)
}
