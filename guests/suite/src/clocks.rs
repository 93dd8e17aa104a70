//! Time: the clock every vCPU reads by itself, and the timers it can set.

use core::cell::Cell;

use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::events;
use guest_kit::hypercall::errno::*;
use guest_kit::hypercall::*;
use guest_kit::time::{now, snapshot, tsc, wait_until, Reading, MILLISECOND, SECOND};
use guest_kit::vcpus::op;

/// The group.
pub const GROUP: Group = Group {
    name: "time",
    cases: &[
        case!(
            "time-version",
            "the version of vcpu_time_info is even and its scale is set",
            version
        ),
        case!("time-monotone", "system time never goes back", monotone),
        case!("time-rate", "system time and TSC agree over a sleep", rate),
        case!(
            "periodic-default",
            "a vCPU starts with a tick of 10 ms",
            tick
        ),
        case!(
            "timer-fires",
            "set_timer_op raises the timer VIRQ at its deadline, not before",
            fires
        ),
        case!("timer-past", "a deadline in the past fires at once", past),
        case!(
            "timer-cancel",
            "a deadline of 0 takes the timer away",
            cancel
        ),
        case!("singleshot", "set_singleshot_timer fires once", singleshot),
        case!(
            "singleshot-past",
            "a deadline in the past fires at once, FUTURE flag or not",
            singleshot_past
        ),
        case!(
            "singleshot-stop",
            "stop_singleshot_timer takes it away",
            singleshot_stop
        ),
        case!(
            "singleshot-other",
            "timers of another vCPU cannot be set",
            singleshot_other
        ),
        case!(
            "periodic",
            "set_periodic_timer fires again and again until stopped",
            periodic
        ),
        case!(
            "periodic-short",
            "a period below a millisecond gives EINVAL",
            periodic_short
        ),
        case!(
            "timer-replaces",
            "a second deadline replaces the first",
            replaces
        ),
    ],
};

fn version() {
    let time = snapshot();
    assert!(time.version & 1 == 0 && time.version > 0);
    assert!(time.multiplier != 0 && time.tsc_timestamp <= tsc());
}

fn monotone() {
    let mut last = now();
    for _ in 0..20_000 {
        let next = now();
        assert!(next >= last, "{next} after {last}");
        last = next;
    }
}

fn rate() {
    let first = Reading::take();
    let end = first.latest + 30 * MILLISECOND;
    while now() < end {
        assert_eq!(sched_op(3, at(&[0, 0, end])), 0);
    }
    let last = Reading::take();
    let (by_tsc, least, most) = last.since(&first);
    assert!(least >= 30_000_000);
    assert!(
        by_tsc > least - least / 10 && by_tsc < most + most / 10,
        "{by_tsc} {least} {most}"
    );
}

/// The timer's port, masked: a case looks at its pending bit.
struct Timer(u32);

impl Timer {
    fn new() -> Timer {
        let port = events::bind_virq(0, 0).expect("bind_virq");
        events::set_masked(port, true);
        // A vCPU starts with a tick, and an earlier case may have left a deadline.
        assert_eq!(vcpu_op(op::STOP_PERIODIC, 0, 0), 0);
        assert_eq!(set_timer(0), 0);
        events::clear_pending(port);
        Timer(port)
    }

    fn fired(&self) -> bool {
        events::is_pending(self.0)
    }

    fn fires_within(&self, nanoseconds: u64) -> bool {
        wait_until(nanoseconds, || self.fired())
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        assert_eq!(events::close(self.0), 0);
        events::quiet();
    }
}

fn set_timer(deadline: u64) -> i64 {
    call2(nr::SET_TIMER_OP, deadline, 0)
}

/// Sets the timer `ahead` nanoseconds away and lets `change` what was set, again until the change came before the deadline:
/// a busy host may hold the machine up for longer.
fn changed_in_time(timer: &Timer, ahead: u64, set: impl Fn(u64) -> i64, change: impl Fn()) {
    for _ in 0..ATTEMPTS {
        let deadline = now() + ahead;
        assert_eq!(set(deadline), 0);
        events::clear_pending(timer.0);
        change();
        if now() < deadline {
            return;
        }
    }
    panic!("{ATTEMPTS} times held up for {ahead} ns");
}

const ATTEMPTS: u32 = 20;

/// One second, in which a timer of a few milliseconds fires whatever the load.
const LONG: u64 = SECOND;

fn tick() {
    let port = events::bind_virq(0, 0).expect("bind_virq");
    events::set_masked(port, true);
    for round in 0..4 {
        events::clear_pending(port);
        let came = wait_until(LONG, || events::is_pending(port));
        assert!(came, "round {round}");
    }
    assert_eq!(events::close(port), 0);
    events::quiet();
}

fn fires() {
    let timer = Timer::new();
    let deadline = now() + 10 * MILLISECOND;
    assert_eq!(set_timer(deadline), 0);
    assert!(timer.fires_within(LONG));
    assert!(now() >= deadline);
}

fn past() {
    let timer = Timer::new();
    assert_eq!(set_timer(1), 0);
    assert!(timer.fires_within(LONG));
}

fn cancel() {
    let timer = Timer::new();
    changed_in_time(&timer, 20 * MILLISECOND, set_timer, || {
        assert_eq!(set_timer(0), 0)
    });
    assert!(!timer.fires_within(40 * MILLISECOND));
}

fn set_singleshot(vcpu: u64, deadline: u64, flags: u64) -> i64 {
    vcpu_op(op::SET_SINGLESHOT, vcpu, at(&[deadline, flags]))
}

fn singleshot() {
    let timer = Timer::new();
    let deadline = now() + 10 * MILLISECOND;
    assert_eq!(set_singleshot(0, deadline, 0), 0);
    assert!(timer.fires_within(LONG) && now() >= deadline);
    events::clear_pending(timer.0);
    assert!(!timer.fires_within(20 * MILLISECOND));
}

fn singleshot_past() {
    let timer = Timer::new();
    for flags in [0, 1] {
        events::clear_pending(timer.0);
        assert_eq!(set_singleshot(0, now() - MILLISECOND, flags), 0);
        assert!(timer.fires_within(LONG), "flags {flags}");
    }
}

fn singleshot_stop() {
    let timer = Timer::new();
    changed_in_time(
        &timer,
        20 * MILLISECOND,
        |deadline| set_singleshot(0, deadline, 0),
        || assert_eq!(vcpu_op(op::STOP_SINGLESHOT, 0, 0), 0),
    );
    assert!(!timer.fires_within(40 * MILLISECOND));
}

fn singleshot_other() {
    assert_eq!(set_singleshot(1, now() + MILLISECOND, 0), EINVAL);
    assert_eq!(vcpu_op(op::STOP_SINGLESHOT, 1, 0), EINVAL);
}

fn periodic() {
    let timer = Timer::new();
    assert_eq!(vcpu_op(op::SET_PERIODIC, 0, at(&[5 * MILLISECOND])), 0);
    for round in 0..3 {
        assert!(timer.fires_within(LONG), "round {round}");
        events::clear_pending(timer.0);
    }
    assert_eq!(vcpu_op(op::STOP_PERIODIC, 0, 0), 0);
    events::clear_pending(timer.0);
    assert!(!timer.fires_within(30 * MILLISECOND));
}

fn periodic_short() {
    for period in [1, MILLISECOND - 1] {
        assert_eq!(vcpu_op(op::SET_PERIODIC, 0, at(&[period])), EINVAL);
    }
}

fn replaces() {
    let timer = Timer::new();
    let later = Cell::new(0);
    changed_in_time(&timer, 20 * MILLISECOND, set_timer, || {
        later.set(now() + 50 * MILLISECOND);
        assert_eq!(set_timer(later.get()), 0);
    });
    assert!(timer.fires_within(LONG));
    assert!(now() >= later.get());
}
