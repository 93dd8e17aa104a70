//! How often a processor wakes that has nothing to do, by what the hypervisor counts for `xenpm`.

use guest_kit::command_line::number;
use guest_kit::hypercall::{at, at_mut, call2, nr, sched_op, vcpu_op};
use guest_kit::pages::Page;
use guest_kit::say;
use guest_kit::time::{now, MILLISECOND, SECOND};
use guest_kit::vcpus::op;

use crate::sleep_until;

/// `XEN_SYSCTL_get_pmstat` of the interface's version, and its `PMSTAT_get_cxstat`.
const GET_PMSTAT: u64 = 10 | 0x15 << 32;
const GET_CXSTAT: u64 = 0x22;
/// How often this processor goes to sleep meanwhile.
const SLEEPS: u64 = 100;

/// How often a processor came to rest in C1 so far.
fn rests(processor: u64) -> u64 {
    let mut visits = [0u64; 2];
    let page = Page::take();
    let words = page.words();
    words[..17].fill(0);
    // Type and processor; then room, last state, idle time, visits.
    let request = [
        GET_PMSTAT,
        GET_CXSTAT | processor << 32,
        visits.len() as u64,
        0,
        at_mut(&mut visits),
    ];
    words[..request.len()].copy_from_slice(&request);
    assert_eq!(call2(nr::SYSCTL, page.va, 0), 0, "get_cxstat");
    visits[1]
}

pub fn check() {
    let seconds = number("seconds").unwrap_or(10);
    let most = number("most").unwrap_or(u64::MAX);
    assert_eq!(vcpu_op(op::STOP_PERIODIC, 0, 0), 0);
    // Here on the first processor; the other has nobody.
    assert_eq!(sched_op(7, at(&0i32)), 0);
    // At first the clock is looked after often, and memory is scrubbed.
    sleep_until(now() + 60 * SECOND);
    let (own, other) = (rests(0), rests(1));
    let start = now();
    for sleep in 1..=SLEEPS {
        sleep_until(start + sleep * seconds * 1000 * MILLISECOND / SLEEPS);
    }
    let (own, other) = (rests(0) - own, rests(1) - other);
    say!("CLOCK rests in {seconds} s: {own} here, {other} on the other processor");
    assert!(own >= SLEEPS, "{own} rests of {SLEEPS} sleeps");
    assert!(other <= most, "{other} rests, each for a wake-up");
}
