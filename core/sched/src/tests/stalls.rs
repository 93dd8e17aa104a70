//! A machine that stands still for a while, as one that is itself somebody's guest does, or whose timers are always late:
//! nobody waits for ever for that, and shares stay what they were.

use super::*;

/// How long who owes waits at most, and until a CPU has looked for it and its turn came.
const LONGEST: u64 = 11 * SECOND / 2;
const STALL: u64 = 3 * SECOND / 10;

/// The longest that guest `index` stands beside others in the next `nanos`.
fn longest_stand<S: Scheduler>(machine: &mut Machine<S>, index: usize, nanos: u64) -> u64 {
    const STEP: u64 = SECOND / 1000;
    let (mut longest, mut stands) = (0, 0);
    for _ in 0..nanos / STEP {
        let before = machine.guests[index].ran;
        machine.run(STEP);
        let ran = machine.guests[index].ran > before;
        stands = if ran { 0 } else { stands + STEP };
        longest = longest.max(stands);
    }
    longest
}

/// Two vCPUs of 64 times the weight of twenty others, for each CPU; the heavy ones have a habit.
fn crowd(scheduler: FairScheduler, cpus: u32, heavy: Habit) -> Fair {
    let mut machine = Machine::new(scheduler, cpus);
    for cpu in 0..cpus {
        let here = CpuSet::only(CpuId(cpu));
        for number in 0..22 {
            let (of_guest, habit) = if number < 2 {
                (16384, heavy)
            } else {
                (256, HOG)
            };
            let guest = machine.add(weight(of_guest), here, habit);
            machine.wake(guest);
        }
    }
    machine.run(SECOND);
    machine
}

/// A guest's kernel takes itself for stuck after 20 s. Beside a dom0 of 64 times its weight, and two vCPUs, guests of forty were
/// seen to say so: those that had run when the emulator stood still for a fifth of a second.
#[test]
fn who_ran_while_the_machine_stood_still_waits_for_five_seconds() {
    for scheduler in [FairScheduler::credit2, FairScheduler::credit] {
        let mut machine = crowd(scheduler(), 1, HOG);
        machine.stand_still_while_it_runs(5, STALL);
        let longest = longest_stand(&mut machine, 5, 60 * SECOND);
        // It does wait: what it ran is not forgiven at once.
        assert!((4 * SECOND..=LONGEST).contains(&longest), "{longest}");
    }
}

/// Others' wake-ups have its time counted piece by piece meanwhile.
#[test]
fn so_it_is_where_other_cpus_look_at_the_one_that_stands_still() {
    let mut machine = crowd(
        FairScheduler::credit2(),
        2,
        Habit::new(5_000_000, 1_000_000),
    );
    machine.stand_still_while_it_runs(5, STALL);
    assert!(longest_stand(&mut machine, 5, 60 * SECOND) <= LONGEST);
}

/// While few wait, a debt is soon paid; then many come.
#[test]
fn so_it_is_where_heavier_ones_come_afterwards() {
    let sleeps = Habit::new(3_000 * SECOND, SECOND);
    let mut machine = Machine::new(FairScheduler::credit2(), 1);
    for _ in 0..20 {
        let guest = machine.add(weight(256), CpuSet::ALL, HOG);
        machine.wake(guest);
    }
    machine.stand_still_while_it_runs(5, STALL);
    machine.run(2 * STALL);
    for _ in 0..2 {
        let guest = machine.add(weight(16384), CpuSet::ALL, sleeps);
        machine.wake(guest);
    }
    assert!(longest_stand(&mut machine, 5, 60 * SECOND) <= LONGEST);
}

#[test]
fn timers_that_are_always_late_do_not_level_the_shares_of_a_crowd() {
    let mut machine = crowd(FairScheduler::credit2(), 1, HOG);
    machine.lateness = 50_000_000;
    for guest in &mut machine.guests {
        guest.ran = 0;
    }
    machine.run(200 * SECOND);
    let heavy: u64 = machine.shares(200 * SECOND)[..2].iter().sum();
    // By weight they have 865.
    assert!(heavy >= 780, "{heavy}");
}

/// Who has so little that it waits for longer than that anyway gets no more.
#[test]
fn who_is_promised_next_to_nothing_gets_that() {
    let (machine, _) = hogs(1, &[1, 65535, 65535], 600);
    assert!(machine.guests[0].ran <= 600 * SECOND / 131_071 + 10_000_000);
}
