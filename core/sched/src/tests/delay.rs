//! The migration delay of `credit`: for how long a vCPU is left where it stopped.

use super::*;

const MILLI: u64 = 1_000_000;

fn delayed(cpus: u32, delay: u64, slice: u64) -> Fair {
    let mut scheduler = FairScheduler::credit();
    let tuning = Tuning {
        migration_delay: Nanos(delay),
        slice: Nanos(slice),
        ..Tuning::DEFAULT
    };
    scheduler.tune(&tuning).unwrap();
    Machine::new(scheduler, cpus)
}

/// Once, only an idle CPU that looked for work kept to it.
#[test]
fn nobody_moves_before_the_delay_is_over() {
    for (delay, slice) in [(50, 5), (50, 30), (100, 30), (20, 100)] {
        let mut all = 0;
        for hogs in 0..5 {
            let mut machine = delayed(2, delay * MILLI, slice * MILLI);
            for _ in 0..hogs {
                machine.add(None, CpuSet::ALL, HOG);
            }
            for habit in [
                Habit::random(3 * MILLI, 5 * MILLI),
                Habit::random(20 * MILLI, 90 * MILLI),
                Habit::new(500_000, 700_000),
                Habit::random(90 * MILLI, 30 * MILLI),
            ] {
                machine.add(None, CpuSet::ALL, habit);
            }
            for guest in 0..machine.guests.len() {
                machine.wake(guest);
            }
            // No CPU is idle beside who waits and may be moved: the machine looks at every step.
            machine.run(20 * SECOND);
            let moves = machine.guests.iter().flat_map(|guest| &guest.moves);
            let soonest = moves.clone().min();
            assert!(
                soonest.is_none_or(|soonest| *soonest >= delay * MILLI),
                "{delay} {slice} {hogs}: {soonest:?}"
            );
            all += moves.count();
        }
        assert!(all >= 10, "{delay} {slice}: {all}");
    }
}

/// Two that take turns of less than the delay are never left standing for as long, and yet the idle CPU gets one.
#[test]
fn an_idle_cpu_gets_who_takes_turns_when_the_delay_is_over() {
    for (delay, slice) in [(100, 30), (50, 1), (100, 1), (20, 30)] {
        let mut machine = delayed(2, delay * MILLI, slice * MILLI);
        let third = machine.add(None, CpuSet::only(CpuId(1)), HOG);
        let first = CpuSet::only(CpuId(0));
        for _ in 0..2 {
            machine.add(None, first, HOG);
        }
        for guest in 0..3 {
            machine.wake(guest);
        }
        machine.run(SECOND);
        for guest in 1..3 {
            machine.pin(guest, CpuSet::ALL);
        }
        machine.sleep(third);
        for guest in &mut machine.guests {
            guest.ran = 0;
        }
        machine.run(SECOND);
        let ran: u64 = machine.guests.iter().map(|guest| guest.ran).sum();
        // One CPU was idle for no longer than the delay, and what a turn may have left of it.
        let least = 2 * SECOND - (delay + slice + 1) * MILLI;
        assert!(ran >= least, "{delay} {slice}: {ran}");
        // A CPU that is told to look at once has the turn that was on end there.
        let moves: usize = machine.guests.iter().map(|guest| guest.moves.len()).sum();
        assert_eq!(moves, 1);
    }
}
