//! What was counted on one clock does not outlive it: a vCPU that slept for days, or whose CPU left and came back, runs at
//! once.

use super::*;

const HOUR: u64 = 3600 * SECOND;

fn both() -> [FairScheduler; 2] {
    [FairScheduler::credit2(), FairScheduler::credit()]
}

/// What a vCPU of `weight` gets of the second after it slept for so many hours beside one that burns with weight 1, in
/// thousandths. A third, if it is there, has the CPU look every minute.
fn after_sleep(scheduler: FairScheduler, hours: u64, of_guest: u16, looks: bool) -> u64 {
    let mut machine = Machine::new(scheduler, 1);
    let burner = machine.add(weight(1), CpuSet::ALL, HOG);
    let guest = machine.add(weight(of_guest), CpuSet::ALL, HOG);
    machine.wake(burner);
    if looks {
        let short = machine.add(None, CpuSet::ALL, Habit::new(1_000, 60 * SECOND));
        machine.wake(short);
    }
    // It has run before, and got ahead.
    machine.wake(guest);
    machine.run(SECOND / 10);
    machine.sleep(guest);
    machine.run(hours * HOUR);
    machine.wake(guest);
    machine.guests[guest].ran = 0;
    machine.run(SECOND);
    machine.guests[guest].ran * 1000 / SECOND
}

/// Found by arithmetic: at weight 1 half of a clock's range is 39 hours, and who slept longer waited for as long.
#[test]
fn who_slept_for_days_runs_at_once() {
    for scheduler in 0..2 {
        for hours in [30, 38, 39, 40, 50, 60, 77, 79, 120] {
            for looks in [false, true] {
                let [credit2, credit] = both();
                let scheduler = if scheduler == 0 { credit2 } else { credit };
                let share = after_sleep(scheduler, hours, 256, looks);
                // All but a turn of the burner's, of 30 ms under `credit`.
                assert!(share >= 960, "{hours} hours, {looks}: {share}");
            }
        }
    }
}

#[test]
fn who_slept_for_days_gets_no_more_than_its_share() {
    for hours in [1, 38, 50, 100] {
        let share = after_sleep(FairScheduler::credit2(), hours, 1, true);
        // 5 ms at the usual weight are 20 us at this one.
        assert!(share.abs_diff(500) <= 10, "{hours} hours: {share}");
    }
}

/// What a vCPU owes is counted anew when its weight changes, asleep or not.
#[test]
fn a_weight_that_changes_while_its_vcpu_sleeps_starves_nobody() {
    for hours in [1, 50, 60, 100] {
        let mut machine = fair(1);
        let burner = machine.add(weight(1), CpuSet::ALL, HOG);
        let guest = machine.add(weight(256), CpuSet::ALL, HOG);
        for one in [burner, guest] {
            machine.wake(one);
        }
        machine.run(SECOND);
        machine.sleep(guest);
        for _ in 0..hours {
            machine.run(HOUR);
            machine.schedule(0);
        }
        let (domain, now) = (machine.guests[guest].domain, machine.time());
        let other = weight(512).unwrap();
        let set = machine.scheduler.set_domain_parameters(domain, &other, now);
        machine.poke_all(set.unwrap());
        machine.guests[guest].ran = 0;
        machine.wake(guest);
        machine.run(SECOND);
        let share = machine.guests[guest].ran * 1000 / SECOND;
        assert!(share >= 980, "{hours} hours: {share}");
    }
}

/// A CPU that comes back has another clock, and who slept there meanwhile was counted by the old one.
#[test]
fn who_slept_while_its_cpu_was_away_runs_at_once() {
    for scheduler in both() {
        let mut machine = Machine::new(scheduler, 2);
        let first = CpuSet::only(CpuId(1));
        let sleeper = machine.add(weight(64), first, HOG);
        let burner = machine.add(None, first, HOG);
        for guest in [sleeper, burner] {
            machine.wake(guest);
        }
        machine.run(HOUR);
        machine.sleep(sleeper);
        machine.run(SECOND);
        assert!(machine.offline(1));
        machine.run(SECOND);
        machine.online(1);
        machine.run(SECOND);
        machine.wake(sleeper);
        machine.guests[sleeper].ran = 0;
        machine.run(10 * SECOND);
        let share = machine.guests[sleeper].ran * 1000 / (10 * SECOND);
        assert!(share.abs_diff(200) <= 10, "{share}");
    }
}

/// What it owed is forgotten, too, where its CPU stays away and it comes to another.
#[test]
fn who_slept_for_hours_and_lost_its_cpu_runs_at_once_elsewhere() {
    let mut scheduler = FairScheduler::credit();
    let tuning = Tuning {
        slice: Nanos(SECOND),
        ..Tuning::DEFAULT
    };
    scheduler.tune(&tuning).unwrap();
    let mut machine = Machine::new(scheduler, 2);
    let sleeper = machine.add(weight(1), CpuSet::only(CpuId(1)), HOG);
    let beside = machine.add(weight(1), CpuSet::only(CpuId(1)), HOG);
    let burner = machine.add(weight(256), CpuSet::only(CpuId(0)), HOG);
    for guest in [sleeper, beside, burner] {
        machine.wake(guest);
    }
    // It stops at the end of a turn of its own, a second ahead.
    while machine.guests[sleeper].ran < SECOND {
        machine.run(SECOND / 10);
    }
    machine.sleep(sleeper);
    machine.sleep(beside);
    machine.run(SECOND);
    assert!(machine.offline(1));
    machine.run(HOUR);
    machine.guests[sleeper].ran = 0;
    machine.wake(sleeper);
    machine.run(3 * SECOND);
    let ran = machine.guests[sleeper].ran;
    assert!(ran >= SECOND, "{ran}");
}
