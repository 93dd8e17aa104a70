//! Periods: does a fixed amount of work in each period, and counts those in which it came too late without having had
//! what it was promised.
//!
//! Words: `period=N` (10000), `work=N` (1900) and `budget=N` (2000), which is promised, all in microseconds; `begin=N`
//! milliseconds before it begins (0), for others to set what it was promised.

use crate::{every, timer, work};
use guest_kit::command_line::number;
use guest_kit::time::{now, MILLISECOND};
use guest_kit::vcpus::runstate;

/// Works in each period.
pub fn forever() {
    let period = number("period").unwrap_or(10_000) * 1000;
    let pieces = work::pieces(number("work").unwrap_or(1_900) * 1000);
    let budget = number("budget").unwrap_or(2_000) * 1000;
    let (mut done, mut missed, mut worst) = (0u64, 0u64, 0u64);
    timer::prepare();
    let mut begin = now() + number("begin").unwrap_or(0) * MILLISECOND + period;
    let mut next_report = begin + every();
    loop {
        timer::sleep_until(begin);
        let before = runstate(0).times[0];
        work::spend(pieces);
        let ran = runstate(0).times[0] - before;
        let took = now().saturating_sub(begin);
        done += 1;
        // A processor that stands still while the guest has it, as an emulated one may, takes of what it was promised.
        missed += u64::from(took > period && ran < budget);
        worst = worst.max(took);
        // Whoever is late leaves periods out, rather than being late for ever.
        begin += took.div_ceil(period).max(1) * period;
        if now() > next_report {
            next_report += every();
            guest_kit::say!("PERIODS {done} {missed} {worst}");
        }
    }
}
