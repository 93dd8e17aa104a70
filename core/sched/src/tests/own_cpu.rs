//! The policy `null`: a CPU for each vCPU alone.

use super::*;

fn null(cpus: u32) -> Machine<NullScheduler> {
    Machine::new(NullScheduler::new(), cpus)
}

#[test]
fn each_has_its_cpu_and_no_timer_ever() {
    let mut machine = null(4);
    for habit in [HOG, HOG, Habit::random(50_000, 200_000), HOG] {
        let guest = machine.add(None, CpuSet::ALL, habit);
        machine.wake(guest);
    }
    machine.run(10 * SECOND);
    let shares = machine.shares(10 * SECOND);
    assert_eq!((shares[0], shares[1], shares[3]), (1000, 1000, 1000));
    // Whoever wakes runs as soon as its CPU knows.
    assert!(machine.guests[2].longest_waits().1 <= 2_000);
    assert_eq!(machine.processors[0].switches, 1);
}

#[test]
fn who_finds_no_cpu_waits_until_one_is_free() {
    let mut machine = null(2);
    for _ in 0..4 {
        let guest = machine.add(None, CpuSet::ALL, HOG);
        machine.wake(guest);
    }
    machine.run(SECOND);
    assert_eq!(machine.shares(SECOND), [1000, 1000, 0, 0]);
    // A sleeper keeps its CPU; one that is taken down does not.
    machine.sleep(0);
    machine.run(SECOND);
    assert_eq!(machine.guests[2].ran, 0);
    machine.retire(0);
    machine.run(SECOND);
    assert_shares(&machine.shares(SECOND), &[1000, 3000, 1000, 0], 1);
    machine.wake(0);
    machine.retire(1);
    machine.run(SECOND);
    // First come, first served.
    assert_shares(&machine.shares(SECOND), &[1000, 3000, 2000, 1000], 1);
}

#[test]
fn affinity_decides_whose_a_cpu_is() {
    let mut machine = null(2);
    let second = CpuSet::only(CpuId(1));
    for hard in [second, second, CpuSet::ALL] {
        let guest = machine.add(None, hard, HOG);
        machine.wake(guest);
    }
    machine.run(SECOND);
    assert_shares(&machine.shares(SECOND), &[1000, 0, 1000], 1);
    let (key, now) = (machine.guests[0].key, machine.time());
    machine.guests[0].hard = CpuSet::only(CpuId(0));
    let pokes = machine
        .scheduler
        .set_affinity(key, CpuSet::only(CpuId(0)), CpuSet::ALL, now);
    machine.poke_all(pokes.unwrap());
    machine.run(SECOND);
    assert_shares(&machine.shares(SECOND), &[1000, 1000, 2000], 1);
}

#[test]
fn there_are_no_parameters() {
    let mut scheduler = NullScheduler::new();
    let (domain, now) = (DomainKey(0), Nanos(0));
    scheduler.domain_join(domain, now).unwrap();
    let share = weight(1).unwrap();
    assert_eq!(
        errno(scheduler.domain_parameters(domain)),
        Errno::EOPNOTSUPP
    );
    let set = scheduler.set_domain_parameters(domain, &share, now);
    assert_eq!(errno(set), Errno::EOPNOTSUPP);
    assert_eq!(
        errno(scheduler.vcpu_parameters(VcpuKey(0))),
        Errno::EOPNOTSUPP
    );
    let set = scheduler.set_vcpu_parameters(VcpuKey(0), &share, now);
    assert_eq!(errno(set), Errno::EOPNOTSUPP);
    assert_eq!(errno(scheduler.tuning()), Errno::EOPNOTSUPP);
}
