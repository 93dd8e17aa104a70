//! Measuring a counter's rate while others take the processor away.

use proptest::prelude::*;

use crate::Stretch;

/// A counter that counts once in `every` TSC ticks, and a measurer that is held up before each of its steps.
fn measured(every: u64, delays: [u64; 4]) -> Stretch {
    let mut tsc = 1_000_000;
    let mut step = |delay: u64, ticks: u64| {
        tsc += delay + ticks;
        tsc
    };
    let [late_start, late_look, late_end, late_last] = delays;
    let before = step(0, 10);
    let start = step(late_start, 10);
    let inside = step(late_look, 10);
    let waited = step(late_end, 10_000_000);
    let end = step(late_last, 10);
    let after = step(0, 10);
    Stretch {
        counts: (end - start) / every,
        least: waited - inside,
        most: after - before,
    }
}

fn off_by_parts_in_a_thousand(rate: u64, every: u64) -> u64 {
    let right = (1 << 32) / every;
    rate.abs_diff(right) * 1000 / right
}

#[test]
fn a_long_wait_is_no_faster_counter() {
    // Found on a crowded machine: a wait of 10 ms that took 50 made every timer come five times late.
    let rate = Stretch::counts_per_tsc(1, || measured(4, [0, 0, 40_000_000, 0]));
    assert_eq!(off_by_parts_in_a_thousand(rate.unwrap(), 4), 0);
}

#[test]
fn an_undisturbed_stretch_is_enough() {
    let mut taken = 0;
    let rate = Stretch::counts_per_tsc(9, || {
        taken += 1;
        measured(2, [0; 4])
    });
    assert_eq!(taken, 1);
    assert_eq!(off_by_parts_in_a_thousand(rate.unwrap(), 2), 0);
}

#[test]
fn what_stands_still_has_no_rate() {
    let still = |counts, least| Stretch {
        counts,
        least,
        most: least,
    };
    assert_eq!(Stretch::counts_per_tsc(3, || still(0, 1000)), None);
    assert_eq!(Stretch::counts_per_tsc(3, || still(1000, 0)), None);
    assert_eq!(Stretch::counts_per_tsc(0, || still(1000, 1000)), None);
}

proptest! {
    /// One stretch in eight that nobody disturbs is enough, wherever the others were held up.
    #[test]
    fn delays_do_not_count(
        every in 1u64..1000,
        delays in prop::collection::vec([0u64..50_000_000, 0u64..50_000_000, 0u64..50_000_000, 0u64..50_000_000], 7),
        quiet in 0usize..8,
    ) {
        let mut number = 0;
        let rate = Stretch::counts_per_tsc(8, || {
            let late = delays.get(number.min(6)).copied().unwrap_or_default();
            let stretch = if number == quiet { measured(every, [0; 4]) } else { measured(every, late) };
            number += 1;
            stretch
        });
        prop_assert!(off_by_parts_in_a_thousand(rate.unwrap(), every) <= 1);
    }
}
