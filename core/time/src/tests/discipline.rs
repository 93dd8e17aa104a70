//! An hour of a machine: a TSC whose rate wanders, a platform counter of coarse ticks that wraps, looks that are late or
//! disturbed. System time stays within a microsecond of true time and never goes back.

use proptest::prelude::*;
use vocabulary::Nanos;

use crate::*;

const SECOND: f64 = 1e9;
const HOUR: f64 = 3600.0 * SECOND;

/// A machine's counters, at a true time that only the test knows.
struct Machine {
    /// True time in nanoseconds, and what the TSC has counted by then.
    now: f64,
    ticks: f64,
    hz: f64,
    nominal: f64,
    counter_hz: f64,
    bits: u32,
    random: u64,
}

impl Machine {
    /// A number from 0 to 1 (xorshift).
    fn random(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Lets time pass. The TSC's rate wanders by up to 0.005 parts in a million each second, as temperature makes it, and
    /// stays within half a part in a million.
    fn pass(&mut self, nanos: f64) {
        self.now += nanos;
        self.ticks += nanos / SECOND * self.hz;
        let step = (self.random() - 0.5) * 1e-8 * nanos / SECOND;
        let wandered = (self.hz / self.nominal - 1.0 + step).clamp(-5e-7, 5e-7);
        self.hz = self.nominal * (1.0 + wandered);
    }

    fn tsc(&self) -> u64 {
        self.ticks as u64
    }

    /// A look: the TSC, and what the platform counter read within `blur` nanoseconds of it.
    fn look(&mut self, blur: f64) -> (u64, u64) {
        let read = self.now + (self.random() - 0.5) * 2.0 * blur;
        let count = (read / SECOND * self.counter_hz) as u64;
        (self.tsc(), count & (u64::MAX >> (64 - self.bits)))
    }
}

/// What an hour came to.
#[derive(Debug, Default)]
struct Hour {
    /// The worst distance of system time from true time, in nanoseconds.
    worst: f64,
    /// How often another line came into force.
    lines: u32,
}

/// Runs a clock for an hour. Each look comes when it is wanted, or where `gaps` is set and it is not urgent now and then up to four times as late;
/// one in a hundred is disturbed by up to ten microseconds.
fn an_hour(machine: &mut Machine, rate: CounterRate, gaps: bool) -> Hour {
    let (first_tsc, first_count) = machine.look(50.0);
    let mut platform = PlatformClock::new(rate, machine.bits, first_count).unwrap();
    // The boot takes a third of a second to two seconds.
    let boot = 0.3 + 2.0 * machine.random().powi(3);
    machine.pass(boot * SECOND);
    let (tsc, count) = machine.look(50.0);
    let now = platform.observe(count);
    let scale = TscScale::from_ratio(now.0, tsc - first_tsc).unwrap();
    let line = ClockLine {
        tsc,
        system: Nanos(5_000_000_000),
        scale,
    };
    let mut clock =
        DisciplinedClock::new(line, tsc, now, rate.tick()).measured_from(first_tsc, Nanos(0));
    let offset = 5e9 - machine.now;
    let (mut hour, mut last, end) = (Hour::default(), 0, machine.now + HOUR);
    let mut before = tsc;
    while machine.now < end {
        let mut until_look = clock.interval().0 as f64;
        if gaps && !clock.is_urgent() && machine.random() < 0.05 {
            until_look *= 1.0 + 3.0 * machine.random();
        }
        for _ in 0..4 {
            machine.pass(until_look / 4.0);
            let read = clock.at(machine.tsc()).0;
            assert!(read >= last, "{read} after {last}");
            last = read;
            hour.worst = hour.worst.max((read as f64 - machine.now - offset).abs());
        }
        // (At first, while nothing is known of the rate, nothing tells them from a wrong one but how long they took.)
        let is_young = machine.now < end - HOUR + 3.0 * SECOND;
        let blur = if !is_young && machine.random() < 0.01 {
            10_000.0
        } else {
            50.0
        };
        let (tsc, count) = machine.look(blur);
        let passed = clock.at(tsc).0 - clock.at(before).0;
        let now = platform.observe_after(count, Nanos(passed));
        let old = *clock.line();
        if let Ok(Synchronised::Changed(_)) = clock.synchronise(tsc, now) {
            hour.lines += 1;
            assert_no_step_back(&old, clock.line(), tsc, machine.nominal);
        }
        before = tsc;
    }
    hour
}

/// Who reads the new line is not behind who still reads the old one, for a millisecond.
fn assert_no_step_back(old: &ClockLine, new: &ClockLine, tsc: u64, hz: f64) {
    let millisecond = (hz / 1000.0) as u64;
    for part in 0..=100 {
        let at = tsc + millisecond / 100 * part;
        assert!(new.at(at) >= old.at(at));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn within_a_microsecond_for_an_hour(
        nominal in 800_000_000..5_000_000_000u64, off in -3e-7..3e-7f64, kind in 0..3, gaps: bool,
        start in 0..1u64 << 40, random in 1..u64::MAX,
    ) {
        // QEMU's HPET, that of PCs, and the PM timer.
        let (rate, counter_hz, bits) = match kind {
            0 => (CounterRate::from_femtoseconds(10_000_000).unwrap(), 1e8, 64),
            1 => (CounterRate::from_femtoseconds(69_841_279).unwrap(), 1e15 / 69_841_279.0, 32),
            _ => (CounterRate::PM_TIMER, 3_579_545.0, 24),
        };
        let nominal = nominal as f64;
        let mut machine = Machine {
            now: start as f64 / 1000.0, ticks: start as f64, hz: nominal * (1.0 + off), nominal, counter_hz, bits, random,
        };
        let hour = an_hour(&mut machine, rate, gaps);
        prop_assert!(hour.worst <= 1000.0, "{hour:?}");
        prop_assert!(hour.lines < 1800, "{hour:?}");
    }
}

#[test]
fn the_wraps_of_a_gap_are_counted() {
    let rate = CounterRate::PM_TIMER;
    let mut clock = PlatformClock::new(rate, 24, 1000).unwrap();
    let true_ticks = 77u64 * (1 << 24) + 12_345;
    // The other clock is off by a second and a half.
    let about = Nanos(rate.ticks_to_nanos(true_ticks) - 1_500_000_000);
    let now = clock.observe_after((1000 + true_ticks) % (1 << 24), about);
    assert_eq!(now.0, rate.ticks_to_nanos(true_ticks));
    // No time at all, and a counter that never wraps.
    assert_eq!(
        clock.observe_after((1000 + true_ticks) % (1 << 24), Nanos(0)),
        now
    );
    let mut wide = PlatformClock::new(rate, 64, 5).unwrap();
    assert_eq!(
        wide.observe_after(105, Nanos(u64::MAX)).0,
        rate.ticks_to_nanos(100)
    );
}

/// A clock that has just begun, of a TSC that counts nanoseconds, and a platform clock of 10 ns.
fn a_clock_of_nanoseconds() -> DisciplinedClock {
    let line = ClockLine {
        tsc: 0,
        system: Nanos(0),
        scale: TscScale::from_hz(1_000_000_000).unwrap(),
    };
    DisciplinedClock::new(line, 0, Nanos(0), 10)
}

#[test]
fn a_clock_far_behind_steps_and_one_far_ahead_waits() {
    let mut clock = a_clock_of_nanoseconds();
    assert_eq!(
        clock.synchronise(1_000, Nanos(1_000)),
        Ok(Synchronised::TooSoon)
    );
    // The TSC stood still for nine of ten seconds; that is believed the third time.
    let second = NANOS_PER_SECOND;
    let behind = 9 * second as i64;
    let (tenth, mut tsc) = (second / 10, second);
    for _ in 0..2 {
        let doubted = clock.synchronise(tsc, Nanos(tsc + 9 * second));
        assert_eq!(doubted, Ok(Synchronised::Doubted(behind)));
        assert!(clock.is_doubting());
        tsc += tenth;
    }
    let changed = clock.synchronise(tsc, Nanos(tsc + 9 * second));
    assert_eq!(changed, Ok(Synchronised::Changed(behind)));
    assert!(clock.at(tsc).0.abs_diff(tsc + 9 * second) < 10);
    // Then the platform loses half a second: time goes on, at most 1/2000 slower.
    let mut slowed = false;
    for _ in 0..10 {
        tsc += tenth;
        let before = clock.at(tsc);
        let lost = Nanos(tsc + 9 * second - second / 2);
        let look = clock.synchronise(tsc, lost).unwrap();
        slowed |= matches!(look, Synchronised::Changed(error) if error < 0);
        assert!(clock.at(tsc) >= before);
    }
    assert!(slowed);
    let passed = clock.at(tsc + second).0 - clock.at(tsc).0;
    assert!(passed > second / 10, "{passed} ns");
}

#[test]
fn looks_that_contradict_each_other_change_nothing() {
    let mut clock = a_clock_of_nanoseconds();
    let first = 100 * NANOS_PER_SECOND;
    let kept = clock.synchronise(first, Nanos(first));
    assert_eq!(kept, Ok(Synchronised::Changed(0)));
    let kept_line = *clock.line();
    for round in 1..20u64 {
        let tsc = first + round * NANOS_PER_SECOND;
        let off = if round % 2 == 0 { 5_000 } else { -5_000 };
        let look = clock.synchronise(tsc, Nanos(tsc.saturating_add_signed(off)));
        assert!(matches!(look, Ok(Synchronised::Doubted(_))));
        assert_eq!(*clock.line(), kept_line);
    }
}
