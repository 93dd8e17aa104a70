//! System time as a function of the TSC: a line.

use vocabulary::Nanos;

use crate::{TimeFields, TscScale};

/// System time as a straight line over the TSC: what a guest computes from its `vcpu_time_info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockLine {
    /// A TSC value...
    pub tsc: u64,
    /// ...and system time at it.
    pub system: Nanos,
    /// The slope.
    pub scale: TscScale,
}

impl ClockLine {
    /// System time when the TSC reads `tsc`. A TSC before the line's start (another CPU's, a little behind)
    /// reads as the start.
    pub const fn at(&self, tsc: u64) -> Nanos {
        let passed = tsc.saturating_sub(self.tsc);
        Nanos(
            self.system
                .0
                .saturating_add(self.scale.ticks_to_nanos(passed)),
        )
    }

    /// A TSC value, from `tsc` on, at which [`at`](Self::at) is `deadline` or later: the first, or one a nanosecond or two
    /// behind it, since it is reckoned from `tsc`, which is cheaper. Saturating. `now` is what the line reads at `tsc`.
    pub fn tsc_after(&self, tsc: u64, now: Nanos, deadline: Nanos) -> u64 {
        let ahead = deadline.0.saturating_sub(now.0);
        tsc.saturating_add(self.scale.nanos_to_ticks(ahead))
    }

    /// The line that starts at `tsc` and reads the same there, with another slope. Time is continuous over
    /// the change.
    pub const fn bent(&self, tsc: u64, scale: TscScale) -> Self {
        Self {
            tsc,
            system: self.at(tsc),
            scale,
        }
    }

    /// The line as `vcpu_time_info` holds it.
    pub const fn fields(&self, flags: u8) -> TimeFields {
        TimeFields {
            tsc_timestamp: self.tsc,
            system_time: self.system,
            scale: self.scale,
            flags,
        }
    }
}
