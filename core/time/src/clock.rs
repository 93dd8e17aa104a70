//! System time as a function of the TSC: a line, and a line that is kept true against a platform clock.

use vocabulary::{Nanos, Refused};

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
    /// behind it, since it is reckoned from `tsc`, which is cheaper. Saturating.
    pub fn tsc_after(&self, tsc: u64, deadline: Nanos) -> u64 {
        let ahead = deadline.0.saturating_sub(self.at(tsc).0);
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

/// What a synchronisation found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synchronised {
    /// Too little time since the last one to measure anything; nothing changed.
    TooSoon,
    /// The line was bent; system time was off the platform's by so many nanoseconds (positive: behind).
    Bent(i64),
    /// System time was so far behind that it was set forward, by so many nanoseconds.
    Stepped(i64),
}

/// A clock line kept true against a platform clock. Where the TSC runs at one rate on all CPUs, make it once
/// and never synchronise: every CPU and vCPU then shares one line, and guests may be told [`TSC_STABLE`].
/// Elsewhere each CPU has its own and synchronises it about once a second.
///
/// Time never goes back: an error is paid off by running the line slower or faster by at most
/// 1/2000 until the next synchronisation. Only a clock far behind is set forward.
///
/// [`TSC_STABLE`]: crate::TSC_STABLE
#[derive(Clone, Copy, Debug)]
pub struct DisciplinedClock {
    line: ClockLine,
    /// Where the last synchronisation was, by TSC and by the platform clock.
    tsc: u64,
    platform: Nanos,
    /// System time minus platform time, as it should be. Wrapping.
    offset: u64,
}

impl DisciplinedClock {
    /// The shortest interval worth measuring the TSC over.
    pub const SHORTEST_INTERVAL: Nanos = Nanos(10_000_000);
    /// An error of more than this is stepped over, if forward.
    pub const STEP: Nanos = Nanos(100_000_000);
    /// The line runs too fast or slow by at most one part in this many.
    const SLEW_DIVISOR: u64 = 2000;

    /// A clock that follows `line` from `tsc` on, where the platform clock reads `platform`.
    pub const fn new(line: ClockLine, tsc: u64, platform: Nanos) -> Self {
        Self {
            line,
            tsc,
            platform,
            offset: line.at(tsc).0.wrapping_sub(platform.0),
        }
    }

    /// The line in force.
    pub const fn line(&self) -> &ClockLine {
        &self.line
    }

    /// System time when the TSC reads `tsc`.
    pub const fn at(&self, tsc: u64) -> Nanos {
        self.line.at(tsc)
    }

    /// Takes in that the platform clock reads `platform` when the TSC reads `tsc`. Measures the TSC's rate
    /// since the last time, and bends the line so that the error is gone after as long again. EINVAL: the
    /// measured rate is absurd; nothing changed.
    pub fn synchronise(&mut self, tsc: u64, platform: Nanos) -> Refused<Synchronised> {
        let ticks = tsc.saturating_sub(self.tsc);
        let nanos = platform.0.saturating_sub(self.platform.0);
        if ticks == 0 || nanos < Self::SHORTEST_INTERVAL.0 {
            return Ok(Synchronised::TooSoon);
        }
        let system = self.line.at(tsc).0;
        let target = platform.0.wrapping_add(self.offset);
        let error = target.wrapping_sub(system) as i64;
        let outcome = if error > Self::STEP.0 as i64 {
            let scale = TscScale::from_ratio(nanos, ticks)?;
            self.line = ClockLine {
                tsc,
                system: Nanos(target),
                scale,
            };
            Synchronised::Stepped(error)
        } else {
            let limit = (nanos / Self::SLEW_DIVISOR) as i64;
            let correction = error.clamp(-limit, limit);
            let scale = TscScale::from_ratio(nanos.saturating_add_signed(correction), ticks)?;
            self.line = self.line.bent(tsc, scale);
            Synchronised::Bent(error)
        };
        self.tsc = tsc;
        self.platform = platform;
        Ok(outcome)
    }
}
