//! Several vCPUs of one domain on one CPU: they often wait for each other, spinning, so that they take turns often, at
//! nobody else's cost.

use super::*;

/// A CPU with `siblings` vCPUs of one domain and `others` of domains of their own, all of which burn for ten seconds.
fn crowd(
    scheduler: FairScheduler,
    siblings: usize,
    others: usize,
    habit: Habit,
) -> Machine<FairScheduler> {
    let mut machine = Machine::new(scheduler, 1);
    machine.keeps_stretches = true;
    let first = machine.add(None, CpuSet::ALL, HOG);
    let domain = machine.guests[first].domain;
    for _ in 1..siblings {
        machine.add_to(domain, CpuSet::ALL, HOG);
    }
    for _ in 0..others {
        machine.add(None, CpuSet::ALL, habit);
    }
    for guest in 0..siblings + others {
        machine.wake(guest);
    }
    machine.run(10 * SECOND);
    machine
}

/// The longest that a vCPU stood still between two stretches of running.
fn longest_gap(guest: &simulation::Guest) -> u64 {
    let pairs = guest.stretches.windows(2);
    pairs.map(|pair| pair[1].0 - pair[0].1).max().unwrap()
}

#[test]
fn vcpus_of_a_domain_wait_for_each_other_for_a_few_milliseconds() {
    for scheduler in [FairScheduler::credit2(), FairScheduler::credit()] {
        let machine = crowd(scheduler, 4, 0, HOG);
        for guest in &machine.guests {
            // Three others' leads of 2 ms, each of which begins up to as much behind.
            assert!(longest_gap(guest) <= 12_500_000, "{}", longest_gap(guest));
        }
        assert_shares(&machine.shares(10 * SECOND), &[250; 4], 3);
    }
}

#[test]
fn turns_within_a_domain_take_nothing_from_others() {
    let machine = crowd(FairScheduler::credit(), 4, 1, HOG);
    assert_shares(&machine.shares(10 * SECOND), &[200; 5], 4);
    // The other one's turns are as long as ever.
    let stretches = &machine.guests[4].stretches;
    let short = stretches.iter().filter(|(from, to)| to - from < 29_000_000);
    assert!(short.count() <= 2, "{stretches:?}");
}

#[test]
fn where_siblings_share_a_cpu_it_looks_often_and_elsewhere_it_does_not() {
    let machine = crowd(FairScheduler::credit2(), 2, 0, HOG);
    assert!(machine.processors[0].schedules >= 40_000);
    let machine = crowd(FairScheduler::credit2(), 1, 1, HOG);
    assert!(machine.processors[0].schedules <= 6_000);
}

/// Once, any domain of several vCPUs was looked at 4000 times a second beside another, wherever the rest of it was.
#[test]
fn a_sibling_that_is_down_or_elsewhere_is_not_looked_for() {
    for scheduler in [FairScheduler::credit2(), FairScheduler::credit()] {
        let mut machine = Machine::new(scheduler, 2);
        let here = CpuSet::only(CpuId(0));
        let first = machine.add(None, here, HOG);
        let domain = machine.guests[first].domain;
        let other = machine.add(None, here, HOG);
        let second = machine.add_to(domain, CpuSet::only(CpuId(1)), HOG);
        for guest in [first, other] {
            machine.wake(guest);
        }
        machine.run(10 * SECOND);
        let down = machine.processors[0].schedules;
        assert!(down <= 6_000, "{down}");
        machine.wake(second);
        machine.run(10 * SECOND);
        let elsewhere = machine.processors[0].schedules - down;
        assert!(elsewhere <= 6_000, "{elsewhere}");
    }
}

/// Whoever waits already has the CPU's timer set for the end of a turn. A sibling that joins it is looked for sooner.
#[test]
fn a_sibling_that_comes_is_looked_for_from_then_on() {
    for scheduler in [FairScheduler::credit2(), FairScheduler::credit()] {
        let mut machine = Machine::new(scheduler, 1);
        let first = machine.add(None, CpuSet::ALL, HOG);
        let domain = machine.guests[first].domain;
        let other = machine.add(None, CpuSet::ALL, HOG);
        let second = machine.add_to(domain, CpuSet::ALL, Habit::new(3_000_000, 1_300_000));
        let second = machine.guests[second].key;
        for guest in [first, other] {
            machine.wake(guest);
        }
        machine.wake(2);
        let mut looked = 0;
        for _ in 0..10_000 {
            machine.run(100_000);
            let waits =
                machine.guests[2].runnable && machine.scheduler.running_on(second).is_none();
            let processor = &machine.processors[0];
            let is_told = processor.poked_at.is_some();
            if !waits || is_told || processor.current != Some(machine.guests[0].key) {
                continue;
            }
            let until = machine.processors[0].until.unwrap();
            assert!(until <= machine.now + 252_000, "{}", until - machine.now);
            looked += 1;
        }
        assert!(looked > 100, "{looked}");
    }
}

#[test]
fn who_sleeps_beside_a_large_domain_wakes_in_time() {
    for scheduler in [FairScheduler::credit2(), FairScheduler::credit()] {
        let machine = crowd(scheduler, 8, 1, Habit::random(100_000, 5_000_000));
        let (most, _) = machine.guests[8].longest_waits();
        assert!(most <= 1_010_000, "{most}");
    }
}

#[test]
fn who_yields_lets_all_its_siblings_go_first_at_nobody_elses_cost() {
    for scheduler in [FairScheduler::credit2(), FairScheduler::credit()] {
        let mut machine = Machine::new(scheduler, 1);
        let yielder = machine.add(None, CpuSet::ALL, Habit::yielding(100_000));
        let domain = machine.guests[yielder].domain;
        for _ in 0..3 {
            machine.add_to(domain, CpuSet::ALL, HOG);
        }
        let other = machine.add(None, CpuSet::ALL, HOG);
        for guest in 0..=other {
            machine.wake(guest);
        }
        machine.run(10 * SECOND);
        let shares = machine.shares(10 * SECOND);
        // A tenth of a millisecond between turns of two milliseconds of three others.
        assert!(shares[yielder] <= 25, "{shares:?}");
        assert!(shares[other].abs_diff(200) <= 5, "{shares:?}");
    }
}

#[test]
fn waking_each_other_gains_a_domain_nothing() {
    for scheduler in [FairScheduler::credit2(), FairScheduler::credit()] {
        let mut machine = Machine::new(scheduler, 1);
        let first = machine.add(None, CpuSet::ALL, Habit::new(400_000, 20_000));
        let domain = machine.guests[first].domain;
        for _ in 0..3 {
            machine.add_to(domain, CpuSet::ALL, Habit::random(800_000, 20_000));
        }
        let other = machine.add(None, CpuSet::ALL, HOG);
        for guest in 0..=other {
            machine.wake(guest);
        }
        machine.run(20 * SECOND);
        let share = machine.guests[other].ran * 1000 / (20 * SECOND);
        assert!(share >= 198, "{share}");
    }
}
