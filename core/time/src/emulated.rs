//! A time-stamp counter of a domain's own, which runs by system time instead of the processor's counter.

use vocabulary::{Nanos, Refused};

use crate::{TimeFields, TscScale};

/// A counter of a fixed rate that reads the same at the same system time on every CPU, whatever the machine's counters
/// do, and goes on where it was when its domain moves to another machine.
///
/// It reads the fewest ticks that take as long as system time says, by the scale that its readers compute with: who turns
/// a reading into system time gets that time exactly, or the end of the tick that it lies in. The line they compute with
/// never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmulatedCounter {
    /// System time at which the counter began...
    start: Nanos,
    /// ...and what it read then.
    first: u64,
    scale: TscScale,
    khz: u32,
}

impl EmulatedCounter {
    /// A counter of `khz` thousand ticks a second that, at `now`, has run for `elapsed`. EINVAL: a rate that is none.
    pub fn new(khz: u32, elapsed: Nanos, now: Nanos) -> Refused<Self> {
        let scale = TscScale::from_khz(khz.into())?;
        Ok(Self {
            start: now,
            first: scale.nanos_to_ticks(elapsed.0),
            scale,
            khz,
        })
    }

    /// What the counter reads at a system time. Before its start it reads as at its start.
    pub fn at(&self, now: Nanos) -> u64 {
        let passed = now.0.saturating_sub(self.start.0);
        self.first.saturating_add(self.scale.nanos_to_ticks(passed))
    }

    /// How long it has run at a system time, by its own count.
    pub fn elapsed(&self, now: Nanos) -> Nanos {
        Nanos(self.scale.ticks_to_nanos(self.at(now)))
    }

    /// Thousands of ticks a second.
    pub const fn khz(&self) -> u32 {
        self.khz
    }

    /// From its ticks to nanoseconds.
    pub const fn scale(&self) -> TscScale {
        self.scale
    }

    /// System time by this counter, as `vcpu_time_info` holds it.
    pub const fn fields(&self, flags: u8) -> TimeFields {
        TimeFields {
            tsc_timestamp: self.first,
            system_time: self.start,
            scale: self.scale,
            flags,
        }
    }
}
