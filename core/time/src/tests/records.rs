//! What guests see: versions, the wall clock, runstates, the board's clock.

use proptest::prelude::*;
use vocabulary::Nanos;

use crate::*;

/// A record that writes down what was done to it, and fails at a chosen store.
#[derive(Default)]
struct Journal {
    stores: Vec<String>,
    fails_at: Option<usize>,
}

impl Journal {
    fn note(&mut self, store: String) -> Result<(), ()> {
        if self.fails_at == Some(self.stores.len()) {
            return Err(());
        }
        self.stores.push(store);
        Ok(())
    }
}

impl VersionedRecord for Journal {
    type Fields = u32;
    type Fault = ();
    fn store_version(&mut self, version: u32) -> Result<(), ()> {
        self.note(format!("version {version}"))
    }
    fn store_fields(&mut self, fields: &u32) -> Result<(), ()> {
        self.note(format!("fields {fields}"))
    }
}

impl RunstateArea for Journal {
    type Fault = ();
    fn store_entry_time(&mut self, value: u64) -> Result<(), ()> {
        self.note(format!("entry {value:#x}"))
    }
    fn store(&mut self, fields: &RunstateFields) -> Result<(), ()> {
        self.note(format!("all {:#x}", fields.state_entry_time))
    }
}

#[test]
fn a_version_is_odd_while_fields_change_and_even_after() {
    let mut journal = Journal::default();
    let mut version = Version::continuing(7);
    assert_eq!(version.current(), 8);
    version.publish(&mut journal, &42).unwrap();
    assert_eq!(journal.stores, ["version 9", "fields 42", "version 10"]);
    // A failed update leaves an odd version behind, and the next one does not reuse it.
    journal.fails_at = Some(4);
    assert!(version.publish(&mut journal, &43).is_err());
    journal.fails_at = None;
    version.publish(&mut journal, &44).unwrap();
    let rest = ["version 11", "version 13", "fields 44", "version 14"];
    assert_eq!(journal.stores[3..], rest);
    let mut last = Version::continuing(u32::MAX);
    assert_eq!(last.current(), 0);
    last = Version::continuing(u32::MAX - 1);
    last.publish(&mut Journal::default(), &0).unwrap();
    assert_eq!(last.current(), 0);
}

#[test]
fn the_runstate_flag_is_up_while_fields_change() {
    let mut runstate = Runstate::new(Nanos(0x10));
    runstate.change(RunState::Running, Nanos(0x20));
    let mut journal = Journal::default();
    runstate.publish(&mut journal, true).unwrap();
    let flagged = "8000000000000020";
    let expected = [
        format!("entry 0x{flagged}"),
        format!("all 0x{flagged}"),
        "entry 0x20".into(),
    ];
    assert_eq!(journal.stores, expected);
    let mut journal = Journal::default();
    runstate.publish(&mut journal, false).unwrap();
    assert_eq!(journal.stores, ["all 0x20"]);
}

proptest! {
    #[test]
    fn runstate_times_sum_to_the_time_passed(
        changes in prop::collection::vec((0..4usize, -50..1_000i64), 1..60)
    ) {
        let states = [RunState::Running, RunState::Runnable, RunState::Blocked, RunState::Offline];
        let start = 1_000u64;
        let mut runstate = Runstate::new(Nanos(start));
        let (mut now, mut latest) = (start, start);
        let mut model = [0u64; 4];
        let mut state = 3;
        for (next, step) in changes {
            // Clocks of different CPUs may disagree a little.
            now = now.saturating_add_signed(step);
            model[state] += now.max(latest) - latest;
            latest = latest.max(now);
            state = next;
            runstate.change(states[next], Nanos(now));
            prop_assert_eq!(runstate.record().time, model);
            prop_assert_eq!(runstate.record().state, next as u32);
            prop_assert_eq!(runstate.entered(), Nanos(latest));
            let snapshot = runstate.snapshot(Nanos(latest + 7));
            prop_assert_eq!(snapshot.time.iter().sum::<u64>(), latest + 7 - start);
            prop_assert_eq!(snapshot.time[0], runstate.cpu_time(Nanos(latest + 7)).0);
        }
    }

    #[test]
    fn a_guest_computes_the_time_that_was_set(
        seconds in 0..1u64 << 40, nanos in 0..1_000_000_000u32, system in 0..1u64 << 60,
        later in 0..1u64 << 50, offset in -100_000..100_000i64,
    ) {
        let wall = WallClock::from_time_at(seconds, nanos, Nanos(system)).unwrap();
        prop_assert_eq!(wall.at(Nanos(system)), (seconds as i64, nanos));
        let fields = wall.fields(offset);
        prop_assert!(fields.nanoseconds < 1_000_000_000);
        // As Linux adds them up.
        let at_zero = i128::from((u64::from(fields.seconds_high) << 32 | u64::from(fields.seconds)) as i64);
        let sum = at_zero * 1_000_000_000 + i128::from(fields.nanoseconds) + i128::from(system + later);
        let expected = (i128::from(seconds) + i128::from(offset)) * 1_000_000_000
            + i128::from(nanos) + i128::from(later);
        prop_assert_eq!(sum, expected);
    }

    #[test]
    fn dates_count_days_one_by_one(days in 0..40_000u64) {
        // Against walking the calendar.
        let (mut year, mut rest) = (1970u64, days);
        let leap = |year: u64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        while rest >= 365 + u64::from(leap(year)) {
            rest -= 365 + u64::from(leap(year));
            year += 1;
        }
        let february = 28 + u64::from(leap(year));
        let mut month = 1;
        for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
            if rest < length {
                break;
            }
            rest -= length;
            month += 1;
        }
        let reading = RtcReading {
            second: 5, minute: 4, hour: 3,
            day: rest as u8 + 1, month, year: (year % 100) as u8, century: Some((year / 100) as u8),
            status_b: 6,
        };
        prop_assert_eq!(reading.unix_seconds(), Ok(days * 86_400 + 3 * 3_600 + 4 * 60 + 5));
    }
}

#[test]
fn a_time_of_a_billion_nanoseconds_is_refused() {
    assert!(WallClock::from_time_at(0, 1_000_000_000, Nanos(0)).is_err());
    assert!(WallClock::from_time_at(u64::MAX, 0, Nanos(0)).is_err());
    // Set to 1970 after a minute of uptime: time zero lies before the epoch.
    let wall = WallClock::from_time_at(0, 0, Nanos(60_500_000_000)).unwrap();
    assert_eq!(wall.fields(0).seconds_high, u32::MAX);
    assert_eq!(wall.at(Nanos(60_500_000_000)), (0, 0));
}

#[test]
fn the_boards_clock_in_its_forms() {
    let decimal = RtcReading {
        second: 0x59,
        minute: 0x30,
        hour: 0x23,
        day: 0x29,
        month: 0x02,
        year: 0x24,
        century: Some(0x20),
        status_b: 2,
    };
    // 29 February 2024, 23:30:59.
    assert_eq!(decimal.unix_seconds(), Ok(1_709_249_459));
    let twelve_hours = |hour| RtcReading {
        hour,
        status_b: 0,
        ..decimal
    };
    assert_eq!(
        twelve_hours(0x91).unix_seconds().unwrap() % 86_400 / 3_600,
        23
    );
    assert_eq!(
        twelve_hours(0x12).unix_seconds().unwrap() % 86_400 / 3_600,
        0
    );
    assert_eq!(
        twelve_hours(0x92).unix_seconds().unwrap() % 86_400 / 3_600,
        12
    );
    let no_century = RtcReading {
        century: None,
        ..decimal
    };
    assert_eq!(no_century.unix_seconds(), decimal.unix_seconds());
    let unset_century = RtcReading {
        century: Some(0),
        ..decimal
    };
    assert_eq!(unset_century.unix_seconds(), decimal.unix_seconds());
    for broken in [
        RtcReading {
            month: 0,
            ..decimal
        },
        RtcReading {
            month: 0x13,
            ..decimal
        },
        RtcReading {
            day: 0x32,
            ..decimal
        },
        RtcReading {
            hour: 0x24,
            ..decimal
        },
        RtcReading {
            minute: 0x60,
            ..decimal
        },
        RtcReading {
            second: 0x5a,
            ..decimal
        },
        RtcReading {
            year: 0xff,
            ..decimal
        },
    ] {
        assert!(broken.unix_seconds().is_err(), "{broken:?}");
    }
}
