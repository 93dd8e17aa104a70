//! A guest that loads a processor in a way that can be counted, for tests of what schedulers promise.
//!
//! Words: `do=burn`, `wake`, `periods`, `game` or `ipis`, `every=N` milliseconds between two reports (1000), and those
//! that each module names. Times are in nanoseconds, of the clock that all guests of a machine share.
//!   LOAD-BEGIN WHAT
//!   RAN NOW TIME           `burn`: the processor time that it got so far
//!   WOKEN N MEDIAN P99 MAX `wake`: how long after the set time it came to run, N times
//!   PERIODS N MISSED WORST `periods`: how many it did, how many were late for want of what was
//!                          promised, and how long after its beginning the worst was done
//!   PLAYED TRICK TIME RAN  `game`, `ipis`: in how much time it got how much of the processor
//! It goes on until it is destroyed.
#![no_std]
#![no_main]

mod burn;
mod game;
mod ipis;
mod periods;
mod timer;
mod wake;
mod work;

use guest_kit::command_line::{number, value};
use guest_kit::time::MILLISECOND;

guest_kit::guest_main!(main);

/// Nanoseconds between two reports.
pub fn every() -> u64 {
    number("every").unwrap_or(1000).max(1) * MILLISECOND
}

fn main() {
    let what = value("do").unwrap_or("burn");
    guest_kit::say!("LOAD-BEGIN {what}");
    match what {
        "wake" => wake::forever(),
        "periods" => periods::forever(),
        "game" => game::forever(),
        "ipis" => ipis::forever(),
        _ => burn::forever(),
    }
}
