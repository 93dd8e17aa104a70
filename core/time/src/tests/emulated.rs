//! Emulated counters: what a guest computes from them is system time.

use proptest::prelude::*;
use vocabulary::{Errno, Nanos};

use crate::*;

/// System time as a guest computes it from a reading (public `xen.h`).
fn system_time(fields: &TimeFields, tsc: u64) -> u64 {
    fields.system_time.0 + fields.scale.ticks_to_nanos(tsc - fields.tsc_timestamp)
}

proptest! {
    #[test]
    fn readings_are_system_time_to_a_tick(
        khz in 100_000..6_000_000u32, elapsed in 0..1u64 << 52, start in 0..1u64 << 52,
        steps in prop::collection::vec(0..1u64 << 42, 1..40),
    ) {
        let counter = EmulatedCounter::new(khz, Nanos(elapsed), Nanos(start)).unwrap();
        let fields = counter.fields(0);
        let tick = 1_000_000 / u64::from(khz) + 1;
        let (mut now, mut before) = (start, 0);
        for step in steps {
            now += step;
            let tsc = counter.at(Nanos(now));
            prop_assert!(tsc >= before);
            before = tsc;
            let read = system_time(&fields, tsc);
            prop_assert!(read >= now && read - now <= tick, "{read} at {now}");
            let expected = elapsed + (now - start);
            prop_assert!(counter.elapsed(Nanos(now)).0.abs_diff(expected) <= 2 * tick);
        }
    }

    #[test]
    fn a_counter_goes_on_where_it_was(khz in 100_000..6_000_000u32, ran in 0..1u64 << 50, now in 0..1u64 << 50) {
        let here = EmulatedCounter::new(khz, Nanos(0), Nanos(now)).unwrap();
        let left = Nanos(now + ran);
        let there = EmulatedCounter::new(khz, here.elapsed(left), Nanos(77)).unwrap();
        prop_assert!(there.at(Nanos(77)) >= here.at(left));
        prop_assert!(there.at(Nanos(77)) - here.at(left) <= 1);
    }
}

#[test]
fn a_gigahertz_counts_nanoseconds() {
    let counter = EmulatedCounter::new(1_000_000, Nanos(5), Nanos(1_000)).unwrap();
    assert_eq!(counter.at(Nanos(1_000)), 5);
    assert_eq!(counter.at(Nanos(1_234)), 239);
    assert_eq!(counter.at(Nanos(0)), 5);
    assert_eq!(counter.khz(), 1_000_000);
    let none = EmulatedCounter::new(0, Nanos(0), Nanos(0));
    assert_eq!(none.unwrap_err().errno, Errno::EINVAL);
}
