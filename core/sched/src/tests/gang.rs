//! Scheduling by cores: never two units on one core, and what the policies promise holds at that granularity.

use proptest::prelude::*;

use super::chaos::{play_on, steps};
use super::*;

/// Cores of so many threads, siblings side by side or as far apart as they can be.
fn cores(cpus: u32, threads: u32, apart: bool) -> Groups {
    let core = |cpu: u32| {
        if apart {
            cpu % (cpus / threads)
        } else {
            cpu / threads
        }
    };
    let cpus: Vec<_> = (0..cpus).map(|cpu| (CpuId(cpu), core(cpu))).collect();
    Groups::new(&cpus).unwrap()
}

fn machine<S: Scheduler>(policy: S, cpus: u32, threads: u32) -> Machine<GangScheduler<S>> {
    machine_of(policy, cpus, cores(cpus, threads, false))
}

fn machine_of<S: Scheduler>(policy: S, cpus: u32, groups: Groups) -> Machine<GangScheduler<S>> {
    let copy = groups.copy();
    Machine::of_groups(GangScheduler::new(policy, groups), cpus, copy)
}

/// A domain of so many vCPUs, awake. Answers the first.
fn domain<S: Scheduler>(
    machine: &mut Machine<S>,
    parameters: Option<Parameters>,
    vcpus: u32,
    habit: Habit,
) -> usize {
    let first = machine.add(parameters, CpuSet::ALL, habit);
    let domain = machine.guests[first].domain;
    for _ in 1..vcpus {
        machine.add_to(domain, CpuSet::ALL, habit);
    }
    for guest in first..first + vcpus as usize {
        machine.wake(guest);
    }
    first
}

#[test]
fn groups_are_of_one_size() {
    let near = cores(6, 2, false);
    let apart = cores(6, 2, true);
    assert_eq!((near.size(), apart.size()), (2, 2));
    assert_eq!((near.leader(CpuId(5)), near.seat(CpuId(5))), (CpuId(4), 1));
    assert_eq!(
        (apart.leader(CpuId(5)), apart.seat(CpuId(5))),
        (CpuId(2), 1)
    );
    let set = |cpus: &[u32]| cpus.iter().copied().map(CpuId).collect::<CpuSet>();
    assert_eq!(apart.members(CpuId(4)), set(&[1, 4]));
    assert_eq!(apart.leaders(&set(&[3, 4])), set(&[0, 1]));
    assert_eq!(apart.in_seat(&set(&[0, 3, 4]), 1), set(&[3, 4]));
    assert_eq!(near.leaders(&CpuSet::ALL), CpuSet::ALL);
    // A CPU that is nowhere stands for itself.
    assert_eq!(near.members(CpuId(9)), set(&[9]));
    assert!(Groups::new(&[(CpuId(0), 0), (CpuId(1), 0), (CpuId(2), 1)]).is_none());
    assert!(Groups::new::<u32>(&[]).is_none());
}

#[test]
fn a_core_changes_hands_when_its_threads_met() {
    let mut gang = GangScheduler::new(FairScheduler::credit2(), cores(2, 2, false));
    let (first, second) = (CpuId(0), CpuId(1));
    let mut now = Nanos(0);
    for cpu in [first, second] {
        gang.cpu_online(cpu, now).unwrap();
    }
    for (key, (domain, number)) in [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().enumerate() {
        let _ = gang.domain_join(DomainKey(domain), now);
        let parameters = VcpuParameters {
            domain: DomainKey(domain),
            number,
            ..VcpuParameters::default()
        };
        gang.insert(VcpuKey(key as u32), &parameters, now).unwrap();
    }
    assert_eq!(gang.wake(VcpuKey(0), now), Some(first));
    assert_eq!(gang.wake(VcpuKey(1), now), None);
    let decision = gang.schedule(first, now);
    assert_eq!(decision.run, Some(VcpuKey(0)));
    assert!(decision.pokes.contains(second));
    assert_eq!(gang.schedule(second, now).run, Some(VcpuKey(1)));
    for key in [2, 3] {
        gang.wake(VcpuKey(key), now);
    }
    now = Nanos(20_000_000);
    // The first stops, and waits for the second.
    let decision = gang.schedule(first, now);
    assert_eq!((decision.run, decision.pokes), (None, CpuSet::only(second)));
    gang.context_saved(VcpuKey(0), now);
    let decision = gang.schedule(first, now);
    assert_eq!((decision.run, decision.pokes), (None, CpuSet::only(second)));
    let decision = gang.schedule(second, now);
    assert_eq!(
        (decision.run, decision.pokes),
        (Some(VcpuKey(3)), CpuSet::only(first))
    );
    assert_eq!(gang.running_on(VcpuKey(1)), Some(second));
    gang.context_saved(VcpuKey(1), now);
    assert_eq!(gang.schedule(first, now).run, Some(VcpuKey(2)));
}

#[test]
fn weights_hold_between_units() {
    for policy in [FairScheduler::credit2(), FairScheduler::credit()] {
        let mut machine = machine(policy, 2, 2);
        let of = [256, 512, 1024].map(|of| domain(&mut machine, weight(of), 2, HOG));
        machine.run(21 * SECOND);
        for seat in 0..2 {
            let shares = of.map(|guest| machine.guests[guest + seat].ran * 1000 / (21 * SECOND));
            assert_shares(&shares, &[143, 286, 571], 20);
        }
    }
}

#[test]
fn a_unit_of_one_has_a_core_for_itself() {
    let mut machine = machine(FairScheduler::credit2(), 4, 2);
    let single = domain(&mut machine, None, 1, HOG);
    let pair = domain(&mut machine, None, 2, HOG);
    machine.run(SECOND);
    let before = machine.guests[pair].ran;
    machine.run(10 * SECOND);
    assert_eq!(machine.guests[pair].ran - before, 10 * SECOND);
    assert!(machine.guests[single].ran >= 10 * SECOND);
    let idle = machine.processors.iter().filter(|p| p.current.is_none());
    assert_eq!(idle.count(), 1);
}

#[test]
fn three_units_take_turns_on_two_cores() {
    let mut machine = machine_of(FairScheduler::credit2(), 4, cores(4, 2, true));
    let of: Vec<usize> = (0..3).map(|_| domain(&mut machine, None, 2, HOG)).collect();
    machine.run(30 * SECOND);
    let shares: Vec<u64> = of
        .iter()
        .map(|guest| machine.guests[*guest].ran * 1000 / (30 * SECOND))
        .collect();
    assert_shares(&shares, &[667, 667, 667], 35);
}

#[test]
fn a_cap_holds_of_core_time() {
    let mut machine = machine(FairScheduler::credit2(), 2, 2);
    let share = Parameters::Share(Share {
        weight: 256,
        cap: 50,
    });
    let capped = domain(&mut machine, Some(share), 2, HOG);
    let other = domain(&mut machine, None, 2, HOG);
    machine.run(20 * SECOND);
    let percent = |guest: usize| machine.guests[guest].ran * 1000 / (20 * SECOND);
    assert_shares(
        &[percent(capped), percent(capped + 1), percent(other)],
        &[500, 500, 500],
        15,
    );
}

#[test]
fn no_deadline_is_missed_beside_units_that_burn() {
    let mut machine = machine(DeadlineScheduler::new(), 4, 2);
    let server = Parameters::Server(Server {
        period: Nanos(10_000_000),
        budget: Nanos(4_000_000),
        extra: false,
    });
    let urgent = domain(&mut machine, Some(server), 2, HOG);
    for _ in 0..4 {
        domain(&mut machine, None, 2, HOG);
    }
    machine.keeps_stretches = true;
    machine.run(5 * SECOND);
    let guest = &machine.guests[urgent];
    // Whenever its periods begin, two of them hold a whole one; the threads' meeting costs what two pokes take.
    for start in (20..4900).step_by(7) {
        let from = start * 1_000_000;
        let ran = guest.ran_between(from, from + 20_000_000);
        assert!(ran >= 4_000_000 - 10_000, "{ran} ns from {from} on");
    }
}

#[test]
fn under_null_a_unit_has_its_core() {
    let mut machine = machine(NullScheduler::new(), 4, 2);
    let first = domain(&mut machine, None, 2, HOG);
    let second = domain(&mut machine, None, 1, Habit::new(1_000_000, 1_000_000));
    let third = domain(&mut machine, None, 2, HOG);
    machine.run(SECOND);
    assert!(machine.guests[first].ran > SECOND * 9 / 10);
    assert!(machine.guests[second].ran > SECOND * 4 / 10);
    assert_eq!(machine.guests[third].ran, 0);
    machine.retire(second);
    machine.run(SECOND);
    assert!(machine.guests[third + 1].ran > SECOND * 9 / 10);
}

#[test]
fn a_unit_that_was_chosen_and_never_ran_goes_away() {
    let mut machine = machine(FairScheduler::credit2(), 2, 2);
    let burns = domain(&mut machine, None, 2, HOG);
    machine.run(SECOND);
    let goes = machine.add(None, CpuSet::ALL, HOG);
    machine.wake(goes);
    // Up to the moment at which it is chosen, and its first thread waits for the other.
    while machine.processors.iter().all(|p| p.current.is_some()) {
        machine.run(1_000);
    }
    let (key, now) = (machine.guests[goes].key, machine.time());
    let poke = machine.scheduler.remove(key, now).unwrap();
    machine.guests[goes].removed = true;
    machine.poke(poke);
    machine.run(SECOND / 100);
    let running = machine.processors.iter().filter(|p| p.current.is_some());
    assert_eq!(running.count(), 2);
    assert!(machine.guests[burns].ran > SECOND * 9 / 10);
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn credit2_is_always_right(sequence in prop::collection::vec(steps(), 1..80), apart in any::<bool>()) {
        play_on(machine_of(FairScheduler::credit2(), 4, cores(4, 2, apart)), sequence);
    }

    #[test]
    fn credit_is_always_right(sequence in prop::collection::vec(steps(), 1..80), apart in any::<bool>()) {
        play_on(machine_of(FairScheduler::credit(), 4, cores(4, 2, apart)), sequence);
    }

    #[test]
    fn rtds_is_always_right(sequence in prop::collection::vec(steps(), 1..80), apart in any::<bool>()) {
        play_on(machine_of(DeadlineScheduler::new(), 4, cores(4, 2, apart)), sequence);
    }

    #[test]
    fn null_is_always_right(sequence in prop::collection::vec(steps(), 1..80), apart in any::<bool>()) {
        play_on(machine_of(NullScheduler::new(), 4, cores(4, 2, apart)), sequence);
    }

    #[test]
    fn four_threads_are_always_right(sequence in prop::collection::vec(steps(), 1..80)) {
        play_on(machine(FairScheduler::credit2(), 4, 4), sequence);
    }
}
