//! The guest's clock: `vcpu_time_info`, and waiting.

use crate::events::vcpu_info;
use core::ptr::{addr_of, read_volatile};
use core::sync::atomic::{fence, Ordering};

/// Nanoseconds of a millisecond.
pub const MILLISECOND: u64 = 1_000_000;
/// Nanoseconds of a second.
pub const SECOND: u64 = 1_000_000_000;

/// `struct vcpu_time_info` of public/xen.h.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
#[allow(missing_docs)]
pub struct VcpuTime {
    pub version: u32,
    pub pad: u32,
    pub tsc_timestamp: u64,
    pub system_time: u64,
    pub multiplier: u32,
    pub shift: i8,
    pub flags: u8,
    pub pad1: [u8; 2],
}

/// The time-stamp counter.
pub fn tsc() -> u64 {
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// A whole `vcpu_time_info`, by the version protocol: even and unchanged around the copy.
pub fn snapshot() -> VcpuTime {
    let source = addr_of!(vcpu_info().time);
    loop {
        let before = unsafe { read_volatile(addr_of!((*source).version)) };
        fence(Ordering::SeqCst);
        let copy = unsafe { read_volatile(source) };
        fence(Ordering::SeqCst);
        let after = unsafe { read_volatile(addr_of!((*source).version)) };
        if before == after && before & 1 == 0 {
            return copy;
        }
    }
}

/// Nanoseconds of system time now.
pub fn now() -> u64 {
    let time = snapshot();
    time.system_time + scale(tsc().wrapping_sub(time.tsc_timestamp), &time)
}

/// Nanoseconds of a number of TSC ticks.
pub fn scale(ticks: u64, time: &VcpuTime) -> u64 {
    let shifted = if time.shift < 0 {
        ticks >> -time.shift as u32
    } else {
        ticks << time.shift as u32
    };
    ((shifted as u128 * time.multiplier as u128) >> 32) as u64
}

/// The counter, with system time read before and after it: whatever held the machine up between two reads, the counter
/// was read between them.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// System time before the counter was read, nanoseconds.
    pub earliest: u64,
    /// The counter.
    pub ticks: u64,
    /// System time behind it.
    pub latest: u64,
}

impl Reading {
    /// Reads both.
    pub fn take() -> Self {
        let (earliest, ticks, latest) = (now(), tsc(), now());
        Self {
            earliest,
            ticks,
            latest,
        }
    }

    /// How long after another reading this one was taken, in nanoseconds: by the counter; by system time at least; and at
    /// most.
    pub fn since(&self, first: &Self) -> (u64, u64, u64) {
        let by_tsc = scale(self.ticks - first.ticks, &snapshot());
        let (least, most) = (self.earliest - first.latest, self.latest - first.earliest);
        (by_tsc, least, most)
    }
}

/// Spins until `done` says so or the time is over; gives whether it did.
pub fn wait_until(nanoseconds: u64, mut done: impl FnMut() -> bool) -> bool {
    let end = now() + nanoseconds;
    while now() < end {
        if done() {
            return true;
        }
        core::hint::spin_loop();
    }
    done()
}
