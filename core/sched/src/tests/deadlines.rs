//! Reservations of time are kept, and nobody takes more than was agreed.

use proptest::prelude::*;

use super::*;

type Timed = Machine<DeadlineScheduler>;

const MICRO: u64 = 1_000;
const MILLI: u64 = 1_000_000;
/// What a period may be short of: two interrupts to another CPU, of 2 us each, and the least that a timer is set for. That
/// is what the policy states (`docs/scheduling.md`), whatever the budget.
const LATENESS: u64 = 24 * MICRO;

fn timed(cpus: u32) -> Timed {
    let mut machine = Machine::new(DeadlineScheduler::new(), cpus);
    machine.keeps_stretches = true;
    machine
}

fn server(period: u64, budget: u64, extra: bool) -> Option<Parameters> {
    Some(Parameters::Server(Server {
        period: Nanos(period),
        budget: Nanos(budget),
        extra,
    }))
}

/// How many periods of a guest that woke at `from` and never sleeps went by without its budget.
fn missed(machine: &Timed, guest: usize, from: u64, period: u64, budget: u64) -> usize {
    let periods = (machine.now - from) / period;
    let guest = &machine.guests[guest];
    (0..periods)
        .filter(|index| {
            let begin = from + index * period;
            guest.ran_between(begin, begin + period) + LATENESS < budget
        })
        .count()
}

#[test]
fn two_in_ten_milliseconds_are_kept_while_others_burn() {
    for others_extra in [None, Some(true), Some(false)] {
        let mut machine = timed(1);
        for _ in 0..3 {
            // As they come by default, which is more than there is; or with what is left, reserved.
            let parameters =
                others_extra.and_then(|extra| server(9 * MILLI, 2 * MILLI + 300 * MICRO, extra));
            let other = machine.add(parameters, CpuSet::ALL, HOG);
            machine.wake(other);
        }
        machine.run(SECOND / 7);
        let guest = machine.add(server(10 * MILLI, 2 * MILLI, false), CpuSet::ALL, HOG);
        let from = machine.now;
        machine.wake(guest);
        machine.run(60 * SECOND);
        assert_eq!(missed(&machine, guest, from, 10 * MILLI, 2 * MILLI), 0);
        // Without a share in what is left over, it gets its budget and no more.
        let share = machine.guests[guest].ran * 1000 / (60 * SECOND);
        assert!((199..=200).contains(&share), "{share}");
    }
}

/// Found on the machine: a toolstack sets the default of every domain that it makes, and without extra time. Three of
/// those and one that was given something are more than there is.
#[test]
fn the_default_that_a_toolstack_sets_binds_nobody() {
    let default = Server::default();
    let mut machine = timed(1);
    for _ in 0..3 {
        let parameters = server(default.period.0, default.budget.0, false);
        let other = machine.add(parameters, CpuSet::ALL, HOG);
        machine.wake(other);
    }
    let guest = machine.add(server(10 * MILLI, 2 * MILLI, false), CpuSet::ALL, HOG);
    let from = machine.now;
    machine.wake(guest);
    machine.run(10 * SECOND);
    assert_eq!(missed(&machine, guest, from, 10 * MILLI, 2 * MILLI), 0);
    // Set of a vCPU, the same numbers are a reservation like any other.
    let (key, now) = (machine.guests[0].key, machine.time());
    let wanted = server(default.period.0, default.budget.0, false).unwrap();
    let pokes = machine.scheduler.set_vcpu_parameters(key, &wanted, now);
    machine.poke_all(pokes.unwrap());
    let from = machine.now;
    machine.run(10 * SECOND);
    assert_eq!(missed(&machine, 0, from, 10 * MILLI, 4 * MILLI), 0);
    assert_eq!(missed(&machine, guest, from, 10 * MILLI, 2 * MILLI), 0);
}

/// Once, it was taken for what the toolstack sets by itself, and its guest was served after all others.
#[test]
fn the_default_that_somebody_sets_of_a_domain_that_ran_is_kept() {
    let default = Server::default();
    let wanted = server(default.period.0, default.budget.0, false);
    let mut machine = timed(1);
    for _ in 0..3 {
        let other = machine.add(wanted, CpuSet::ALL, HOG);
        machine.wake(other);
    }
    let first = machine.add(server(10 * MILLI, 2 * MILLI, false), CpuSet::ALL, HOG);
    machine.wake(first);
    machine.run(SECOND);
    let (domain, now) = (machine.guests[0].domain, machine.time());
    let set = machine
        .scheduler
        .set_domain_parameters(domain, &wanted.unwrap(), now);
    machine.poke_all(set.unwrap());
    let from = machine.now;
    machine.run(10 * SECOND);
    assert_eq!(missed(&machine, 0, from, 10 * MILLI, 4 * MILLI), 0);
    assert_eq!(missed(&machine, first, from, 10 * MILLI, 2 * MILLI), 0);
}

#[test]
fn who_blocks_often_and_has_a_reservation_runs_soon() {
    let mut machine = timed(2);
    for _ in 0..6 {
        let other = machine.add(None, CpuSet::ALL, HOG);
        machine.wake(other);
    }
    let habit = Habit::random(200 * MICRO, 2 * MILLI);
    let guest = machine.add(server(10 * MILLI, 2 * MILLI, true), CpuSet::ALL, habit);
    machine.wake(guest);
    machine.run(20 * SECOND);
    let (usual, _) = machine.guests[guest].longest_waits();
    assert!(usual <= MILLI, "{usual}");
}

#[test]
fn sleeping_and_waking_take_nothing_from_others() {
    for hostile in [
        Habit::new(3 * MILLI, 100 * MICRO),
        Habit::new(3_990 * MICRO, 5_900 * MICRO),
        Habit::new(50 * MICRO, MICRO),
        Habit::new(2 * MILLI, 8 * MILLI),
        Habit::random(4 * MILLI, 6 * MILLI),
        Habit::yielding(100 * MICRO),
    ] {
        let mut machine = timed(1);
        let enemy = machine.add(server(10 * MILLI, 4 * MILLI, true), CpuSet::ALL, hostile);
        machine.wake(enemy);
        let from = machine.now;
        // Together with the hostile one: 0.4 + 0.3 + 0.28 of the CPU.
        for (period, budget) in [(10 * MILLI, 3 * MILLI), (7 * MILLI, 1_960 * MICRO)] {
            let guest = machine.add(server(period, budget, false), CpuSet::ALL, HOG);
            machine.wake(guest);
        }
        machine.run(30 * SECOND);
        assert_eq!(
            missed(&machine, 1, from, 10 * MILLI, 3 * MILLI),
            0,
            "{hostile:?}"
        );
        assert_eq!(
            missed(&machine, 2, from, 7 * MILLI, 1_960 * MICRO),
            0,
            "{hostile:?}"
        );
    }
}

/// Once, periods that begin together began 16 in 20 us in any order, so that the most urgent might be the last.
#[test]
fn of_many_periods_that_begin_together_the_most_urgent_does_first() {
    for late in [false, true] {
        let mut machine = timed(1);
        let crowd = |machine: &mut Timed| {
            for _ in 0..199 {
                machine.add(server(200 * MILLI, 10 * MICRO, false), CpuSet::ALL, HOG);
            }
        };
        if late {
            crowd(&mut machine);
        }
        let tight = server(MILLI, 940 * MICRO, false);
        let tight = machine.add(tight, CpuSet::ALL, HOG);
        if !late {
            crowd(&mut machine);
        }
        let from = machine.now;
        for guest in 0..200 {
            machine.wake(guest);
        }
        machine.run(4 * SECOND);
        assert_eq!(missed(&machine, tight, from, MILLI, 940 * MICRO), 0);
    }
}

#[test]
fn time_that_nobody_claims_goes_by_reservation() {
    let mut machine = timed(1);
    for budget in [MILLI, 2 * MILLI, 4 * MILLI] {
        let guest = machine.add(server(20 * MILLI, budget, true), CpuSet::ALL, HOG);
        machine.wake(guest);
    }
    machine.run(20 * SECOND);
    assert_shares(&machine.shares(20 * SECOND), &[143, 286, 571], 40);
}

#[test]
fn a_vcpu_alone_that_may_run_on_needs_no_timer() {
    let mut machine = timed(4);
    for _ in 0..4 {
        let guest = machine.add(None, CpuSet::ALL, HOG);
        machine.wake(guest);
    }
    machine.run(10 * SECOND);
    assert_eq!(machine.shares(10 * SECOND), [1000; 4]);
    for processor in &machine.processors {
        assert!(processor.schedules <= 6, "scheduled for nothing");
    }
}

#[test]
fn who_may_not_run_on_stops() {
    let mut machine = timed(2);
    let guest = machine.add(server(10 * MILLI, 4 * MILLI, false), CpuSet::ALL, HOG);
    machine.wake(guest);
    machine.run(3600 * SECOND);
    let part = machine.guests[guest].ran / (3600 * 4 * MILLI / 10);
    assert!((999..=1000).contains(&part), "{part}");
}

#[test]
fn single_vcpus_have_their_own_parameters() {
    let mut scheduler = DeadlineScheduler::new();
    let now = Nanos(0);
    let (domain, first, second) = (DomainKey(0), VcpuKey(0), VcpuKey(1));
    scheduler.domain_join(domain, now).unwrap();
    for key in [first, second] {
        scheduler
            .insert(key, &VcpuParameters::default(), now)
            .unwrap();
    }
    let default = server(10 * MILLI, 4 * MILLI, true).unwrap();
    assert_eq!(scheduler.vcpu_parameters(first), Ok(default));
    let other = server(MILLI, 500 * MICRO, false).unwrap();
    scheduler.set_vcpu_parameters(second, &other, now).unwrap();
    assert_eq!(scheduler.vcpu_parameters(first), Ok(default));
    assert_eq!(scheduler.vcpu_parameters(second), Ok(other));
    assert_eq!(errno(scheduler.vcpu_parameters(VcpuKey(2))), Errno::ENOENT);
    for (period, budget) in [
        (0, 0),
        (9_999, 9_999),
        (20_000, 9_999),
        (MILLI, MILLI + 1),
        (10_000_000_001, MILLI),
    ] {
        let wrong = server(period, budget, true).unwrap();
        assert_eq!(
            errno(scheduler.set_vcpu_parameters(first, &wrong, now)),
            Errno::EINVAL
        );
        assert_eq!(
            errno(scheduler.set_domain_parameters(domain, &wrong, now)),
            Errno::EINVAL
        );
    }
    let share = weight(256).unwrap();
    assert_eq!(
        errno(scheduler.set_vcpu_parameters(first, &share, now)),
        Errno::EINVAL
    );
    for (period, budget) in [(10_000, 10_000), (10_000_000_000, 10_000)] {
        let right = server(period, budget, true).unwrap();
        scheduler.set_vcpu_parameters(first, &right, now).unwrap();
    }
    assert_eq!(errno(scheduler.tuning()), Errno::EOPNOTSUPP);
    assert_eq!(errno(scheduler.tune(&Tuning::DEFAULT)), Errno::EOPNOTSUPP);
}

proptest! {
    #![proptest_config(cases(300))]

    /// Any reservations that the bound allows, on any number of CPUs, with others beside them.
    #[test]
    fn no_deadline_is_missed_within_the_bound(
        cpus in 1..5u32,
        wanted in prop::collection::vec((1_000..50_000u64, 1..1000u64, any::<bool>()), 1..10),
        others in 0..4usize,
    ) {
        // Scaled so that U = 0.97 (m - (m - 1) u); the parts beyond 1000 thousandths of one are cut off.
        let sum: u64 = wanted.iter().map(|(_, part, _)| part).sum();
        let largest = wanted.iter().map(|(_, part, _)| part).max().unwrap();
        let room = 970 * u64::from(cpus);
        let scaled = |part: u64| (part * room / (sum + (u64::from(cpus) - 1) * largest)).min(970);
        let mut machine = timed(cpus);
        for _ in 0..others {
            let other = machine.add(None, CpuSet::ALL, HOG);
            machine.wake(other);
        }
        let mut sets = Vec::new();
        for (micros, part, extra) in &wanted {
            let period = micros * MICRO;
            let budget = period * scaled(*part) / 1000;
            if budget < 100 * MICRO {
                continue;
            }
            let guest = machine.add(server(period, budget, *extra), CpuSet::ALL, HOG);
            machine.run(part * MICRO);
            sets.push((guest, machine.now, period, budget));
            machine.wake(guest);
        }
        machine.run(2 * SECOND);
        for (guest, from, period, budget) in sets {
            prop_assert_eq!(missed(&machine, guest, from, period, budget), 0, "{} in {}", budget, period);
        }
    }
}
