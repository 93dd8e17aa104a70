//! Watchdogs that a domain sets on itself (`SCHEDOP_watchdog`): one that is not renewed in time ends the domain.

use core::sync::atomic::{
    AtomicBool,
    Ordering::{AcqRel, Acquire, Release},
};

use guest_time::NANOS_PER_SECOND;
use vocabulary::{refuse, Errno, Nanos, Refused};
use xen_abi::sched::SHUTDOWN_watchdog;

use crate::domain::Domain;
use crate::timers::{Purpose, Timer};
use crate::vcpu::Vcpu;
use crate::{clock, power};

/// Watchdogs of a domain. They are kept with its first vCPU.
pub struct Watchdogs([Watchdog; Self::COUNT]);

struct Watchdog {
    is_used: AtomicBool,
    timer: Timer,
}

impl Watchdogs {
    /// How many there are.
    pub const COUNT: usize = 2;

    /// None is set.
    pub const fn new() -> Self {
        const fn watchdog(number: u8) -> Watchdog {
            Watchdog {
                is_used: AtomicBool::new(false),
                timer: Timer::new(Purpose::Watchdog(number)),
            }
        }
        Self([watchdog(0), watchdog(1)])
    }

    /// Takes their timers out of their queues.
    pub fn end(&self) {
        let Self(watchdogs) = self;
        for watchdog in watchdogs {
            watchdog.timer.remove();
        }
    }
}

impl Watchdog {
    fn set(&self, vcpu: &Vcpu, seconds: u32) -> Refused<()> {
        let after = u64::from(seconds).saturating_mul(NANOS_PER_SECOND);
        self.timer
            .set(vcpu.key, Nanos(clock::now().0.saturating_add(after)))
    }
}

/// Sets, renews or ends a watchdog: `id` 0 asks for a new one and answers its number from 1 on. `first` is the
/// domain's first vCPU. EINVAL: no such watchdog, or not set; ENOSPC: all are set.
pub fn set(first: &Vcpu, id: u32, seconds: u32) -> Refused<u64> {
    let Watchdogs(watchdogs) = &first.time.watchdogs;
    if id == 0 {
        for (number, watchdog) in (1..).zip(watchdogs) {
            if !watchdog.is_used.swap(true, AcqRel) {
                watchdog.set(first, seconds)?;
                return Ok(number);
            }
        }
        return refuse(Errno::ENOSPC, "all of the domain's watchdogs are set");
    }
    let watchdog = watchdogs
        .get(id as usize - 1)
        .filter(|watchdog| watchdog.is_used.load(Acquire));
    let Some(watchdog) = watchdog else {
        return refuse(Errno::EINVAL, "there is no such watchdog");
    };
    if seconds == 0 {
        watchdog.timer.stop();
        watchdog.is_used.store(false, Release);
    } else {
        watchdog.set(first, seconds)?;
    }
    Ok(0)
}

/// A watchdog was not renewed in time.
pub fn expired(domain: &Domain, number: u8) {
    if domain.mark_shut_down(SHUTDOWN_watchdog as u8) {
        crate::guest_log!(
            Warning,
            "domain {}: watchdog {} was not renewed in time",
            domain.id,
            number + 1
        );
        power::domain_ended(domain);
    }
}
