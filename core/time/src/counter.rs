//! Platform counters: their rates, and 64-bit time out of counters that wrap.

use vocabulary::{refuse, Errno, Nanos, Refused};

use crate::NANOS_PER_SECOND;

/// A counter's rate as an exact fraction: one tick lasts `nanos` / `ticks` nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterRate {
    nanos: u64,
    ticks: u64,
}

impl CounterRate {
    /// The ACPI power-management timer: 3.579545 MHz (ACPI specification, section 4.8.2.1).
    pub const PM_TIMER: Self = Self {
        nanos: NANOS_PER_SECOND,
        ticks: 3_579_545,
    };
    /// The 8254 interval timer: 1.193182 MHz.
    pub const PIT: Self = Self {
        nanos: NANOS_PER_SECOND,
        ticks: 1_193_182,
    };

    /// A counter of `hz` ticks a second. EINVAL: 0.
    pub fn from_hz(hz: u64) -> Refused<Self> {
        if hz == 0 {
            return refuse(Errno::EINVAL, "a counter's frequency is not zero");
        }
        Ok(Self {
            nanos: NANOS_PER_SECOND,
            ticks: hz,
        })
    }

    /// A counter whose tick lasts `period` femtoseconds, as the HPET's capability register says (upper half).
    /// EINVAL: 0 or more than the 100 ns that the HPET specification allows.
    pub fn from_femtoseconds(period: u32) -> Refused<Self> {
        if period == 0 || period > 100_000_000 {
            return refuse(Errno::EINVAL, "an HPET tick lasts 1 fs to 100 ns");
        }
        Ok(Self {
            nanos: period.into(),
            ticks: 1_000_000,
        })
    }

    /// Nanoseconds that `ticks` ticks take, rounded down; saturating.
    pub fn ticks_to_nanos(self, ticks: u64) -> u64 {
        let nanos = u128::from(ticks) * u128::from(self.nanos) / u128::from(self.ticks.max(1));
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }

    /// Nanoseconds that one tick takes, rounded up.
    pub const fn tick(self) -> u64 {
        match self.nanos.checked_div(self.ticks) {
            Some(nanos) => nanos.saturating_add(1),
            None => 1,
        }
    }

    /// The fewest ticks that take `nanos` nanoseconds or more; saturating.
    pub fn nanos_to_ticks(self, nanos: u64) -> u64 {
        let ticks =
            (u128::from(nanos) * u128::from(self.ticks)).div_ceil(u128::from(self.nanos.max(1)));
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }
}

/// Time by a platform counter of 1 to 64 bits. It may wrap as long as it is read once in each wrap period, or another
/// clock says about how long it was not read.
#[derive(Clone, Copy, Debug)]
pub struct PlatformClock {
    rate: CounterRate,
    mask: u64,
    last: u64,
    ticks: u64,
}

impl PlatformClock {
    /// A clock at time zero whose counter reads `raw` now. EINVAL: no such width.
    pub fn new(rate: CounterRate, bits: u32, raw: u64) -> Refused<Self> {
        let mask = u64::MAX.checked_shr(64u32.wrapping_sub(bits));
        let Some(mask) = mask.filter(|_| bits != 0) else {
            return refuse(Errno::EINVAL, "a counter has 1 to 64 bits");
        };
        Ok(Self {
            rate,
            mask,
            last: raw & mask,
            ticks: 0,
        })
    }

    /// The time now that the counter reads `raw`. Bits beyond the counter's width are ignored.
    pub fn observe(&mut self, raw: u64) -> Nanos {
        let raw = raw & self.mask;
        let passed = raw.wrapping_sub(self.last) & self.mask;
        self.last = raw;
        self.ticks = self.ticks.saturating_add(passed);
        Nanos(self.rate.ticks_to_nanos(self.ticks))
    }

    /// The time now that the counter reads `raw` and about `passed` went by since it was observed last, by a clock that
    /// is off by less than half the time it takes to wrap.
    pub fn observe_after(&mut self, raw: u64, passed: Nanos) -> Nanos {
        let expected = u128::from(self.rate.nanos_to_ticks(passed.0));
        let wrap = u128::from(self.mask).saturating_add(1);
        let counted = u128::from(self.ticks_between(self.last, raw & self.mask));
        let wraps = expected.saturating_sub(counted).saturating_add(wrap / 2) / wrap;
        let missed = wraps.saturating_mul(wrap);
        let missed = u64::try_from(missed).unwrap_or(u64::MAX);
        self.ticks = self.ticks.saturating_add(missed);
        self.observe(raw)
    }

    /// Ticks from one raw reading to a later one, at most one wrap apart.
    pub const fn ticks_between(&self, earlier: u64, later: u64) -> u64 {
        later.wrapping_sub(earlier) & self.mask
    }

    /// The counter's rate.
    pub const fn rate(&self) -> CounterRate {
        self.rate
    }

    /// How long the counter takes to wrap: read it at least twice as often.
    pub fn wrap_period(&self) -> Nanos {
        Nanos(self.rate.ticks_to_nanos(self.mask).saturating_add(1))
    }
}
