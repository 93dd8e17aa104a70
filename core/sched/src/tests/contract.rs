//! What each policy refuses, and the protocol of saving.

use super::*;

#[test]
fn an_unsaved_vcpu_is_offered_to_nobody() {
    let mut scheduler = FairScheduler::credit2();
    let (key, now) = (VcpuKey(0), Nanos(0));
    for cpu in 0..2 {
        scheduler.cpu_online(CpuId(cpu), now).unwrap();
    }
    scheduler.domain_join(DomainKey(0), now).unwrap();
    scheduler
        .insert(key, &VcpuParameters::default(), now)
        .unwrap();
    assert_eq!(scheduler.wake(key, now), Some(CpuId(0)));
    assert_eq!(scheduler.schedule(CpuId(0), now).run, Some(key));
    assert_eq!(scheduler.sleep(key, now), Some(CpuId(0)));
    assert_eq!(scheduler.schedule(CpuId(0), now).run, None);
    assert_eq!(scheduler.running_on(key), Some(CpuId(0)));
    assert_eq!(scheduler.wake(key, now), None);
    assert_eq!(scheduler.schedule(CpuId(1), now).run, None);
    assert_eq!(scheduler.remove(key, now).unwrap_err().errno, Errno::EBUSY);
    assert_eq!(scheduler.context_saved(key, now), Some(CpuId(0)));
    // It is about to run where it was, and others leave it alone.
    assert_eq!(scheduler.schedule(CpuId(1), now).run, None);
    assert_eq!(scheduler.schedule(CpuId(0), now).run, Some(key));
}

#[test]
fn nonsense_is_refused() {
    let mut scheduler = FairScheduler::credit2();
    let now = Nanos(0);
    let (all, none, ghost) = (CpuSet::ALL, CpuSet::EMPTY, VcpuKey(7));
    let (key, parameters) = (VcpuKey(0), VcpuParameters::default());
    let domain = parameters.domain;
    assert_eq!(
        errno(scheduler.cpu_online(CpuId(MAX_CPUS), now)),
        Errno::EINVAL
    );
    assert_eq!(errno(scheduler.cpu_offline(CpuId(0), now)), Errno::ENODEV);
    scheduler.cpu_online(CpuId(0), now).unwrap();
    assert_eq!(errno(scheduler.cpu_online(CpuId(0), now)), Errno::EEXIST);
    assert_eq!(
        errno(scheduler.insert(key, &parameters, now)),
        Errno::ENOENT
    );
    scheduler.domain_join(domain, now).unwrap();
    assert_eq!(errno(scheduler.domain_join(domain, now)), Errno::EEXIST);
    let nowhere = VcpuParameters {
        hard_affinity: none,
        ..parameters
    };
    assert_eq!(errno(scheduler.insert(key, &nowhere, now)), Errno::EINVAL);
    scheduler.insert(key, &parameters, now).unwrap();
    assert_eq!(
        errno(scheduler.insert(key, &parameters, now)),
        Errno::EEXIST
    );
    assert_eq!(errno(scheduler.cpu_offline(CpuId(0), now)), Errno::EBUSY);
    assert_eq!(errno(scheduler.domain_leave(domain)), Errno::EBUSY);
    for (key, hard, expected) in [(key, none, Errno::EINVAL), (ghost, all, Errno::ENOENT)] {
        assert_eq!(errno(scheduler.set_affinity(key, hard, all, now)), expected);
    }
    assert_eq!(errno(scheduler.remove(ghost, now)), Errno::ENOENT);
    assert_eq!(scheduler.wake(ghost, now), None);
    assert_eq!(scheduler.sleep(ghost, now), None);
    assert_eq!(scheduler.context_saved(ghost, now), None);
    assert_eq!(scheduler.running_on(ghost), None);
    assert_eq!(scheduler.schedule(CpuId(5), now).run, None);
    scheduler.remove(key, now).unwrap();
    assert_eq!(errno(scheduler.remove(key, now)), Errno::ENOENT);
    scheduler.domain_leave(domain).unwrap();
    assert_eq!(errno(scheduler.domain_leave(domain)), Errno::ENOENT);
}

#[test]
fn parameters_out_of_bounds_are_refused() {
    let mut scheduler = FairScheduler::credit2();
    let (domain, now) = (DomainKey(3), Nanos(0));
    let share = |weight, cap| Parameters::Share(Share { weight, cap });
    assert_eq!(errno(scheduler.domain_parameters(domain)), Errno::ENOENT);
    let set = scheduler.set_domain_parameters(domain, &share(1, 0), now);
    assert_eq!(errno(set), Errno::ENOENT);
    scheduler.domain_join(domain, now).unwrap();
    assert_eq!(scheduler.domain_parameters(domain), Ok(share(256, 0)));
    for wrong in [share(0, 0), Parameters::Server(Server::default())] {
        let set = scheduler.set_domain_parameters(domain, &wrong, now);
        assert_eq!(errno(set), Errno::EINVAL);
    }
    scheduler
        .set_domain_parameters(domain, &share(65535, 350), now)
        .unwrap();
    assert_eq!(scheduler.domain_parameters(domain), Ok(share(65535, 350)));
    assert_eq!(errno(scheduler.vcpu_parameters(VcpuKey(0))), Errno::EINVAL);
}

#[test]
fn tunings_out_of_bounds_are_refused() {
    let with = |slice, rate_limit, migration_delay| Tuning {
        slice: Nanos(slice),
        rate_limit: Nanos(rate_limit),
        migration_delay: Nanos(migration_delay),
    };
    let mut credit2 = FairScheduler::credit2();
    for (limit, is_fine) in [
        (0, true),
        (99_999, false),
        (100_000, true),
        (500_000_001, false),
    ] {
        // Credit2 has no slices: whatever they say is ignored.
        assert_eq!(credit2.tune(&with(0, limit, u64::MAX)).is_ok(), is_fine);
    }
    assert_eq!(credit2.tuning(), Ok(with(30_000_000, 100_000, 0)));
    let mut credit = FairScheduler::credit();
    assert_eq!(credit.tuning(), Ok(with(30_000_000, 1_000_000, 0)));
    for wrong in [
        with(999_999, 0, 0),
        with(1_000_000_001, 0, 0),
        with(2_000_000, 2_000_001, 0),
        with(2_000_000, 99_999, 0),
        with(2_000_000, 0, 100_000_001),
    ] {
        assert_eq!(errno(credit.tune(&wrong)), Errno::EINVAL);
    }
    let right = with(1_000_000_000, 500_000_000, 100_000_000);
    credit.tune(&right).unwrap();
    assert_eq!(credit.tuning(), Ok(right));
}
