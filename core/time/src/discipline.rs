//! A clock line that is kept true against a platform clock.

use vocabulary::{Nanos, Refused};

use crate::{ClockLine, TscScale};

/// What a look at the platform clock came to. Each holds how far system time was behind the platform's, in nanoseconds;
/// a negative number says that it was ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synchronised {
    /// Too little time since the last look to measure anything; nothing changed.
    TooSoon,
    /// So far off that the look itself is in doubt; nothing changed, and the next look decides.
    Doubted(i64),
    /// Near enough: the line stays.
    Kept(i64),
    /// Another line is in force.
    Changed(i64),
}

/// The TSC and the platform clock at one moment.
#[derive(Clone, Copy, Debug)]
struct Look {
    tsc: u64,
    platform: Nanos,
}

impl Look {
    /// What passes until a later look: nanoseconds by the platform clock, and ticks of the TSC.
    const fn until(&self, later: &Self) -> (u64, u64) {
        let nanos = later.platform.0.saturating_sub(self.platform.0);
        (nanos, later.tsc.saturating_sub(self.tsc))
    }
}

/// A clock line kept true against a platform clock, which is looked at about once a second.
///
/// The line's slope is the TSC's rate by the platform clock, measured over half a minute or so, so that the blur of a
/// single look counts for little and a rate that wanders is followed. A line that is behind is set forward; one that
/// is ahead runs slower until it is not. Where a look shows less than [`band`](Self::new) of either, the line stays:
/// nobody has to be told of anything then.
///
/// Time never goes back, not even for who still reads an older line: a new line starts as far above the old one as the
/// old one gains on it in [`OVERLAP`](Self::OVERLAP).
#[derive(Clone, Copy, Debug)]
pub struct DisciplinedClock {
    line: ClockLine,
    /// System time minus platform time, as it should be. Wrapping.
    offset: u64,
    /// Errors up to so many nanoseconds are left alone.
    band: u64,
    /// Where the rate is measured from, and where it will be once that is long ago.
    oldest: Look,
    newer: Look,
    latest: Look,
    /// For how long the rate had been measured that the line has.
    known_by: u64,
    /// The line runs slower than the TSC does, because it was ahead.
    is_slowed: bool,
    /// What the last look showed, where that was in doubt, and how many looks before it agreed.
    doubted: Option<(i64, u32)>,
}

impl DisciplinedClock {
    /// The shortest interval worth measuring the TSC over.
    pub const SHORTEST_INTERVAL: Nanos = Nanos(10_000_000);
    /// What lies between two looks usually, and after one in doubt.
    const LONGEST_INTERVAL: Nanos = Nanos(1_000_000_000);
    const DOUBT_INTERVAL: Nanos = Nanos(100_000_000);
    /// For how long a reader may go on with the line before.
    pub const OVERLAP: Nanos = Nanos(1_000_000);
    /// What one look can be wrong by: the platform clock is read a little before or after the TSC. Or by its tick.
    const BLUR: u64 = 150;
    /// More than this beyond the band is believed only where so many more looks in a row agree, to so much or one part in
    /// so many.
    const DOUBT: u64 = 200;
    const WITNESSES: u32 = 2;
    const AGREEMENT: u64 = 8;
    /// The rate is measured over so much to twice as much.
    const BASELINE: u64 = 16_000_000_000;
    /// What the TSC did since the last look is another rate where it differs from what was expected by more than these
    /// nanoseconds and one part in so many.
    const SAME_RATE: u64 = 20_000;
    const SAME_RATE_DIVISOR: u64 = 50_000;
    /// What two lines that meet can differ by, because each rounds down twice.
    const ROUNDING: u64 = 3;
    /// A line that is ahead is slowed so that it is right after this time, but by no more than one part in
    /// [`SLEW_DIVISOR`](Self::SLEW_DIVISOR).
    const SLOWING: u64 = 8_000_000_000;
    const SLEW_DIVISOR: u64 = 2000;

    /// A clock that follows `line` from `tsc` on, where the platform clock, of ticks of `tick` nanoseconds, reads
    /// `platform`.
    pub const fn new(line: ClockLine, tsc: u64, platform: Nanos, tick: u64) -> Self {
        let look = Look { tsc, platform };
        Self {
            line,
            offset: line.at(tsc).0.wrapping_sub(platform.0),
            band: if tick > Self::BLUR { tick } else { Self::BLUR },
            oldest: look,
            newer: look,
            latest: look,
            known_by: 0,
            is_slowed: false,
            doubted: None,
        }
    }

    /// Has the rate measured from an earlier moment on than the clock's start.
    #[must_use]
    pub const fn measured_from(mut self, tsc: u64, platform: Nanos) -> Self {
        self.oldest = Look { tsc, platform };
        self.known_by = self.measured();
        self
    }

    /// The line in force.
    pub const fn line(&self) -> &ClockLine {
        &self.line
    }

    /// System time when the TSC reads `tsc`.
    pub const fn at(&self, tsc: u64) -> Nanos {
        self.line.at(tsc)
    }

    /// Whether the last look is in doubt, so that the next one should come soon.
    pub const fn is_doubting(&self) -> bool {
        self.doubted.is_some()
    }

    /// How long after this look the next one is wanted: soon while one is in doubt, half as long as the rate has been
    /// measured for while that is short, and a second.
    pub fn interval(&self) -> Nanos {
        if self.is_doubting() {
            return Self::DOUBT_INTERVAL;
        }
        Nanos((self.measured() / 2).clamp(2 * Self::SHORTEST_INTERVAL.0, Self::LONGEST_INTERVAL.0))
    }

    /// Whether the next look is worth waking for: the line would be wrong soon without it.
    pub fn is_urgent(&self) -> bool {
        self.is_doubting() || self.is_slowed || self.measured() < Self::BASELINE
    }

    /// By how much the TSC, at the line's rate, and the platform clock differ in what passed since the last look; and
    /// how much passed.
    pub fn disagreement(&self, tsc: u64, platform: Nanos) -> (u64, Nanos) {
        let (nanos, ticks) = self.latest.until(&Look { tsc, platform });
        let counted = self.line.scale.ticks_to_nanos(ticks);
        (counted.abs_diff(nanos), Nanos(nanos))
    }

    /// Takes in that the platform clock reads `platform` when the TSC reads `tsc`. EINVAL: the TSC's rate is absurd;
    /// nothing changed.
    pub fn synchronise(&mut self, tsc: u64, platform: Nanos) -> Refused<Synchronised> {
        let (nanos, ticks) = self.latest.until(&Look { tsc, platform });
        if ticks == 0 || nanos < Self::SHORTEST_INTERVAL.0 {
            return Ok(Synchronised::TooSoon);
        }
        let error = self.error(tsc, platform);
        if let Some(witnesses) = self.doubts(error, platform) {
            self.doubted = Some((error, witnesses));
            return Ok(Synchronised::Doubted(error));
        }
        let now = Look { tsc, platform };
        let is_same_rate = self.is_same_rate(&now);
        let from = if is_same_rate {
            self.oldest
        } else {
            self.latest
        };
        let (nanos, ticks) = from.until(&now);
        let outcome = if self.is_good(error, nanos) {
            Synchronised::Kept(error)
        } else {
            let slower = self.slowing(error, nanos);
            let scale = TscScale::from_ratio(nanos.saturating_sub(slower), ticks)?;
            let start = self.line.at(tsc).0.saturating_add_signed(error.max(0));
            self.line = self.follow(tsc, Nanos(start), scale);
            self.is_slowed = slower > 0;
            self.known_by = nanos;
            Synchronised::Changed(error)
        };
        self.remember(now, is_same_rate);
        Ok(outcome)
    }

    /// For how long the rate has been measured, in nanoseconds.
    const fn measured(&self) -> u64 {
        let (nanos, _) = self.oldest.until(&self.latest);
        nanos
    }

    /// Whether an error is so large that the look is in doubt, and then how many looks before it agree.
    fn doubts(&self, error: i64, platform: Nanos) -> Option<u32> {
        let expected = self.band.saturating_add(Self::DOUBT);
        if error.unsigned_abs() <= expected.saturating_add(self.gathered(platform)) {
            return None;
        }
        let Some((before, witnesses)) = self.doubted else {
            return Some(0);
        };
        let tolerance = Self::DOUBT.max(before.unsigned_abs() / Self::AGREEMENT);
        if error.abs_diff(before) > tolerance {
            return Some(0);
        }
        let witnesses = witnesses.saturating_add(1);
        (witnesses < Self::WITNESSES).then_some(witnesses)
    }

    /// What error may have gathered since the last look, because the rate was not measured for long.
    fn gathered(&self, platform: Nanos) -> u64 {
        let since = platform.0.saturating_sub(self.latest.platform.0);
        let blur = u128::from(self.band.saturating_add(self.band / 2));
        let gathered =
            blur * u128::from(since) / u128::from(self.measured().max(Self::SHORTEST_INTERVAL.0));
        u64::try_from(gathered).unwrap_or(u64::MAX)
    }

    /// Whether the line can stay as it is, where its rate could be measured over `nanos` now: near enough, and of a rate
    /// that is not known much better meanwhile.
    fn is_good(&self, error: i64, nanos: u64) -> bool {
        let is_near = error.unsigned_abs() <= self.band;
        let is_known = self.known_by >= Self::BASELINE || nanos / 5 <= self.known_by / 4;
        is_near && is_known && (!self.is_slowed || self.is_ahead(error))
    }

    /// Whether the line is so far ahead that it must run slower.
    fn is_ahead(&self, error: i64) -> bool {
        error < 0 && error.unsigned_abs() > self.band / 4
    }

    fn error(&self, tsc: u64, platform: Nanos) -> i64 {
        let target = platform.0.wrapping_add(self.offset);
        target.wrapping_sub(self.line.at(tsc).0) as i64
    }

    /// Whether the TSC has had the same rate since the last look as before it.
    fn is_same_rate(&self, now: &Look) -> bool {
        let (nanos, ticks) = self.oldest.until(&self.latest);
        if ticks == 0 {
            return true;
        }
        let (short, short_ticks) = self.latest.until(now);
        let expected = u128::from(short_ticks) * u128::from(nanos) / u128::from(ticks);
        let expected = u64::try_from(expected).unwrap_or(u64::MAX);
        let limit = Self::SAME_RATE.saturating_add(short / Self::SAME_RATE_DIVISOR);
        expected.abs_diff(short) <= limit
    }

    /// By how many of `nanos` nanoseconds a line must fall back that is ahead.
    fn slowing(&self, error: i64, nanos: u64) -> u64 {
        if !self.is_ahead(error) {
            return 0;
        }
        let ahead = u128::from(error.unsigned_abs());
        let part = ahead * u128::from(nanos) / u128::from(Self::SLOWING);
        let most = nanos / Self::SLEW_DIVISOR;
        u64::try_from(part).map_or(most, |part| part.min(most))
    }

    /// The line that starts at `tsc` with `system` and another slope, raised so that for [`OVERLAP`](Self::OVERLAP) the
    /// line in force is nowhere above it.
    fn follow(&self, tsc: u64, system: Nanos, scale: TscScale) -> ClockLine {
        let ticks = self.line.scale.nanos_to_ticks(Self::OVERLAP.0);
        let gained = self.line.scale.ticks_to_nanos(ticks);
        let raised = gained.saturating_sub(scale.ticks_to_nanos(ticks));
        let raised = raised.saturating_add(Self::ROUNDING);
        ClockLine {
            tsc,
            system: Nanos(system.0.saturating_add(raised)),
            scale,
        }
    }

    fn remember(&mut self, now: Look, is_same_rate: bool) {
        if !is_same_rate {
            // What was before tells nothing any more.
            (self.oldest, self.newer) = (self.latest, self.latest);
        }
        let (since, _) = self.newer.until(&now);
        if since >= Self::BASELINE {
            (self.oldest, self.newer) = (self.newer, now);
        }
        self.latest = now;
        self.doubted = None;
    }
}
