//! Time goes forward, timers fire when they are due, events arrive.

use crate::{fail, same};
use core::sync::atomic::{AtomicU64, Ordering};
use guest_isolation::schedule::own;
use guest_kit::command_line::number;
use guest_kit::events::{self, bind_ipi, bind_virq};
use guest_kit::hypercall::{at, is_xenolith, sched_op, vcpu_op};
use guest_kit::time::{now, MILLISECOND};
use guest_kit::vcpu::MAX_VCPUS;
use guest_kit::vcpus::op;

/// How long a timer is set for.
const DELAY: u64 = 2_000_000;
/// How much before its deadline a timer may fire: timers that are due within 50 µs are run together.
const EARLY: u64 = 100_000;
/// How much two vCPUs' clocks may differ.
const SKEW: u64 = 1_000_000;
/// How much more Debian's Xen may be wrong: in an emulator on a busy machine it sets each processor's
/// clock by a timer that does not keep step with the time-stamp counter.
const UNSTEADY: u64 = 20_000_000;

static TIMERS: [AtomicU64; MAX_VCPUS] = [const { AtomicU64::new(0) }; MAX_VCPUS];
static TO_ITSELF: [AtomicU64; MAX_VCPUS] = [const { AtomicU64::new(0) }; MAX_VCPUS];
static SEEN: [AtomicU64; MAX_VCPUS] = [const { AtomicU64::new(0) }; MAX_VCPUS];
static LATEST: AtomicU64 = AtomicU64::new(0);
static ANYWHERE: AtomicU64 = AtomicU64::new(0);

/// The most a timer was late since the last question, in nanoseconds.
pub fn latest() -> u64 {
    LATEST.swap(0, Ordering::Relaxed)
}

/// Binds each vCPU's timer and a port to itself.
pub fn prepare(count: usize) {
    for id in 0..count {
        let (Ok(timer), Ok(port)) = (bind_virq(0, id as u32), bind_ipi(id as u32)) else {
            fail("binding ports", id as u64, 0, 0);
        };
        events::set_masked(timer, true);
        TIMERS[id].store(timer as u64, Ordering::Relaxed);
        TO_ITSELF[id].store(port as u64, Ordering::Relaxed);
    }
}

/// All of it for the vCPU that asks.
pub fn check() {
    timer();
    forward();
    event();
    forward();
}

/// What a clock may be wrong by.
fn allowed(steady: u64) -> u64 {
    match is_xenolith() {
        true => steady,
        false => steady + UNSTEADY,
    }
}

fn forward() {
    let time = now();
    let before = SEEN[own()].swap(time, Ordering::SeqCst);
    if time + allowed(0) < before {
        fail("time goes back", before - time, before, time);
    }
    let elsewhere = ANYWHERE.fetch_max(time, Ordering::SeqCst);
    if time + allowed(SKEW) < elsewhere {
        fail(
            "another vCPU's time is ahead",
            elsewhere - time,
            elsewhere,
            time,
        );
    }
}

fn timer() {
    let port = TIMERS[own()].load(Ordering::Relaxed) as u32;
    if SEEN[own()].load(Ordering::Relaxed) == 0 {
        // A vCPU starts with a periodic timer, which ticks on the same port.
        vcpu_op(op::STOP_PERIODIC, own() as u64, 0);
    }
    events::clear_pending(port);
    let deadline = now() + DELAY;
    let set = vcpu_op(op::SET_SINGLESHOT, own() as u64, at(&[deadline, 0]));
    same("setting a timer", deadline, 0, set as u64);
    let limit = number("late").unwrap_or(5000) * MILLISECOND;
    let ports = [port];
    while !events::is_pending(port) {
        let result = sched_op(3, at(&[at(&ports), 1, deadline + limit]));
        same("polling", port as u64, 0, result as u64);
        if now() > deadline + limit {
            break;
        }
    }
    let fired = now();
    if !events::clear_pending(port) {
        fail("a timer that did not fire", port as u64, deadline, fired);
    }
    if fired + allowed(EARLY) < deadline {
        fail("a timer before its time", port as u64, deadline, fired);
    }
    LATEST.fetch_max(fired.saturating_sub(deadline), Ordering::Relaxed);
}

/// An event to itself makes its bit, the selector and one upcall.
fn event() {
    let port = TO_ITSELF[own()].load(Ordering::Relaxed) as u32;
    events::clear_pending(port);
    events::quiet();
    same("sending", port as u64, 0, events::send(port) as u64);
    same(
        "the bit of a sent event",
        port as u64,
        1,
        u64::from(events::is_pending(port)),
    );
    let upcalls = events::let_upcalls_in();
    if upcalls == 0 {
        fail("no upcall", port as u64, 1, upcalls);
    }
    events::clear_pending(port);
}
