//! How domains read the time-stamp counter: the processor's, or one of their own that runs by system time and whose
//! reads trap (public `domctl.h`, `arch-x86/cpuid.h`; `xen-tscmode(7)`).

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use cpu_policy::{Platform, TscMode};
use guest_time::{EmulatedCounter, TimeFields, TscScale};
use hw::sync::SpinLock;
use hw::{cpu, switch};
use vocabulary::{refuse, Errno, Nanos, Refused};
use xen_abi::domctl::TscInfo;
use zerocopy::FromZeros;

use crate::console::print;
use crate::domain::Domain;
use crate::vcpu::Vcpu;
use crate::{clock, cpuid, levels};

/// How often a new domain was made, restores included.
const FIRST_INCARNATION: u32 = 1;
/// A domain that was made where the counter's rate was within one part in this many of this machine's may read this
/// machine's: two measurements of one rate differ too.
const SAME_RATE_DIVISOR: u32 = 1000;

/// How a domain reads the time-stamp counter.
pub struct TimeStamps {
    state: SpinLock<State, { levels::VCPU }>,
    /// The highest reading of its own counter that any vCPU was given.
    highest: AtomicU64,
}

#[derive(Clone, Copy)]
struct State {
    mode: TscMode,
    incarnation: u32,
    /// Its own counter; `None` where it reads the processor's.
    counter: Option<EmulatedCounter>,
}

impl TimeStamps {
    /// Natively.
    pub const fn new() -> Self {
        Self {
            state: SpinLock::new(State::NEW),
            highest: AtomicU64::new(0),
        }
    }

    /// Whether its reads trap.
    pub fn is_emulated(&self) -> bool {
        self.state.lock().counter.is_some()
    }

    /// What it reads now, where its reads trap: no vCPU gets less than another got before.
    pub fn read(&self) -> Option<u64> {
        let counter = self.state.lock().counter?;
        let ticks = counter.at(clock::now());
        Some(ticks.max(self.highest.fetch_max(ticks, Relaxed)))
    }

    /// System time by its own counter; `None` where it reads the processor's.
    pub fn fields(&self, flags: u8) -> Option<TimeFields> {
        let counter = self.state.lock().counter?;
        Some(counter.fields(flags))
    }

    /// Adds what it reads to what CPUID tells of the machine.
    pub fn described(&self, platform: Platform) -> Platform {
        let state = *self.state.lock();
        state.described(platform)
    }

    /// What the toolstack is told, to make the domain again elsewhere: the counter's rate, and how long it has run.
    pub fn info(&self) -> TscInfo {
        let state = *self.state.lock();
        let (elapsed, khz) = match (state.counter, state.mode) {
            (Some(counter), _) => (counter.elapsed(clock::now()), counter.khz()),
            (None, TscMode::NeverEmulate) => (Nanos(0), 0),
            (None, _) => {
                let line = clock::line();
                let elapsed = Nanos(line.scale.ticks_to_nanos(cpu::time_stamp()));
                (elapsed, clock::tsc_khz() as u32)
            }
        };
        TscInfo {
            tsc_mode: state.mode as u32,
            gtsc_khz: khz,
            incarnation: state.incarnation,
            pad: 0,
            elapsed_nsec: elapsed.0,
        }
    }
}

impl State {
    /// Natively.
    const NEW: Self = Self {
        mode: TscMode::Default,
        incarnation: FIRST_INCARNATION,
        counter: None,
    };

    fn described(&self, platform: Platform) -> Platform {
        let (khz, scale) = match self.counter {
            Some(counter) => (counter.khz(), counter.scale()),
            None => (clock::tsc_khz() as u32, clock::line().scale),
        };
        let TscScale { multiplier, shift } = scale;
        Platform {
            tsc_emulated: self.counter.is_some(),
            tsc_mode: self.mode,
            tsc_incarnation: self.incarnation,
            guest_khz: khz,
            guest_scale: (multiplier, shift),
            ..platform
        }
    }
}

/// Adds what a new domain reads to what CPUID tells of the machine.
pub fn of_new_domain(platform: Platform) -> Platform {
    State::NEW.described(platform)
}

/// Whether a domain that may read the processor's counter does so: where that is a clock, at the rate it knows (0: at
/// this machine's).
fn is_native(khz: u32) -> bool {
    let here = clock::tsc_khz() as u32;
    let is_same = khz == 0 || khz.abs_diff(here) <= here / SAME_RATE_DIVISOR;
    clock::is_tsc_stable() && is_same
}

/// Begins as a new domain does that nothing is said about.
pub fn begin(domain: &Domain) -> Refused<()> {
    if clock::is_tsc_stable() || domain.privileged {
        return Ok(());
    }
    set(domain, &TscInfo::new_zeroed())
}

/// Says how the domain, none of whose vCPUs is loaded anywhere, reads the counter, as the toolstack asks: in which mode,
/// and at which rate (0: this machine's) and how long it has run if it was made before. EINVAL for a mode or a rate that
/// is none.
pub fn set(domain: &Domain, asked: &TscInfo) -> Refused<()> {
    let mode = match asked.tsc_mode {
        0 => TscMode::Default,
        1 => TscMode::AlwaysEmulate,
        2 => TscMode::NeverEmulate,
        _ => {
            return refuse(
                Errno::EINVAL,
                "there is no such mode of the time-stamp counter",
            )
        }
    };
    let is_emulated = match mode {
        TscMode::Default => !is_native(asked.gtsc_khz),
        TscMode::AlwaysEmulate => true,
        TscMode::NeverEmulate => false,
    };
    let counter = if is_emulated {
        let khz = match asked.gtsc_khz {
            0 => clock::tsc_khz() as u32,
            khz => khz,
        };
        let elapsed = Nanos(asked.elapsed_nsec);
        Some(EmulatedCounter::new(khz, elapsed, clock::now())?)
    } else {
        None
    };
    let stamps = &domain.settings.time_stamps;
    *stamps.state.lock() = State {
        mode,
        incarnation: asked.incarnation.wrapping_add(FIRST_INCARNATION),
        counter,
    };
    stamps.highest.store(0, Relaxed);
    cpuid::describe_time_stamps(domain);
    for vcpu in domain.vcpus() {
        apply(&vcpu);
    }
    Ok(())
}

/// Has the vCPU, which is loaded nowhere, read the counter as its domain does.
pub fn apply(vcpu: &Vcpu) {
    let is_emulated = vcpu.domain.settings.time_stamps.is_emulated();
    switch::trap_time_stamps(&vcpu.context, is_emulated);
    crate::vcpu_time::forget_told(vcpu);
}

/// What the vCPU reads where a read trapped: its kernel always gets an answer, a user program unless its kernel forbade
/// it by CR4.TSD.
pub fn read(vcpu: &Vcpu) -> Option<u64> {
    let own = vcpu.domain.settings.time_stamps.read();
    if vcpu.context.in_kernel() {
        return Some(own.unwrap_or_else(cpu::time_stamp));
    }
    let forbidden = vcpu.context.cr4.load(Relaxed) & hw::cpu::control::CR4_TSD != 0;
    own.filter(|_| !forbidden)
}

/// Prints how a domain reads the counter, for a debug key.
pub fn show(domain: &Domain) {
    let info = domain.settings.time_stamps.info();
    let how = if domain.settings.time_stamps.is_emulated() {
        "emulated"
    } else {
        "native"
    };
    print(format_args!(
        "(XEN) domain {}: time stamps {how}, mode {}, {} kHz, incarnation {}\n",
        domain.id, info.tsc_mode, info.gtsc_khz, info.incarnation
    ));
}
