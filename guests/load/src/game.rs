//! Games: tries to get more than its share from whoever looks at ticks, or is kind to those who wake. Each trick in turn
//! for as long as a report is apart from the next, then the next trick.

use crate::{every, timer, work};
use guest_kit::events::{self, bind_ipi};
use guest_kit::hypercall::sched_op;
use guest_kit::time::{now, MILLISECOND};
use guest_kit::vcpus::runstate;

/// A trick: its name, and one round of it, which gets the port that leads to this guest itself.
type Trick = (&'static str, fn(u32));

const TRICKS: &[Trick] = &[
    // Does not run when a tick finds out who does, nor when a turn of 30 ms ends.
    ("ticks", |_| dodge(10 * MILLISECOND)),
    ("slices", |_| dodge(30 * MILLISECOND)),
    ("naps", |_| dodge(MILLISECOND)),
    ("yields", |_| {
        work::until(now() + 100_000);
        sched_op(0, 0);
    }),
    ("events", wake_itself),
    ("timers", |_| {
        work::until(now() + 200_000);
        timer::set(now() + 5_000);
        timer::block();
    }),
];

/// How long before a tick it goes to sleep, and after it wakes up.
const AROUND: u64 = 100_000;

/// Plays.
pub fn forever() {
    timer::prepare();
    let own = bind_ipi(0).expect("a port to itself");
    events::set_masked(own, false);
    for (name, trick) in TRICKS.iter().cycle() {
        let (begin, before) = (now(), runstate(0).times[0]);
        while now() < begin + every() {
            trick(own);
        }
        let ran = runstate(0).times[0] - before;
        guest_kit::say!("PLAYED {name} {} {ran}", now() - begin);
    }
}

/// Works until shortly before the next tick, and sleeps until shortly after it.
fn dodge(period: u64) {
    let tick = (now() / period + 1) * period;
    let around = AROUND.min(period / 10);
    work::until(tick - around);
    timer::sleep_until(tick + around);
}

/// Sends itself an event and waits for it.
fn wake_itself(port: u32) {
    work::until(now() + 50_000);
    events::clear_pending(port);
    events::quiet();
    events::send(port);
    timer::block();
}
