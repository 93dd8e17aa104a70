//! A guest that measures its clocks. The word `do=` on the command line chooses what:
//!
//! - `do=stamps`: the time-stamp counter in kernel and user mode beside system time and CPUID. `mode=N` and `emulated=N`
//!   say what CPUID must tell.
//! - `do=timers`: how late timers fire, in nanoseconds of system time, on a machine that does nothing else, and whether
//!   none is early. `most=N` is the bound; `rounds=N` how often each is tried.
//! - `do=hour`: system time against the HPET (or with `pm_timer` against that), as dom0, for `seconds=N`, while the other vCPUs move among the processors and
//!   look whether it goes back anywhere. `most=N` is the bound in nanoseconds of what is certain, `possible=N` of what
//!   may be, as a look takes time; `verbose` says each look.
//! - `do=rest`: how often a processor wakes that has nothing to do, as dom0, in `seconds=N`. `most=N` is the bound.
//! - `do=held`: how the pause of its domain is counted for a vCPU that sleeps without a timer.
//! - `do=wall`: says the wall clock whenever it changes.
//!
//! What it finds are lines `CLOCK what values…`, the end is `CLOCK-END ok` or `PANIC`.
#![no_std]
#![no_main]

#[path = "guest-clock/held.rs"]
mod held;
#[path = "guest-clock/platform.rs"]
mod platform;
#[path = "guest-clock/rest.rs"]
mod rest;
#[path = "guest-clock/stamps.rs"]
mod stamps;
#[path = "guest-clock/timers.rs"]
mod timers;
#[path = "guest-clock/wall.rs"]
mod wall;

use core::sync::atomic::{AtomicU64, Ordering::SeqCst};
use guest_kit::command_line::value;
use guest_kit::hypercall::{at, sched_op};
use guest_kit::say;
use guest_kit::time::now;

guest_kit::guest_main!(main);

fn main() {
    match value("do") {
        Some("stamps") => stamps::check(),
        Some("timers") => timers::check(),
        Some("hour") => platform::check(),
        Some("rest") => rest::check(),
        Some("wall") => wall::watch(),
        Some("held") => held::check(),
        other => panic!("no such thing to do: {other:?}"),
    }
    say!("CLOCK-END ok");
}

/// Sleeps until a system time, by a poll that nothing else ends.
fn sleep_until(deadline: u64) {
    while now() < deadline {
        assert_eq!(sched_op(3, at(&[0, 0, deadline])), 0);
    }
}

/// The highest reading that any vCPU has shown.
struct Highest(AtomicU64);

impl Highest {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Reads so many times; none is behind what another vCPU showed before.
    fn chase(&self, times: u32, read: impl Fn() -> u64) {
        for _ in 0..times {
            let shown = self.0.load(SeqCst);
            let own = read();
            assert!(own >= shown, "{own} after {shown}");
            self.0.fetch_max(own, SeqCst);
        }
    }
}
