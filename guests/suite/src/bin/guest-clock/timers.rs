//! How late timers fire: from the deadline in system time to the first instruction after the wait.

use guest_kit::command_line::number;
use guest_kit::events;
use guest_kit::hypercall::{at, is_xenolith, sched_op, vcpu_op};
use guest_kit::say;
use guest_kit::time::{now, MILLISECOND, SECOND};
use guest_kit::vcpus::op;

/// Lateness of one kind of timer.
struct Late {
    name: &'static str,
    count: u64,
    sum: u64,
    worst: u64,
    most: u64,
}

impl Late {
    fn new(name: &'static str) -> Self {
        let most = number("most").unwrap_or(u64::MAX);
        let (count, sum, worst) = (0, 0, 0);
        Self {
            name,
            count,
            sum,
            worst,
            most,
        }
    }

    fn add(&mut self, deadline: u64, fired: u64) {
        // Xen fires timers early by what their rounding may cost.
        if is_xenolith() {
            let early = deadline.saturating_sub(fired);
            assert!(early == 0, "{} is {early} ns early", self.name);
        }
        let late = fired.saturating_sub(deadline);
        self.count += 1;
        self.sum += late;
        self.worst = self.worst.max(late);
    }

    fn say(&self) {
        say!(
            "CLOCK late {} worst {} mean {} of {} ns",
            self.name,
            self.worst,
            self.sum / self.count.max(1),
            self.count
        );
        assert!(
            self.worst <= self.most,
            "{} is {} ns late",
            self.name,
            self.worst
        );
    }
}

pub fn check() {
    let rounds = number("rounds").unwrap_or(100);
    // A vCPU starts with a tick.
    assert_eq!(vcpu_op(op::STOP_PERIODIC, 0, 0), 0);
    let port = events::bind_virq(0, 0).expect("bind_virq");
    events::set_masked(port, true);
    poll_timeouts(rounds);
    single_shots(rounds, port);
    sleeps(rounds, port);
    for period in [MILLISECOND, 5 * MILLISECOND, 33 * MILLISECOND] {
        periodic(rounds, port, period);
    }
}

/// Waits for the port, for ten seconds at the most.
fn wait_for(port: u32) -> u64 {
    let ports = [port];
    let end = now() + 10 * SECOND;
    assert_eq!(sched_op(3, at(&[ports.as_ptr() as u64, 1, end])), 0);
    let fired = now();
    assert!(events::is_pending(port), "the timer does not fire");
    events::clear_pending(port);
    fired
}

/// Times to wait: from 30 µs to 300 ms, none a round number.
fn wait_of(round: u64) -> u64 {
    30_011 + round * round * 977 % (300 * MILLISECOND)
}

fn poll_timeouts(rounds: u64) {
    let mut late = Late::new("poll");
    for round in 0..rounds {
        let deadline = now() + wait_of(round * 7);
        assert_eq!(sched_op(3, at(&[0, 0, deadline])), 0);
        late.add(deadline, now());
    }
    late.say();
}

fn single_shots(rounds: u64, port: u32) {
    let mut late = Late::new("singleshot");
    for round in 0..rounds {
        let deadline = now() + wait_of(round * 11);
        assert_eq!(vcpu_op(op::SET_SINGLESHOT, 0, at(&[deadline, 0])), 0);
        late.add(deadline, wait_for(port));
    }
    late.say();
}

/// Sleeps by `SCHEDOP_block`, from which the timer's event calls the vCPU up.
fn sleeps(rounds: u64, port: u32) {
    let mut late = Late::new("block");
    events::set_masked(port, false);
    for round in 0..rounds {
        events::clear_pending(port);
        events::quiet();
        let deadline = now() + wait_of(round * 13);
        assert_eq!(vcpu_op(op::SET_SINGLESHOT, 0, at(&[deadline, 0])), 0);
        assert_eq!(sched_op(1, 0), 0);
        let fired = now();
        events::vcpu_info().mask = 1;
        assert!(events::is_pending(port), "something else ends the sleep");
        late.add(deadline, fired);
    }
    events::set_masked(port, true);
    events::clear_pending(port);
    events::quiet();
    late.say();
}

/// Ticks of a vCPU that runs: one that sleeps is not woken by them.
fn periodic(rounds: u64, port: u32, period: u64) {
    let mut late = Late::new(match period {
        MILLISECOND => "periodic 1 ms",
        33_000_000 => "periodic 33 ms",
        _ => "periodic 5 ms",
    });
    events::clear_pending(port);
    let start = now();
    assert_eq!(vcpu_op(op::SET_PERIODIC, 0, at(&[period])), 0);
    for tick in 1..=rounds.min(200) {
        let deadline = start + tick * period;
        while !events::is_pending(port) {
            assert!(now() < deadline + SECOND, "no tick {tick}");
        }
        late.add(deadline, now());
        events::clear_pending(port);
    }
    assert_eq!(vcpu_op(op::STOP_PERIODIC, 0, 0), 0);
    late.say();
}
