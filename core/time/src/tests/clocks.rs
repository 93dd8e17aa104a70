//! Scales, counters, calibration and disciplined clocks: exactness, error bounds, monotony.

use proptest::prelude::*;
use vocabulary::{Errno, Nanos};

use crate::*;

const HOUR: u64 = 3600;

/// Real processors' rates, and some that no processor has.
fn rates() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 500_000_000..6_000_000_000u64,
        1 => 1_000..1_000_000_000_000u64,
    ]
}

proptest! {
    #[test]
    fn a_scale_is_precise_and_errs_below_a_microsecond_an_hour(hz in 500_000_000..6_000_000_000u64) {
        let scale = TscScale::from_hz(hz).unwrap();
        prop_assert!(scale.multiplier >= 1 << 31);
        let nanos = scale.ticks_to_nanos(hz * HOUR);
        prop_assert!(nanos.abs_diff(HOUR * NANOS_PER_SECOND) < 1_000);
        prop_assert!(scale.hz().abs_diff(hz) <= 3);
    }

    #[test]
    fn ticks_for_a_deadline_are_the_fewest_that_reach_it(
        hz in rates(),
        nanos in prop_oneof![0..1u64 << 50, 0..1u64 << 33],
    ) {
        let scale = TscScale::from_hz(hz).unwrap();
        let ticks = scale.nanos_to_ticks(nanos);
        prop_assert!(scale.ticks_to_nanos(ticks) >= nanos);
        if ticks > 0 {
            prop_assert!(scale.ticks_to_nanos(ticks - 1) < nanos);
        }
    }

    #[test]
    fn a_line_never_goes_back_and_meets_its_deadlines(
        hz in rates(), start in 0..1u64 << 62, system in 0..1u64 << 60,
        deltas in prop::collection::vec(0..1u64 << 40, 1..50),
    ) {
        let line = ClockLine { tsc: start, system: Nanos(system), scale: TscScale::from_hz(hz).unwrap() };
        prop_assert_eq!(line.at(start.saturating_sub(5)), Nanos(system));
        let (mut tsc, mut before) = (start, Nanos(system));
        for delta in deltas {
            tsc += delta;
            let now = line.at(tsc);
            prop_assert!(now >= before);
            before = now;
            let deadline = Nanos(now.0 + delta % 1_000_000);
            let at = line.tsc_after(tsc, now, deadline);
            prop_assert!(at >= tsc && line.at(at) >= deadline);
            let late = line.at(at).0 - deadline.0;
            prop_assert!(late <= 2 + line.scale.ticks_to_nanos(4), "{late} ns late");
        }
    }

    #[test]
    fn counters_that_wrap_give_steady_time(
        bits in prop_oneof![Just(24u32), Just(32), Just(64)],
        start in any::<u64>(),
        steps in prop::collection::vec(0..1u64 << 24, 1..60),
    ) {
        let mut clock = PlatformClock::new(CounterRate::PM_TIMER, bits, start).unwrap();
        let (mut raw, mut total) = (start, 0u64);
        for step in steps {
            raw = raw.wrapping_add(step);
            total += step;
            let now = clock.observe(raw);
            let exact = u128::from(total) * 1_000_000_000 / 3_579_545;
            prop_assert_eq!(u128::from(now.0), exact);
        }
    }

    #[test]
    fn an_estimate_is_as_good_as_it_says(
        hz in 500_000_000..6_000_000_000u64,
        start in 0..1u64 << 24,
        counted in 30_000..8_000_000u64,
        blur in 0..100_000u64,
    ) {
        // The counter is read anywhere within a sample.
        let (rate, bits) = (CounterRate::PM_TIMER, 24);
        let exact = (u128::from(counted) * u128::from(hz) / 3_579_545) as u64;
        let first = Sample { tsc_before: 1_000_000, counter: start, tsc_after: 1_000_000 + blur };
        let second = Sample {
            tsc_before: 1_000_000 + exact,
            counter: (start + counted) % (1 << 24),
            tsc_after: 1_000_000 + exact + blur / 3,
        };
        let estimate = estimate_tsc(rate, bits, first, second).unwrap();
        let error = u128::from(estimate.hz.abs_diff(hz)) * 1_000_000_000 / u128::from(hz);
        prop_assert!(error <= u128::from(estimate.error_ppb), "{} of {}", error, estimate.error_ppb);
    }
}

#[test]
fn scales_that_make_no_sense_are_refused() {
    for hz in [0, u64::MAX, 1 << 62] {
        assert_eq!(TscScale::from_hz(hz).unwrap_err().errno, Errno::EINVAL);
    }
    assert!(TscScale::from_khz(0).is_err());
    assert!(CounterRate::from_hz(0).is_err());
    assert!(CounterRate::from_femtoseconds(0).is_err());
    assert!(CounterRate::from_femtoseconds(100_000_001).is_err());
    for bits in [0, 65, u32::MAX] {
        assert!(PlatformClock::new(CounterRate::PIT, bits, 0).is_err());
    }
}

#[test]
fn known_scales() {
    // 1 GHz: one nanosecond a tick is half of 2^32, doubled.
    let scale = TscScale::from_hz(1_000_000_000).unwrap();
    assert_eq!((scale.multiplier, scale.shift), (1 << 31, 1));
    assert_eq!(scale.ticks_to_nanos(123_456_789), 123_456_789);
    // 2 GHz: half a nanosecond a tick.
    let scale = TscScale::from_khz(2_000_000).unwrap();
    assert_eq!((scale.multiplier, scale.shift), (1 << 31, 0));
    // 4 GHz: the tick's lowest bit is shifted out before the multiplication.
    let scale = TscScale::from_khz(4_000_000).unwrap();
    assert_eq!((scale.multiplier, scale.shift), (1 << 31, -1));
    assert_eq!((scale.ticks_to_nanos(7), scale.ticks_to_nanos(8)), (1, 2));
}

#[test]
fn hpet_time_is_exact() {
    // QEMU's HPET: 10 ns a tick.
    let rate = CounterRate::from_femtoseconds(10_000_000).unwrap();
    assert_eq!(rate.ticks_to_nanos(12_345), 123_450);
    assert_eq!(rate.nanos_to_ticks(123_451), 12_346);
    let mut clock = PlatformClock::new(rate, 32, 0xffff_fff0).unwrap();
    assert_eq!(clock.observe(0x10), Nanos(0x20 * 10));
    assert_eq!(clock.wrap_period(), Nanos(0xffff_ffff * 10 + 1));
}

#[test]
fn the_narrowest_sample_wins() {
    let sample = |tsc_before, tsc_after| Sample {
        tsc_before,
        counter: 0,
        tsc_after,
    };
    let samples = [sample(0, 90), sample(100, 130), sample(200, 280)];
    assert_eq!(Sample::narrowest(samples), Some(samples[1]));
    assert_eq!(Sample::narrowest([]), None);
    let still = estimate_tsc(CounterRate::PIT, 16, samples[0], samples[1]);
    assert_eq!(still.unwrap_err().errno, Errno::EINVAL);
}
