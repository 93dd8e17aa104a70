//! How long a guest runs, on how many vCPUs, and ending together.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use guest_kit::time::{now, SECOND};
use guest_kit::vcpu::{area, MAX_VCPUS};
use guest_kit::vcpus;

static OVER: AtomicBool = AtomicBool::new(false);
static RUNNING: AtomicU32 = AtomicU32::new(0);

/// The vCPUs this domain has, as far as the kit can use them.
pub fn processors() -> usize {
    (1..MAX_VCPUS)
        .find(|id| vcpus::is_up(*id) < 0)
        .unwrap_or(MAX_VCPUS)
}

/// Whether the time is over.
pub fn over() -> bool {
    OVER.load(Ordering::Relaxed)
}

/// Says that the time is over.
pub fn finish() {
    OVER.store(true, Ordering::Relaxed);
}

/// Runs `work` on the first `count` vCPUs, over and over until `seconds` have passed; this one calls
/// `report` with the number of the second after each. Gives whether all others came to their end.
pub fn run(count: usize, seconds: u64, job: fn(), work: fn(), report: fn(u64)) -> bool {
    for id in 1..count {
        RUNNING.fetch_add(1, Ordering::SeqCst);
        vcpus::start(id, job);
    }
    let start = now();
    let mut second = 0;
    while second < seconds {
        work();
        let passed = (now() - start) / SECOND;
        if passed > second {
            second = passed;
            report(second);
        }
    }
    finish();
    guest_kit::time::wait_until(20 * SECOND, || {
        guest_kit::hypercall::sched_op(0, 0);
        RUNNING.load(Ordering::SeqCst) == 0
    })
}

/// The whole job of another vCPU: `work` until the time is over.
pub fn repeat(work: fn()) {
    guest_kit::events::vcpu_info().mask = 1;
    while !over() {
        work();
    }
    RUNNING.fetch_sub(1, Ordering::SeqCst);
}

/// The number of the vCPU that asks.
pub fn own() -> usize {
    area().id as usize
}
