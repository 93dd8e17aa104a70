//! What a pause of the domain is for a vCPU that waits for an event which does not come: it goes on waiting.

use guest_kit::hypercall::sched_op;
use guest_kit::say;
use guest_kit::time::{now, MILLISECOND, SECOND};
use guest_kit::vcpus::{runstate, start};

use crate::sleep_until;

/// States of `vcpu_runstate_info`.
const BLOCKED: usize = 2;
const OFFLINE: usize = 3;

fn sleep_for_good() {
    loop {
        sched_op(1, 0);
    }
}

pub fn check() {
    start(1, sleep_for_good);
    while runstate(1).state != BLOCKED as u32 {
        sleep_until(now() + MILLISECOND);
    }
    say!("CLOCK sleeps");
    // The pause is where this vCPU misses seconds.
    let (start, before) = loop {
        let (start, before) = (now(), runstate(1));
        sleep_until(start + SECOND / 20);
        if now() > start + 2 * SECOND {
            break (start, before);
        }
    };
    let (passed, after) = (now() - start, runstate(1));
    let spent = |state: usize| after.times[state] - before.times[state];
    say!(
        "CLOCK of {} ms it waited {} and was held {}",
        passed / MILLISECOND,
        spent(BLOCKED) / MILLISECOND,
        spent(OFFLINE) / MILLISECOND
    );
    assert!(spent(OFFLINE) < passed / 10 && spent(BLOCKED) > passed / 2);
}
