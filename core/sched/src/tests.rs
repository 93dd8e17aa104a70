//! The schedulers in simulation: who gets how much and when, and that no decision is ever wrong.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used
)]

mod caps;
mod chaos;
mod contract;
mod days;
mod deadlines;
mod delay;
mod gang;
mod granularity;
mod mixed;
mod own_cpu;
mod pools;
mod shares;
mod siblings;
mod simulation;
mod slots;
mod stalls;
mod waiting;

use proptest::test_runner::{Config as ProptestConfig, RngSeed};
use vocabulary::{Errno, Nanos};

use self::simulation::{Habit, Machine, HOG};
use crate::*;

/// So many random cases, the same ones every time.
fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        cases: count,
        rng_seed: RngSeed::Fixed(0x5eed),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

const SECOND: u64 = 1_000_000_000;

type Fair = Machine<FairScheduler>;

fn fair(cpus: u32) -> Fair {
    Machine::new(FairScheduler::credit2(), cpus)
}

/// A domain's parameters with a weight, and no cap.
fn weight(weight: u16) -> Option<Parameters> {
    Some(Parameters::Share(Share { weight, cap: 0 }))
}

/// A machine of hogs with the given weights, after a second of settling and `seconds` of measuring.
fn hogs(cpus: u32, weights: &[u16], seconds: u64) -> (Fair, Vec<u64>) {
    hogs_under(FairScheduler::credit2(), cpus, weights, seconds)
}

fn hogs_under(
    scheduler: FairScheduler,
    cpus: u32,
    weights: &[u16],
    seconds: u64,
) -> (Fair, Vec<u64>) {
    let mut machine = Machine::new(scheduler, cpus);
    for of_guest in weights {
        let guest = machine.add(weight(*of_guest), CpuSet::ALL, HOG);
        machine.wake(guest);
    }
    machine.run(SECOND);
    for guest in &mut machine.guests {
        guest.ran = 0;
    }
    machine.run(seconds * SECOND);
    let shares = machine.shares(seconds * SECOND);
    (machine, shares)
}

fn errno<T: core::fmt::Debug>(result: vocabulary::Refused<T>) -> Errno {
    result.unwrap_err().errno
}

fn assert_shares(shares: &[u64], expected: &[u64], within: u64) {
    for (share, expected) in shares.iter().zip(expected) {
        assert!(
            share.abs_diff(*expected) <= within,
            "shares {shares:?}, not {expected}"
        );
    }
}

#[test]
fn cpu_sets_count_and_wrap() {
    let set: CpuSet = [3, 64, 255].map(CpuId).into_iter().collect();
    assert_eq!(set.iter().collect::<Vec<_>>(), [3, 64, 255].map(CpuId));
    assert_eq!((set.len(), set.lowest()), (3, Some(CpuId(3))));
    for (from, next) in [(0, 3), (3, 3), (4, 64), (65, 255), (255, 255), (256, 3)] {
        assert_eq!(set.next_from(CpuId(from)), Some(CpuId(next)));
    }
    assert!(!set.contains(CpuId(256)) && CpuSet::only(CpuId(256)).is_empty());
    assert_eq!(CpuSet::from_words(set.words()), set);
    assert_eq!(CpuSet::first(70).len(), 70);
    assert_eq!(CpuSet::EMPTY.next_from(CpuId(0)), None);
}
