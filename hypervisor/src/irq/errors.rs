//! Non-maskable interrupts and machine checks. They arrive anywhere, with any lock held by what they interrupt, so
//! nothing here takes a lock, and messages go out past the console's.

use core::sync::atomic::{
    AtomicU64,
    Ordering::{Relaxed, Release},
};

use hw::console as raw;
use hw::machine_check as bank;
use hw::percpu::PerCpu;
use hw::registers::Registers;
use options::NmiAction;

use crate::{boot, domains, power, work};

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
    hw::nmi::acknowledge(reason, boot::options().nmi == NmiAction::Dom0);
    match boot::options().nmi {
        NmiAction::Fatal => power::crash_host(format_args!(
            "NMI on CPU{processor}: system error {}, card error {}",
            reason.system_error, reason.card_error
        )),
        NmiAction::Dom0 => tell_dom0(),
        NmiAction::Ignore if is_error => {
            raw::print(format_args!("(XEN) NMI: a bus reports an error, ignored\n"))
        }
        NmiAction::Ignore => {}
    }
}

/// Leaves an NMI for dom0's first vCPU, which takes it when it next leaves the hypervisor. No processor is interrupted
/// for it: the NMI may have come between the two steps of such an interrupt's sending.
fn tell_dom0() {
    let Some(vcpu) = domains::first().and_then(|domain| domain.vcpus().first()) else {
        return;
    };
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
