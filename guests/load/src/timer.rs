//! Sleeping until a moment, as a kernel does: a timer for one time, and blocking.

use core::sync::atomic::{AtomicU32, Ordering};
use guest_kit::events::{self, bind_virq, vcpu_info};
use guest_kit::hypercall::{at, sched_op, vcpu_op};
use guest_kit::time::now;
use guest_kit::vcpus::op;

/// How much before its time a timer may fire: some hypervisors do those together that are due within 50 µs.
const EARLY: u64 = 60_000;

static PORT: AtomicU32 = AtomicU32::new(0);

/// Binds the timer's port, and stops the ticks that a vCPU starts with.
pub fn prepare() {
    vcpu_op(op::STOP_PERIODIC, 0, 0);
    let port = bind_virq(0, 0).expect("the timer's port");
    events::set_masked(port, false);
    PORT.store(port, Ordering::Relaxed);
}

/// Sets the timer without waiting for it.
pub fn set(time: u64) {
    events::clear_pending(PORT.load(Ordering::Relaxed));
    events::quiet();
    let set = vcpu_op(op::SET_SINGLESHOT, 0, at(&[time, 0]));
    assert_eq!(set, 0, "setting a timer");
}

/// Blocks until then.
pub fn sleep_until(time: u64) {
    while now() + EARLY < time {
        set(time);
        block();
    }
}

/// Blocks until any event.
pub fn block() {
    sched_op(1, 0);
    vcpu_info().mask = 1;
}
