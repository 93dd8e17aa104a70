//! A bad front end: connects to dom0's back ends and daemons as a driver does and then breaks every
//! rule of the protocol.
//!
//! Words: `do=disk`, `do=net`, `do=console` or `do=store`; `rounds=N` (20), `seed=N` (1). It prints
//! `FRONTEND round N …` and `FRONTEND-END rounds`, then powers off. With `do=console` it says
//! nothing more on its console, and writes `data/result` into XenStore instead.
#![no_std]
#![no_main]

mod daemons;
mod device;
mod rings;

use guest_kit::command_line::{self, number};
use guest_kit::random::Random;

guest_kit::guest_main!(main);

fn main() {
    let rounds = number("rounds").unwrap_or(20);
    let seed = number("seed").unwrap_or(1);
    let what = command_line::value("do").unwrap_or("disk");
    guest_kit::say!("FRONTEND-BEGIN do={what} seed={seed} rounds={rounds}");
    let mut random = Random::new(seed);
    let connected = match what {
        "net" => rings::run(&device::NETWORK, &mut random, rounds),
        "console" => return daemons::console(&mut random, rounds),
        "store" => daemons::store(&mut random, rounds),
        _ => rings::run(&device::DISK, &mut random, rounds),
    };
    guest_kit::say!("FRONTEND-END {rounds} rounds, {connected} connected");
}
