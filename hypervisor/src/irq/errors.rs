//! Non-maskable interrupts and machine checks. They arrive anywhere, with any lock held by what they interrupt, so
//! nothing here takes a lock, and messages go out past the console's.

use core::mem::offset_of;
use core::sync::atomic::{
    AtomicU64,
    Ordering::{Relaxed, Release},
};

use hw::console as raw;
use hw::machine_check as bank;
use hw::nmi::Reason;
use hw::percpu::PerCpu;
use hw::registers::Registers;
use hw::window::Window;
use options::NmiAction;

use xen_abi::nmi::{XEN_NMIREASON_io_error, XEN_NMIREASON_pci_serr, XEN_NMIREASON_unknown};
use xen_abi::{arch_x86::ArchSharedInfo, xen::SharedInfo};

use crate::{boot, domains, power, work};

/// The word of `shared_info` that says why an NMI came.
const REASON_WORD: usize =
    (offset_of!(SharedInfo, arch) + offset_of!(ArchSharedInfo, nmi_reason)) / 8;

/// NMIs that nothing on the board explains.
static UNKNOWN: AtomicU64 = AtomicU64::new(0);

/// How many NMIs nothing on the board explained.
pub fn unknown_nmis() -> u64 {
    UNKNOWN.load(Relaxed)
}

/// A non-maskable interrupt: another processor's call to stop, an error on a bus, or nobody knows.
pub fn nmi(_registers: &mut Registers) {
    power::stop_if_asked();
    let processor = PerCpu::current().index();
    // Only the boot processor's pin is wired to the board.
    if processor != 0 {
        UNKNOWN.fetch_add(1, Relaxed);
        return;
    }
    let reason = hw::nmi::reason();
    let is_error = reason.system_error || reason.card_error;
    if !is_error {
        UNKNOWN.fetch_add(1, Relaxed);
    }
    hw::nmi::acknowledge(reason);
    match boot::options().nmi {
        NmiAction::Fatal => power::crash_host(format_args!(
            "NMI on CPU{processor}: system error {}, card error {}",
            reason.system_error, reason.card_error
        )),
        NmiAction::Dom0 => tell_dom0(reason),
        NmiAction::Ignore if is_error => {
            raw::print(format_args!("(XEN) NMI: a bus reports an error, ignored\n"))
        }
        NmiAction::Ignore => {}
    }
}

/// Leaves an NMI for dom0's first vCPU, which takes it when it next leaves the hypervisor. No processor is interrupted
/// for it: the NMI may have come between the two steps of such an interrupt's sending.
fn tell_dom0(reason: Reason) {
    let Some(domain) = domains::first() else {
        return;
    };
    let Some(vcpu) = domain.vcpu(vocabulary::VcpuId(0)) else {
        return;
    };
    let bits = match reason {
        Reason {
            system_error: false,
            card_error: false,
        } => XEN_NMIREASON_unknown,
        Reason {
            system_error,
            card_error,
        } => {
            (u64::from(system_error) * XEN_NMIREASON_pci_serr)
                | (u64::from(card_error) * XEN_NMIREASON_io_error)
        }
    };
    if let Some(word) = Window::open(domain.shared_info).words().get(REASON_WORD) {
        word.fetch_or(bits, Release);
    }
    vcpu.nmi_pending.store(true, Release);
    PerCpu::set_work(vcpu.processor.load(Relaxed) as usize, work::NMI);
}

/// A machine check: what the banks say, then on, where hardware mended it and the processor can, else the end.
pub fn machine_check(registers: &mut Registers) {
    let processor = PerCpu::current().index();
    let can_go_on = bank::can_restart();
    let mut is_fatal = !can_go_on;
    raw::print(format_args!(
        "(XEN) machine check on CPU{processor} at {:#x}\n",
        registers.rip
    ));
    for error in bank::take_errors() {
        is_fatal |= error.is_fatal();
        raw::print(format_args!(
            "(XEN)   bank {}: status {:016x} address {:x?} misc {:x?}\n",
            error.bank, error.status, error.address, error.misc
        ));
    }
    if is_fatal {
        power::crash_host(format_args!("the machine check cannot be mended"));
    }
    bank::finish();
}
