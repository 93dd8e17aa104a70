//! Pools that are scheduled by cores: what joins and leaves with what, what a unit shares, and what is refused.

use super::*;

const NOW: Nanos = Nanos(1_000);

fn set(cpus: &[u32]) -> CpuSet {
    cpus.iter().copied().map(CpuId).collect()
}

/// Two cores of two threads, all in pool 0, which is scheduled by cores.
fn pools() -> Pools {
    let places: Vec<_> = (0..4).map(|cpu| (CpuId(cpu), cpu / 2)).collect();
    let all: Vec<_> = (0..4).map(|cpu| (CpuId(cpu), 0)).collect();
    let mut pools = Pools::new();
    pools.set_groups(Groups::new(&places), Groups::new(&all));
    pools.set_default_granularity(Granularity::Core).unwrap();
    pools.create(Some(FIRST_POOL), Policy::Credit2).unwrap();
    for cpu in 0..4 {
        pools.cpu_appears(CpuId(cpu)).unwrap();
    }
    for cpu in [1, 2] {
        pools.add_cpu(FIRST_POOL, Some(CpuId(cpu)), NOW).unwrap();
    }
    pools
}

/// A domain in pool 0 with so many vCPUs.
fn domain(pools: &mut Pools, vcpus: u32) -> (DomainKey, Vec<VcpuKey>) {
    let domain = pools.domain_join(FIRST_POOL, NOW).unwrap();
    let vcpus = (0..vcpus).map(|number| {
        let parameters = VcpuParameters {
            domain,
            number,
            ..VcpuParameters::default()
        };
        pools.insert(&parameters, NOW).unwrap()
    });
    let vcpus = vcpus.collect();
    (domain, vcpus)
}

/// Wakes them from a CPU that is none of theirs.
fn wake_all(pools: &mut Pools, vcpus: &[VcpuKey]) {
    for vcpu in vcpus {
        pools.wake(*vcpu, CpuId(9), NOW);
    }
}

fn schedule_all(pools: &mut Pools) -> Vec<Option<VcpuKey>> {
    // Who stops first starts last.
    for _ in 0..2 {
        for cpu in 0..4 {
            pools.schedule(CpuId(cpu), NOW);
        }
    }
    (0..4)
        .map(|cpu| pools.schedule(CpuId(cpu), NOW).run)
        .collect()
}

#[test]
fn cores_join_and_leave_as_a_whole() {
    let mut pools = pools();
    assert_eq!(pools.info(0).unwrap().cpus, set(&[0, 1, 2, 3]));
    assert_eq!(pools.info(0).unwrap().granularity, Granularity::Core);
    let pokes = pools.remove_cpu(0, Some(CpuId(2)), NOW).unwrap();
    assert_eq!(pokes.and(&set(&[2, 3])), set(&[2, 3]));
    assert_eq!(pools.free_cpus(), set(&[2, 3]));
    let (again, other) = (Some(CpuId(3)), pools.create(None, Policy::Null).unwrap());
    assert_eq!(errno(pools.remove_cpu(0, again, NOW)), Errno::ENODEV);
    pools.add_cpu(other, None, NOW).unwrap();
    assert_eq!(pools.info(other).unwrap().cpus, set(&[2, 3]));
    assert_eq!(errno(pools.add_cpu(0, again, NOW)), Errno::ENODEV);
    let (_, _) = domain(&mut pools, 1);
    assert_eq!(errno(pools.remove_cpu(0, None, NOW)), Errno::EBUSY);
}

#[test]
fn granularity_changes_while_there_are_no_cpus() {
    let mut pools = pools();
    let cpu = Granularity::Cpu;
    assert_eq!(errno(pools.set_granularity(0, cpu)), Errno::EBUSY);
    assert_eq!(errno(pools.set_granularity(7, cpu)), Errno::ENOENT);
    let second = pools.create(None, Policy::Credit).unwrap();
    let tuning = Tuning {
        slice: Nanos(5_000_000),
        ..Tuning::DEFAULT
    };
    pools.tune(second, &tuning).unwrap();
    pools.set_granularity(second, cpu).unwrap();
    assert_eq!(pools.tuning(second), Ok(tuning));
    pools.remove_cpu(0, Some(CpuId(2)), NOW).unwrap();
    pools.add_cpu(second, Some(CpuId(3)), NOW).unwrap();
    assert_eq!(pools.info(second).unwrap().cpus, set(&[3]));
    // The rest of the core is of no use to a pool of cores.
    assert_eq!(errno(pools.add_cpu(0, None, NOW)), Errno::ENODEV);
    assert_eq!(errno(pools.add_cpu(0, Some(CpuId(2)), NOW)), Errno::ENODEV);
    let mut uneven = Pools::new();
    let core = Granularity::Core;
    assert_eq!(errno(uneven.set_default_granularity(core)), Errno::EINVAL);
}

#[test]
fn a_package_is_one_group() {
    let mut pools = pools();
    let second = pools.create(None, Policy::Credit2).unwrap();
    pools.set_granularity(second, Granularity::Socket).unwrap();
    pools.remove_cpu(0, Some(CpuId(0)), NOW).unwrap();
    assert_eq!(
        errno(pools.add_cpu(second, Some(CpuId(0)), NOW)),
        Errno::ENODEV
    );
    pools.remove_cpu(0, Some(CpuId(2)), NOW).unwrap();
    pools.add_cpu(second, Some(CpuId(2)), NOW).unwrap();
    assert_eq!(pools.info(second).unwrap().cpus, set(&[0, 1, 2, 3]));
}

#[test]
fn a_unit_has_one_affinity_and_fixed_seats() {
    let mut pools = pools();
    let (_, vcpus) = domain(&mut pools, 3);
    pools
        .set_affinity(vcpus[1], set(&[3]), CpuSet::ALL, NOW)
        .unwrap();
    for (vcpu, hard) in [(0, set(&[3])), (1, set(&[3])), (2, CpuSet::ALL)] {
        assert_eq!(pools.affinity(vcpus[vcpu]).unwrap().0, hard);
    }
    let allowed = |pools: &Pools, vcpu: usize| {
        let may_run = |cpu: &u32| pools.may_run_on(vcpus[vcpu], CpuId(*cpu));
        (0..4).filter(may_run).collect::<Vec<_>>()
    };
    assert_eq!(allowed(&pools, 0), [2]);
    assert_eq!(allowed(&pools, 1), [3]);
    assert_eq!(allowed(&pools, 2), [0, 2]);
    wake_all(&mut pools, &vcpus);
    let [first, second, third] = vcpus[..] else {
        panic!()
    };
    assert_eq!(
        schedule_all(&mut pools),
        [Some(third), None, Some(first), Some(second)]
    );
    // It is kept where its thread is one of those named, or not at all.
    let nowhere = pools.keep(second, Some(set(&[0])), NOW);
    assert_eq!(errno(nowhere), Errno::EINVAL);
    pools.keep(second, Some(set(&[0, 1])), NOW).unwrap();
    assert_eq!(allowed(&pools, 0), [0]);
    assert_eq!(allowed(&pools, 1), [1]);
    pools.keep(second, None, NOW).unwrap();
    assert_eq!(allowed(&pools, 1), [3]);
}

#[test]
fn a_core_is_in_use_until_what_ran_there_is_saved() {
    let mut pools = pools();
    let (domain, vcpus) = domain(&mut pools, 2);
    pools
        .set_affinity(vcpus[0], set(&[2]), CpuSet::ALL, NOW)
        .unwrap();
    wake_all(&mut pools, &vcpus);
    schedule_all(&mut pools);
    let second = pools.create(None, Policy::Credit2).unwrap();
    pools.remove_cpu(0, Some(CpuId(2)), NOW).unwrap();
    let core = pools.group(second, CpuId(2));
    for (cpu, vcpu) in [(2, 0), (3, 1)] {
        assert_eq!(pools.occupied(second, &core), Some(CpuId(cpu)));
        let added = pools.add_cpu(second, Some(CpuId(2)), NOW);
        assert_eq!(errno(added), Errno::EBUSY);
        assert_eq!(pools.schedule(CpuId(cpu), NOW).run, None);
        pools.context_saved(vcpus[vcpu], NOW);
    }
    assert_eq!(pools.occupied(second, &core), None);
    pools.add_cpu(second, Some(CpuId(2)), NOW).unwrap();
    assert_eq!(
        schedule_all(&mut pools),
        [Some(vcpus[0]), Some(vcpus[1]), None, None]
    );
    // Asleep, it moves to a pool of cores with its unit's affinity, and runs there.
    for (cpu, vcpu) in vcpus.iter().enumerate() {
        pools.sleep(*vcpu, NOW);
        pools.schedule(CpuId(cpu as u32), NOW);
        pools.context_saved(*vcpu, NOW);
    }
    pools.move_domain(domain, second, NOW).unwrap();
    wake_all(&mut pools, &vcpus);
    assert_eq!(
        schedule_all(&mut pools),
        [None, None, Some(vcpus[0]), Some(vcpus[1])]
    );
    pools.sleep(vcpus[0], NOW);
    pools.sleep(vcpus[1], NOW);
    schedule_all(&mut pools);
    for vcpu in vcpus {
        pools.context_saved(vcpu, NOW);
        pools.remove(vcpu, NOW).unwrap();
    }
    pools.domain_leave(domain).unwrap();
}
