//! What policies tell of a CPU: who waits, in the order in which they then run.

use super::*;

/// Twenty that would run all the time, on one CPU: whoever is told of first is next, when what runs goes to sleep for good.
fn first_is_next<S: Scheduler>(scheduler: S, parameters: Option<Parameters>) {
    let mut machine = Machine::new(scheduler, 1);
    for _ in 0..20 {
        let guest = machine.add(parameters, CpuSet::ALL, HOG);
        machine.wake(guest);
    }
    machine.run(SECOND / 100);
    for left in (0..20).rev() {
        machine.account();
        let view = machine.scheduler.view(CpuId(0));
        let current = view.current.unwrap().vcpu;
        assert_eq!(Some(current), machine.processors[0].current);
        assert_eq!(view.count, left);
        let next = view.waiting().next().map(|standing| standing.vcpu);
        let stops = machine.guests.iter().position(|g| g.key == current);
        machine.retire(stops.unwrap());
        machine.run(10_000);
        assert_eq!(machine.processors[0].current, next);
    }
}

#[test]
fn whoever_is_first_under_credit2_is_next() {
    first_is_next(FairScheduler::credit2(), None);
}

#[test]
fn whoever_is_first_under_credit_is_next() {
    first_is_next(FairScheduler::credit(), None);
}

#[test]
fn whoever_is_first_under_rtds_is_next() {
    // None spends its budget meanwhile.
    let server = Server {
        period: Nanos(10 * SECOND),
        budget: Nanos(SECOND / 2),
        extra: false,
    };
    first_is_next(DeadlineScheduler::new(), Some(Parameters::Server(server)));
}

#[test]
fn whoever_is_first_under_null_is_next() {
    first_is_next(NullScheduler::new(), None);
}

#[test]
fn the_first_sixteen_are_told_of_and_all_are_counted() {
    let mut view = CpuView::default();
    for number in (0..40).rev() {
        view.add(VcpuKey(number), Order::Ahead(i64::from(number)));
    }
    assert_eq!(view.count, 40);
    let told = view.waiting().map(|standing| standing.vcpu.0);
    assert_eq!(told.collect::<Vec<_>>(), (0..16).collect::<Vec<_>>());
    let halved = view.renamed(|key| (key.0 % 2 == 0).then_some(VcpuKey(key.0 + 100)));
    let told = halved.waiting().map(|standing| standing.vcpu.0);
    assert_eq!(
        told.collect::<Vec<_>>(),
        [100, 102, 104, 106, 108, 110, 112, 114]
    );
    assert_eq!(halved.count, 32, "of those that were told of");
}
