//! Caps hold, and cost others nothing.

use super::*;

fn capped(cap: u16) -> Option<Parameters> {
    Some(Parameters::Share(Share { weight: 256, cap }))
}

fn both() -> [FairScheduler; 2] {
    [FairScheduler::credit2(), FairScheduler::credit()]
}

/// In thousandths of one CPU, after a second of settling.
fn shares_of(machine: &mut Fair, seconds: u64) -> Vec<u64> {
    machine.run(SECOND);
    for guest in &mut machine.guests {
        guest.ran = 0;
    }
    machine.run(seconds * SECOND);
    machine.shares(seconds * SECOND)
}

#[test]
fn a_cap_holds_alone_and_beside_others() {
    for scheduler in both() {
        let mut machine = Machine::new(scheduler, 1);
        let half = machine.add(capped(50), CpuSet::ALL, HOG);
        machine.wake(half);
        // Within 1 % of the cap.
        assert_shares(&shares_of(&mut machine, 4), &[500], 5);
        let rest = machine.add(None, CpuSet::ALL, HOG);
        machine.wake(rest);
        // Its fair share is its cap now; turns that end late may keep it a little below.
        let shares = shares_of(&mut machine, 4);
        assert!(shares[0] <= 505, "{shares:?}");
        assert!(shares[0] + shares[1] >= 999, "{shares:?}");
        let third = machine.add(weight(1024), CpuSet::ALL, HOG);
        machine.wake(third);
        machine.sleep(rest);
        assert_shares(&shares_of(&mut machine, 4), &[200, 0, 800], 15);
    }
}

#[test]
fn a_small_cap_leaves_the_rest_to_the_others() {
    let mut machine = fair(1);
    for cap in [10, 20, 0] {
        let guest = machine.add(capped(cap), CpuSet::ALL, HOG);
        machine.wake(guest);
    }
    assert_shares(&shares_of(&mut machine, 10), &[100, 200, 700], 4);
}

#[test]
fn a_cap_is_of_all_vcpus_of_a_domain_together() {
    for (cap, expected) in [(50, 500), (150, 1500), (400, 2000)] {
        let mut machine = fair(2);
        let first = machine.add(capped(cap), CpuSet::ALL, HOG);
        let second = machine.add_to(machine.guests[first].domain, CpuSet::ALL, HOG);
        for guest in [first, second] {
            machine.wake(guest);
        }
        let shares = shares_of(&mut machine, 4);
        let sum: u64 = shares.iter().sum();
        assert!(sum.abs_diff(expected) <= expected / 100, "{shares:?}");
        // And they share it.
        assert!(shares[0].abs_diff(shares[1]) <= 30, "{shares:?}");
    }
}

#[test]
fn a_cap_taken_away_is_gone_at_once() {
    let mut machine = fair(1);
    let guest = machine.add(capped(1), CpuSet::ALL, HOG);
    machine.wake(guest);
    machine.run(SECOND);
    assert!(machine.guests[guest].ran <= SECOND / 90);
    let now = machine.time();
    let domain = machine.guests[guest].domain;
    let pokes = machine
        .scheduler
        .set_domain_parameters(domain, &capped(0).unwrap(), now);
    machine.poke_all(pokes.unwrap());
    machine.guests[guest].ran = 0;
    machine.run(SECOND);
    assert!(machine.guests[guest].ran >= SECOND - 10_000);
}

#[test]
fn sleeping_does_not_stretch_a_cap() {
    for sleeps in [100, 1_000, 100_000, 4_900_000] {
        let mut machine = fair(2);
        let guest = machine.add(capped(30), CpuSet::ALL, Habit::random(500_000, sleeps));
        machine.wake(guest);
        let shares = shares_of(&mut machine, 4);
        assert!(shares[0] <= 303, "{shares:?}");
    }
}

#[test]
fn an_hour_does_not_drift() {
    let mut machine = fair(1);
    for cap in [50, 0, 0] {
        let guest = machine.add(capped(cap), CpuSet::ALL, Habit::random(30_000_000, 1_000));
        machine.wake(guest);
    }
    machine.run(3600 * SECOND);
    let thousandths: Vec<u64> = machine.shares(3600 * SECOND);
    assert_shares(&thousandths, &[333; 3], 2);
}
