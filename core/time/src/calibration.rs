//! Measuring the TSC's rate against a platform counter.

use vocabulary::{refuse, Errno, Refused};

use crate::{CounterRate, PlatformClock, NANOS_PER_SECOND};

/// A reading of a platform counter between two readings of the TSC, which bound when it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// TSC before the counter was read.
    pub tsc_before: u64,
    /// What the counter read.
    pub counter: u64,
    /// TSC after the counter was read.
    pub tsc_after: u64,
}

impl Sample {
    /// TSC ticks between the two readings.
    pub const fn width(&self) -> u64 {
        self.tsc_after.saturating_sub(self.tsc_before)
    }

    /// The TSC in the middle of the two readings.
    pub const fn middle(&self) -> u64 {
        self.tsc_before + self.width() / 2
    }

    /// The sample that was disturbed least (by an SMI, by an emulator's scheduling): take five or so and use
    /// the narrowest.
    pub fn narrowest(samples: impl IntoIterator<Item = Self>) -> Option<Self> {
        samples.into_iter().min_by_key(Self::width)
    }
}

/// What a measurement says of the TSC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TscEstimate {
    /// Ticks a second.
    pub hz: u64,
    /// Bound of the relative error in parts per billion, from the samples' widths and the counter's step.
    pub error_ppb: u64,
}

/// The TSC's rate from two samples of a counter of `bits` bits that wrapped at most once between them.
/// EINVAL: the counter or the TSC did not advance, or no such width.
pub fn estimate_tsc(
    rate: CounterRate,
    bits: u32,
    start: Sample,
    end: Sample,
) -> Refused<TscEstimate> {
    let clock = PlatformClock::new(rate, bits, start.counter)?;
    let counted = clock.ticks_between(start.counter, end.counter);
    let nanos = rate.ticks_to_nanos(counted);
    let ticks = end.middle().saturating_sub(start.middle());
    if nanos == 0 || ticks == 0 {
        return refuse(Errno::EINVAL, "a counter stood still during calibration");
    }
    let (nanos, ticks) = (u128::from(nanos), u128::from(ticks));
    let hz = (ticks * u128::from(NANOS_PER_SECOND) + nanos / 2) / nanos;
    // Half a width at each end, and a whole step of the counter.
    let blur = u128::from(start.width()) + u128::from(end.width());
    let billion = u128::from(NANOS_PER_SECOND);
    let error = blur * billion / (2 * ticks) + billion / u128::from(counted.max(1)) + 1;
    Ok(TscEstimate {
        hz: u64::try_from(hz).unwrap_or(u64::MAX),
        error_ppb: u64::try_from(error).unwrap_or(u64::MAX),
    })
}

/// A stretch of time in which a free-running counter went on by `counts`: the TSC by `least` at least and by `most` at
/// the most, as readings inside and outside of it tell. Whoever measured may have been held up anywhere in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// What the counter counted.
    pub counts: u64,
    /// TSC ticks between the readings just after its start and just before its end.
    pub least: u64,
    /// TSC ticks between the readings just before its start and just after its end.
    pub most: u64,
}

/// A stretch this well known needs no better: one part in 4000.
const WELL_KNOWN: u64 = 4000;

impl Stretch {
    /// What is not known of its length.
    const fn blur(&self) -> u64 {
        self.most.saturating_sub(self.least)
    }

    /// Whether its length is known better, for its length, than the other's.
    fn is_better_than(&self, other: &Self) -> bool {
        let part = |one: &Self, length: u64| u128::from(one.blur()) * u128::from(length);
        part(self, other.least) < part(other, self.least)
    }

    /// What the counter counts while the TSC counts 2^32, from the best of at most `tries` stretches; fewer are taken
    /// where one is well known. `None`: the TSC or the counter stood still.
    pub fn counts_per_tsc(tries: u32, mut measure: impl FnMut() -> Self) -> Option<u64> {
        let mut best: Option<Self> = None;
        for _ in 0..tries {
            let stretch = measure();
            if best.is_none_or(|best| stretch.is_better_than(&best)) {
                best = Some(stretch);
            }
            if best.is_some_and(|best| best.blur() <= best.least / WELL_KNOWN) {
                break;
            }
        }
        let best = best?;
        let middle = u128::from(best.least) + u128::from(best.blur() / 2);
        let rate = (u128::from(best.counts) << 32).checked_div(middle)?;
        u64::try_from(rate).ok().filter(|rate| *rate > 0)
    }
}
