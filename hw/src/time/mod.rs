//! The board's clocks: counters of known frequency, the time-stamp counter measured against them, the CMOS clock.

mod cmos;
mod counter;

pub use cmos::wall_clock;
pub use counter::{Counter, CounterKind};

use crate::cpu;

/// One look at the time-stamp counter and a platform counter at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The time-stamp counter.
    pub tsc: u64,
    /// The platform counter, within its width.
    pub count: u64,
    /// Time-stamp ticks that the look took: how far the two may be apart.
    pub width: u64,
}

/// Tries to look at both counters; the narrowest is kept.
const LOOKS: u32 = 16;
/// How long calibration measures, in fractions of a second: 1/50 s.
const CALIBRATION_FRACTION: u64 = 50;
/// Ticks of the time-stamp counter after which a counter that did not move counts as dead: seconds on any processor.
const DEAD_AFTER: u64 = 20_000_000_000;

impl Sample {
    /// Looks at both: the look around which the fewest time-stamp ticks passed, of a few, since an interruption by
    /// firmware (or an emulator) between the two would spoil one.
    pub fn take(counter: &Counter) -> Self {
        let mut best = Self {
            tsc: 0,
            count: 0,
            width: u64::MAX,
        };
        for _ in 0..LOOKS {
            let before = cpu::time_stamp();
            let count = counter.read();
            let width = cpu::time_stamp().wrapping_sub(before);
            if width < best.width {
                let tsc = before.wrapping_add(width / 2);
                best = Self { tsc, count, width };
            }
        }
        best
    }

    /// The time-stamp counter's frequency in Hz between this look and a later one, before the counter comes round;
    /// `None` where the counter did not move.
    fn frequency_until(&self, later: &Self, counter: &Counter) -> Option<u64> {
        let counts = later.count.wrapping_sub(self.count) & counter.mask();
        let ticks = later.tsc.wrapping_sub(self.tsc);
        let frequency = (u128::from(ticks) * u128::from(counter.frequency()))
            .checked_div(u128::from(counts))?;
        u64::try_from(frequency).ok()
    }
}

/// Measures the time-stamp counter's frequency in Hz against `counter`, for 20 ms; `None` if the counter stands still.
/// Two samples taken further apart give it more exactly.
pub fn calibrate(counter: &Counter) -> Option<u64> {
    let first = Sample::take(counter);
    let enough = counter.frequency() / CALIBRATION_FRACTION;
    loop {
        let counts = counter.read().wrapping_sub(first.count) & counter.mask();
        if counts >= enough {
            break;
        }
        if cpu::time_stamp().wrapping_sub(first.tsc) > DEAD_AFTER {
            return None;
        }
        core::hint::spin_loop();
    }
    first.frequency_until(&Sample::take(counter), counter)
}

/// Waits until the time-stamp counter went on by `ticks`. For bringing hardware up only: nothing else may wait busily.
pub fn wait_ticks(ticks: u64) {
    let start = cpu::time_stamp();
    while cpu::time_stamp().wrapping_sub(start) < ticks {
        core::hint::spin_loop();
    }
}
