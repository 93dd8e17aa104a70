//! The canary: an ordinary guest that keeps patterns in everything it owns and looks whether they
//! are still there. Run it beside a guest that misbehaves.
//!
//! Words: `seconds=N` (60), `seed=N`, `late=N` milliseconds that a timer may be late (5000),
//! `break=NAME` makes a difference by itself (registers, memory, tables), to see that it is found.
//! Each second it prints `CANARY second N`, at the end `CANARY-END ok`, then powers off. A
//! difference prints `CANARY FAIL: what, where, expected, found` and crashes the domain.
#![no_std]
#![no_main]

mod clock;
mod general;
mod memory;
mod protected;
mod vectors;

use core::sync::atomic::{AtomicU64, Ordering};
use guest_isolation::schedule::{self, own};
use guest_kit::command_line::number;
use guest_kit::vcpu::MAX_VCPUS;

guest_kit::guest_main!(main);

/// Rounds of each vCPU.
static ROUNDS: [AtomicU64; MAX_VCPUS] = [const { AtomicU64::new(0) }; MAX_VCPUS];

/// Reports a difference and ends the domain.
pub fn fail(what: &str, place: u64, expected: u64, found: u64) -> ! {
    guest_kit::say!(
        "CANARY FAIL: {what}, vCPU {} at {place:#x}: expected {expected:#x}, found {found:#x}",
        own()
    );
    guest_kit::hypercall::shutdown(3)
}

/// Fails unless two words are equal.
pub fn same(what: &str, place: u64, expected: u64, found: u64) {
    if expected != found {
        fail(what, place, expected, found);
    }
}

/// Whether the command line asks for this difference to be made.
pub fn broken(name: &str) -> bool {
    guest_kit::command_line::value("break") == Some(name)
}

fn main() {
    let count = schedule::processors();
    let seconds = number("seconds").unwrap_or(60);
    guest_kit::say!("CANARY-BEGIN {count} vCPUs, {seconds} seconds");
    vectors::enable();
    memory::fill(count);
    clock::prepare(count);
    general::prepare(count);
    memory::remember_tables();
    let ended = schedule::run(count, seconds, || schedule::repeat(round), round, report);
    if !ended {
        fail("a vCPU that does not end", 0, 0, 0);
    }
    guest_kit::say!("CANARY-END ok {}", total());
}

fn total() -> u64 {
    ROUNDS
        .iter()
        .map(|rounds| rounds.load(Ordering::Relaxed))
        .sum()
}

fn report(second: u64) {
    let late = clock::latest() / 1000;
    guest_kit::say!("CANARY second {second} rounds {} late {late} us", total());
}

/// One look at everything.
fn round() {
    let id = own();
    let round = ROUNDS[id].fetch_add(1, Ordering::Relaxed);
    let seed = number("seed").unwrap_or(1) ^ (id as u64) << 56 ^ round << 8;
    vectors::load(seed);
    general::check(seed);
    clock::check();
    vectors::compare(seed);
    protected::check(seed);
    memory::check(round);
}
