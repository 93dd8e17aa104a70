//! I/O ports, access by access: a domain without the port reads all ones and writes into the void.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicU8, Ordering::Relaxed};

use emulate::Width;
use hw::guest_ports::{self, PortWidth};
use hw::pci::Configuration;
use hw::sync::SpinLock;
use vocabulary::{VcpuId, VirtAddr};

use super::{is_in, Kept, KEPT};
use crate::domain::Domain;
use crate::levels;
use crate::vcpu::Vcpu;

/// PCI's configuration address and data, where an access is one of double words to the former.
const PCI_ADDRESS: u16 = 0xcf8;
const PCI_DATA: (u16, u16) = (0xcfc, 0xcff);
const PCI_ENABLE: u32 = 1 << 31;
/// The board's clock: index and data.
const CLOCK_INDEX: u16 = 0x70;
const CLOCK_DATA: u16 = 0x71;
const CLOCK_INDEX_BITS: u8 = 0x7f;
/// Timer channel 2, the timer's command port, and the port with its gate.
const TIMER_COMMAND: u16 = 0x43;
const TIMER_GATE: u16 = 0x61;
/// Ports that are the first domain's whatever others were granted.
const FIRST_DOMAINS: [(u16, u16); 4] = [
    (PCI_ADDRESS, PCI_DATA.1),
    (CLOCK_INDEX, CLOCK_DATA),
    (TIMER_COMMAND, TIMER_COMMAND),
    (TIMER_GATE, TIMER_GATE),
];
/// Gate of channel 2 and speaker; the bits above them silence NMIs.
const TIMER_GATE_BITS: u32 = 0x03;

/// The configuration ports, which the hypervisor and dom0 share.
static CONFIGURATION: SpinLock<Configuration, { levels::BOARD }> =
    SpinLock::new(Configuration::new());
/// What dom0 wrote to the PCI address port.
static PCI_SELECTED: AtomicU32 = AtomicU32::new(0);
/// What dom0 wrote to the clock's index port.
static CLOCK_SELECTED: AtomicU8 = AtomicU8::new(0);

/// The port bitmaps that vCPUs registered (`PHYSDEVOP_set_iobitmap`).
pub struct PortBitmaps(SpinLock<Vec<Bitmap>, { levels::VCPU }>);

#[derive(Clone, Copy)]
struct Bitmap {
    vcpu: VcpuId,
    address: u64,
    ports: u32,
}

impl PortBitmaps {
    /// None registered.
    pub const fn new() -> Self {
        Self(SpinLock::new(Vec::new()))
    }

    /// Registers a vCPU's bitmap at a guest address, for ports below `ports`; a clear bit allows its port. False
    /// where there is no memory for it.
    pub fn set(&self, vcpu: VcpuId, address: u64, ports: u32) -> bool {
        let mut all = self.0.lock();
        let new = Bitmap {
            vcpu,
            address,
            ports,
        };
        if let Some(old) = all.iter_mut().find(|bitmap| bitmap.vcpu == vcpu) {
            *old = new;
            return true;
        }
        let room = all.try_reserve(1).is_ok();
        if room {
            all.push(new);
        }
        room
    }

    fn of(&self, vcpu: VcpuId) -> Option<Bitmap> {
        self.0
            .lock()
            .iter()
            .find(|bitmap| bitmap.vcpu == vcpu)
            .copied()
    }
}

impl Default for PortBitmaps {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs `work` with the PCI configuration ports.
pub fn configure<R>(work: impl FnOnce(&mut Configuration) -> R) -> R {
    work(&mut CONFIGURATION.lock())
}

fn port_width(width: Width) -> PortWidth {
    match width {
        Width::Byte => PortWidth::One,
        Width::Word => PortWidth::Two,
        Width::Double | Width::Quad => PortWidth::Four,
    }
}

/// The access's last port, unless it passes the end of port space.
fn last_port(port: u16, width: Width) -> Option<u16> {
    let more = match port_width(width) {
        PortWidth::One => 0,
        PortWidth::Two => 1,
        PortWidth::Four => 3,
    };
    port.checked_add(more)
}

/// Whether the code that the vCPU runs now may use ports as its kernel set them up: by virtual IOPL or by bitmap. (What
/// the ports then do is another question: [`port_access`].)
pub fn user_may(vcpu: &Vcpu, port: u16, width: Width) -> bool {
    let privilege = match vcpu.context.in_kernel() {
        true if vcpu
            .domain
            .assists(xen_abi::xen::VMASST_TYPE_architectural_iopl) =>
        {
            0
        }
        true => 1,
        false => 3,
    };
    if vcpu.context.iopl.load(Relaxed) >= privilege {
        return true;
    }
    let (Some(bitmap), Some(last)) = (
        vcpu.domain.interrupts.ports.of(vcpu.id),
        last_port(port, width),
    ) else {
        return false;
    };
    if u32::from(last) >= bitmap.ports {
        return false;
    }
    (port..=last).all(|port| {
        let mut byte = [0xff];
        let address = bitmap.address.wrapping_add(u64::from(port / 8));
        hw::copy::read_bytes(VirtAddr(address), &mut byte).is_ok() && byte[0] >> (port % 8) & 1 == 0
    })
}

/// Whether the domain may use the ports that an access touches.
fn port_access(domain: &Domain, port: u16, width: Width) -> bool {
    last_port(port, width).is_some_and(|last| has_ports(domain, port, last))
}

/// Whether the domain has all ports from `port` to `last`: the first domain those that the hypervisor does not keep,
/// others what they were granted of them. What the hypervisor does in the first domain's name (configuration space, the
/// board's clock, the timer) is for that one alone.
pub fn has_ports(domain: &Domain, port: u16, last: u16) -> bool {
    let Some(kept) = KEPT.get() else { return false };
    if is_in(&kept.ports, port, last) {
        return false;
    }
    domain.privileged
        || (!is_in(&FIRST_DOMAINS, port, last)
            && domain
                .settings
                .access
                .lock()
                .ports
                .contains(u64::from(port), u64::from(last)))
}

/// Reads a port in the domain's name.
pub fn port_read(vcpu: &Vcpu, port: u16, width: Width) -> u32 {
    let access = port_width(width);
    let absent = match access {
        PortWidth::One => 0xff,
        PortWidth::Two => 0xffff,
        PortWidth::Four => u32::MAX,
    };
    if !port_access(&vcpu.domain, port, width) {
        return absent;
    }
    let last = last_port(port, width).unwrap_or(port);
    if port == PCI_ADDRESS && access == PortWidth::Four {
        return PCI_SELECTED.load(Relaxed);
    }
    if is_in(&[PCI_DATA], port, last) {
        let selected = PCI_SELECTED.load(Relaxed);
        if port < PCI_DATA.0 || last > PCI_DATA.1 || selected & PCI_ENABLE == 0 {
            return absent;
        }
        return CONFIGURATION
            .lock()
            .read(selected, (port & 3) as u8, access);
    }
    match port {
        CLOCK_INDEX if access == PortWidth::One => u32::from(CLOCK_SELECTED.load(Relaxed)),
        CLOCK_DATA if access == PortWidth::One => {
            let _board = CONFIGURATION.lock();
            select_clock_register();
            guest_ports::read(port, access)
        }
        _ => guest_ports::read(port, access),
    }
}

/// Writes a port in the domain's name.
pub fn port_write(vcpu: &Vcpu, port: u16, width: Width, value: u32) {
    let Some(kept) = KEPT.get() else { return };
    let access = port_width(width);
    let last = last_port(port, width).unwrap_or(port);
    if !port_access(&vcpu.domain, port, width) || !may_write(kept, port, last, value) {
        return;
    }
    if port == PCI_ADDRESS && access == PortWidth::Four {
        return PCI_SELECTED.store(value, Relaxed);
    }
    if is_in(&[PCI_DATA], port, last) {
        let selected = PCI_SELECTED.load(Relaxed);
        if port >= PCI_DATA.0 && last <= PCI_DATA.1 && selected & PCI_ENABLE != 0 {
            CONFIGURATION
                .lock()
                .write(selected, (port & 3) as u8, access, value);
        }
        return;
    }
    match port {
        CLOCK_INDEX if access == PortWidth::One => {
            CLOCK_SELECTED.store(value as u8 & CLOCK_INDEX_BITS, Relaxed)
        }
        CLOCK_DATA if access == PortWidth::One => {
            let _board = CONFIGURATION.lock();
            select_clock_register();
            guest_ports::write(port, access, value);
        }
        TIMER_GATE if access == PortWidth::One => {
            let kept = guest_ports::read(port, access) & 0x0c;
            guest_ports::write(port, access, kept | value & TIMER_GATE_BITS);
        }
        _ => guest_ports::write(port, access, value),
    }
}

/// Whether a write to ports that may be read is allowed too.
fn may_write(kept: &Kept, port: u16, last: u16, value: u32) -> bool {
    let timer = kept
        .pm_timer
        .is_some_and(|timer| is_in(&[(timer, timer.saturating_add(3))], port, last));
    // Of the interval timer only channel 2 is dom0's (the command's upper two bits name the channel).
    let channel = port == TIMER_COMMAND && value >> 6 & 3 != 2;
    let gate = port == TIMER_GATE && kept.pit;
    !timer && !channel && !gate
}

/// Points the board's clock to the register that dom0 chose. With the board's lock held.
fn select_clock_register() {
    guest_ports::write(
        CLOCK_INDEX,
        PortWidth::One,
        u32::from(CLOCK_SELECTED.load(Relaxed)),
    );
}
