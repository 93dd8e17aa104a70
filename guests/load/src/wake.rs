//! Waking: sleeps for a few milliseconds again and again, works a little, and keeps account of how long
//! after the set time it came to run.
//!
//! Words: `work=N` microseconds after each wake-up (50).

use crate::{every, timer, work};
use guest_kit::command_line::number;
use guest_kit::random::Random;
use guest_kit::time::{now, MILLISECOND};

/// Delays up to 50 ms, by the microsecond; longer ones stand in the last place.
const PLACES: usize = 50_000;
/// Sleeps last from one to five milliseconds.
const SHORTEST: u64 = MILLISECOND;
const RANGE: u64 = 4 * MILLISECOND;

/// How many wake-ups there were of each delay.
struct Delays {
    counts: [u32; PLACES],
    total: u64,
    longest: u64,
}

impl Delays {
    fn note(&mut self, delay: u64) {
        let place = (delay / 1000) as usize;
        self.counts[place.min(PLACES - 1)] += 1;
        self.total += 1;
        self.longest = self.longest.max(delay);
    }

    /// The delay that so many of a hundred stay below, rounded up to the microsecond.
    fn percentile(&self, percent: u64) -> u64 {
        let wanted = (self.total * percent).div_ceil(100);
        let mut seen = 0;
        let reached = |count: &u32| {
            seen += u64::from(*count);
            seen >= wanted
        };
        let place = self.counts.iter().position(reached);
        (place.unwrap_or(PLACES - 1) as u64 + 1) * 1000
    }
}

static mut DELAYS: Delays = Delays {
    counts: [0; PLACES],
    total: 0,
    longest: 0,
};

/// Sleeps and wakes.
pub fn forever() {
    let delays = &raw mut DELAYS;
    let delays = unsafe { &mut *delays };
    let pieces = work::pieces(number("work").unwrap_or(50) * 1000);
    let mut random = Random::new(1);
    timer::prepare();
    // What it took to find that out is forgotten meanwhile.
    timer::sleep_until(now() + 1000 * MILLISECOND);
    let mut next_report = now() + every();
    loop {
        let time = now() + SHORTEST + random.next() % RANGE;
        timer::sleep_until(time);
        delays.note(now().saturating_sub(time));
        work::spend(pieces);
        if now() > next_report {
            next_report += every();
            let (usual, most) = (delays.percentile(50), delays.percentile(99));
            let (total, longest) = (delays.total, delays.longest);
            guest_kit::say!("WOKEN {total} {usual} {most} {longest}");
        }
    }
}
