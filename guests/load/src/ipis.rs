//! Interrupts: two vCPUs that wake each other without end, each for a little work.

use crate::{every, timer, work};
use core::sync::atomic::{AtomicU32, Ordering};
use guest_kit::events::{self, bind_ipi};
use guest_kit::time::now;
use guest_kit::vcpus::{self, runstate};

/// How long each works before it wakes the other.
const WORK: u64 = 50_000;

/// The port that wakes each of the two.
static PORTS: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

/// Plays, on vCPUs 0 and 1.
pub fn forever() {
    for (id, port) in PORTS.iter().enumerate() {
        let found = bind_ipi(id as u32).expect("a port to a vCPU");
        events::set_masked(found, false);
        port.store(found, Ordering::SeqCst);
    }
    vcpus::start(1, || loop {
        turn(1);
    });
    loop {
        let (begin, before) = (now(), ran());
        while now() < begin + every() {
            turn(0);
        }
        guest_kit::say!("PLAYED ipis {} {}", now() - begin, ran() - before);
    }
}

/// Processor time of both, nanoseconds.
fn ran() -> u64 {
    runstate(0).times[0] + runstate(1).times[0]
}

/// Works, wakes the other and waits to be woken by it.
fn turn(own: usize) {
    let port = |id: usize| PORTS[id].load(Ordering::SeqCst);
    // Nobody wakes this one before it has woken the other.
    events::clear_pending(port(own));
    work::until(now() + WORK);
    events::send(port(1 - own));
    loop {
        // A selector that another port left set would hide the next event.
        events::quiet();
        if events::is_pending(port(own)) {
            return;
        }
        timer::block();
    }
}
