//! The end: of a domain that shut down, and of the machine.

use core::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{AcqRel, Acquire, Release},
};

use firmware::acpi::Fadt;
use hw::{console as raw, cpu};
use options::RebootMethod;
use spin::Once;
use vocabulary::{refuse, Errno, Port, Refused};

use crate::console::print;
use crate::domain::Domain;
use crate::{boot, clock, console, events, processors, schedule};

/// Why a domain shut down (public `sched.h`).
mod reason {
    pub const POWER_OFF: u8 = 0;
    pub const REBOOT: u8 = 1;
    pub const SUSPEND: u8 = 2;
    pub const CRASH: u8 = 3;
    pub const WATCHDOG: u8 = 4;
}

/// Seconds between a crash's report and the reboot.
const CRASH_PAUSE_SECONDS: u64 = 5;

static FADT: Once<Option<Fadt>> = Once::new();
/// Processors that get an NMI halt for good.
static STOPPING: AtomicBool = AtomicBool::new(false);
static STOPPED: AtomicUsize = AtomicUsize::new(0);

/// Keeps the table that says how the machine sleeps and is reset.
pub fn learn(fadt: Option<Fadt>) {
    FADT.call_once(|| fadt);
}

fn fadt() -> Option<&'static Fadt> {
    FADT.get().and_then(Option::as_ref)
}

/// Called by every NMI: halts this processor if the machine is being stopped.
pub fn stop_if_asked() {
    if STOPPING.load(Acquire) {
        STOPPED.fetch_add(1, AcqRel);
        cpu::halt_forever();
    }
}

/// Stops all other processors; what they were doing is lost. Waits a second at most.
fn stop_others() {
    if STOPPING.swap(true, AcqRel) {
        // Another processor ends the machine already.
        cpu::halt_forever();
    }
    let others = processors::count().saturating_sub(1);
    if others == 0 {
        return;
    }
    processors::stop_others();
    let start = cpu::time_stamp();
    let second = clock::tsc_khz().saturating_mul(1000);
    while STOPPED.load(Acquire) < others && cpu::time_stamp().wrapping_sub(start) < second {
        cpu::relax();
    }
}

/// Halts the machine with its last words on the console.
fn halt(words: &str) -> ! {
    console::drain();
    stop_others();
    raw::print(format_args!("(XEN) {words}\n"));
    cpu::halt_forever()
}

/// Resets the machine, by the way that `reboot=` names. (`noreboot` is about crashes only.)
pub fn reboot() -> ! {
    console::drain();
    stop_others();
    reset()
}

/// Ends after the hypervisor itself or its first domain broke: reboot after a pause, or halt with `noreboot`.
pub fn after_panic() -> ! {
    stop_others();
    if boot::options().no_reboot {
        raw::print(format_args!("(XEN) \"noreboot\" was given: halted\n"));
        cpu::halt_forever();
    }
    raw::print(format_args!(
        "(XEN) rebooting in {CRASH_PAUSE_SECONDS} seconds\n"
    ));
    let start = cpu::time_stamp();
    let pause = clock::tsc_khz().saturating_mul(1000 * CRASH_PAUSE_SECONDS);
    while cpu::time_stamp().wrapping_sub(start) < pause {
        cpu::relax();
    }
    reset()
}

fn reset() -> ! {
    let by_acpi = matches!(
        boot::options().reboot_method,
        None | Some(RebootMethod::Acpi)
    );
    hw::power::reset(fadt().filter(|_| by_acpi))
}

/// A host error that nothing can mend: says so and ends the machine. For fatal traps and machine checks, from any state.
pub fn crash_host(words: core::fmt::Arguments<'_>) -> ! {
    if !hw::panic::begin_report() {
        raw::halt();
    }
    raw::print(format_args!("\n(XEN) {words}\n"));
    after_panic()
}

/// Ends a machine that nobody said how to switch off: dom0 knows from ACPI's tables, and says so by
/// `XENPF_enter_acpi_sleep` if it can.
pub fn off() -> ! {
    halt("domain 0 shut down: halted")
}

/// Completes the shutdown of a domain that shuts down, when its last vCPU has stopped: the control domain learns of it.
/// It may be a suspend, and the domain's memory is saved then.
#[cold]
pub fn complete_shutdown(domain: &Domain) {
    if domain.vcpus().any(|vcpu| vcpu.is_running.load(Acquire)) {
        return;
    }
    if !domain.shutdown_told.swap(true, AcqRel) {
        let port = domain.settings.suspend_port.load(Acquire);
        if domain.shutdown_code.load(Acquire) == reason::SUSPEND && port != 0 {
            events::send_in_name_of(domain, Port(port));
        } else {
            crate::teardown::tell_control();
        }
    }
}

/// A domain shut down with a reason (`SHUTDOWN_*`): for the first domain the machine follows.
pub fn domain_ended(domain: &Domain) {
    schedule::review_domain(domain);
    if !domain.privileged {
        return complete_shutdown(domain);
    }
    match domain.shutdown_code.load(Acquire) {
        reason::POWER_OFF => off(),
        reason::REBOOT => {
            print(format_args!(
                "(XEN) domain 0 shut down: rebooting the machine\n"
            ));
            reboot()
        }
        reason::CRASH => {
            print(format_args!("(XEN) domain 0 crashed\n"));
            console::drain();
            after_panic()
        }
        reason::WATCHDOG => {
            print(format_args!(
                "(XEN) domain 0's watchdog fired: rebooting the machine\n"
            ));
            reboot()
        }
        reason::SUSPEND => {
            print(format_args!(
                "(XEN) domain 0 asked to be suspended, which it cannot be: rebooting the machine\n"
            ));
            reboot()
        }
        code => {
            print(format_args!(
                "(XEN) domain 0 shut down for an unknown reason ({code}): rebooting the machine\n"
            ));
            reboot()
        }
    }
}

/// What dom0 found in ACPI's tables for a sleep state.
#[derive(Clone, Copy, Debug)]
pub struct Sleep {
    /// The state, 5 for off.
    pub state: u32,
    /// Value for the first control register, or the sleep type of machines without fixed hardware.
    pub first: u16,
    /// Value for the second.
    pub second: u16,
    /// The machine has the sleep control register instead of fixed hardware.
    pub extended: bool,
}

/// The deepest state.
const OFF: u32 = 5;
/// Sleep type and enable bits of the sleep control register (ACPI 6.5, section 4.8.3.7).
const SLEEP_TYPE_SHIFT: u32 = 2;
const SLEEP_ENABLE: u8 = 1 << 5;

/// Enters a sleep state (`XENPF_enter_acpi_sleep`); only off is done, and does not return where it works.
pub fn enter_sleep(sleep: Sleep) -> Refused<()> {
    if sleep.state != OFF {
        return refuse(
            Errno::EINVAL,
            "of the sleep states only \"off\" (5) is done",
        );
    }
    let Some(fadt) = fadt() else {
        return refuse(
            Errno::EPERM,
            "the firmware's tables do not say how the machine sleeps",
        );
    };
    print(format_args!("(XEN) domain 0 switches the machine off\n"));
    console::drain();
    stop_others();
    let result = if sleep.extended {
        let value = (sleep.first as u8 & 7) << SLEEP_TYPE_SHIFT | SLEEP_ENABLE;
        hw::power::enter_sleep_reduced(fadt, value)
    } else {
        hw::power::enter_sleep(fadt, sleep.first, sleep.second)
    };
    STOPPING.store(true, Release);
    raw::print(format_args!(
        "(XEN) the machine did not switch off ({result:?}): halted\n"
    ));
    cpu::halt_forever()
}
