//! Time as guests see it, as pure arithmetic: scales, clocks, version counters, runstates, timer queues.
//!
//! Nothing here reads a counter or touches guest memory: readings come in as numbers, and what guests see
//! goes out through small traits that the hypervisor implements over guest pages.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod calibration;
mod clock;
mod counter;
mod discipline;
mod emulated;
mod published;
mod real_time_clock;
mod runstate;
mod scale;
#[cfg(test)]
mod tests;
mod timers;
mod wall;

pub use calibration::{estimate_tsc, Sample, Stretch, TscEstimate};
pub use clock::ClockLine;
pub use counter::{CounterRate, PlatformClock};
pub use discipline::{DisciplinedClock, Synchronised};
pub use emulated::EmulatedCounter;
pub use published::{TimeFields, Version, VersionedRecord, GUEST_STOPPED, TSC_STABLE};
pub use real_time_clock::RtcReading;
pub use runstate::{RunState, Runstate, RunstateArea, RunstateFields, RUNSTATE_UPDATE};
pub use scale::TscScale;
pub use timers::{Expired, TimerHandle, TimerQueue};
pub use wall::{WallClock, WallFields};

/// Nanoseconds in a second.
pub const NANOS_PER_SECOND: u64 = 1_000_000_000;
