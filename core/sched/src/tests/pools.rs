//! Pools of CPUs against a plain model, and a machine of several pools at work.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const CPUS: u32 = 6;
const POLICIES: [Policy; 4] = [Policy::Credit2, Policy::Credit, Policy::Rtds, Policy::Null];
const NOW: Nanos = Nanos(1_000);
/// A CPU in no pool: wake-ups come from there.
const ELSEWHERE: CpuId = CpuId(MAX_CPUS);

/// What `sysctl.h` says of pools, in the plainest words.
#[derive(Default)]
struct Model {
    pools: BTreeMap<PoolId, (Policy, BTreeSet<u32>)>,
    free: BTreeSet<u32>,
    /// Each domain's pool, and what its one vCPU is kept on for a while.
    domains: BTreeMap<u32, (PoolId, Option<u32>)>,
}

type Answer<T> = Result<T, Errno>;

impl Model {
    fn domains_of(&self, id: PoolId) -> usize {
        self.domains
            .values()
            .filter(|(pool, _)| *pool == id)
            .count()
    }

    fn create(&mut self, id: Option<PoolId>, policy: Policy) -> Answer<PoolId> {
        let id = id.unwrap_or(self.pools.keys().last().map_or(0, |last| last + 1));
        if self.pools.contains_key(&id) {
            return Err(Errno::EEXIST);
        }
        self.pools.insert(id, (policy, BTreeSet::new()));
        Ok(id)
    }

    fn destroy(&mut self, id: PoolId) -> Answer<()> {
        let (_, cpus) = self.pools.get(&id).ok_or(Errno::ENOENT)?;
        if id == 0 || !cpus.is_empty() || self.domains_of(id) != 0 {
            return Err(Errno::EBUSY);
        }
        self.pools.remove(&id);
        Ok(())
    }

    fn add(&mut self, id: PoolId, cpu: Option<u32>) -> Answer<()> {
        let cpu = cpu.or(self.free.first().copied()).ok_or(Errno::ENODEV)?;
        if cpu >= CPUS {
            return Err(Errno::EINVAL);
        }
        if !self.free.contains(&cpu) {
            return Err(Errno::ENODEV);
        }
        let (_, cpus) = self.pools.get_mut(&id).ok_or(Errno::ENOENT)?;
        cpus.insert(cpu);
        self.free.remove(&cpu);
        Ok(())
    }

    fn remove(&mut self, id: PoolId, cpu: Option<u32>) -> Answer<()> {
        let (_, cpus) = self.pools.get(&id).ok_or(Errno::ENOENT)?;
        let cpu = cpu.or(cpus.last().copied()).ok_or(Errno::EINVAL)?;
        if cpu >= CPUS {
            return Err(Errno::EINVAL);
        }
        if !cpus.contains(&cpu) {
            return Err(Errno::ENODEV);
        }
        if cpus.len() == 1 && self.domains_of(id) != 0 {
            return Err(Errno::EBUSY);
        }
        let mut domains = self.domains.values();
        if domains.any(|(pool, kept)| *pool == id && *kept == Some(cpu)) {
            return Err(Errno::EADDRINUSE);
        }
        self.pools.get_mut(&id).unwrap().1.remove(&cpu);
        self.free.insert(cpu);
        Ok(())
    }

    fn join(&mut self, domain: u32, id: PoolId) -> Answer<()> {
        match self.pools.get(&id) {
            Some((_, cpus)) if !cpus.is_empty() => {
                self.domains.insert(domain, (id, None));
                Ok(())
            }
            Some(_) => Err(Errno::ENODEV),
            None => Err(Errno::EINVAL),
        }
    }

    fn keep(&mut self, domain: u32, cpu: Option<u32>) -> Answer<()> {
        let (id, kept) = self.domains.get_mut(&domain).unwrap();
        if cpu.is_some_and(|cpu| !self.pools[id].1.contains(&cpu)) {
            return Err(Errno::EINVAL);
        }
        *kept = cpu;
        Ok(())
    }

    fn set_affinity(&mut self, domain: u32, cpu: u32) -> Answer<()> {
        let (id, kept) = self.domains[&domain];
        if !self.pools[&id].1.contains(&cpu) {
            return Err(Errno::EINVAL);
        }
        kept.map_or(Ok(()), |_| Err(Errno::EBUSY))
    }

    fn move_domain(&mut self, domain: u32, id: PoolId) -> Answer<()> {
        let (from, kept) = self.domains[&domain];
        let (_, cpus) = self.pools.get(&id).ok_or(Errno::ENOENT)?;
        if from == id {
            return Ok(());
        }
        if cpus.is_empty() {
            return Err(Errno::ENOENT);
        }
        if kept.is_some() {
            return Err(Errno::EBUSY);
        }
        self.domains.insert(domain, (id, None));
        Ok(())
    }
}

#[derive(Clone, Debug)]
enum Step {
    Create(Option<PoolId>, usize),
    Destroy(PoolId),
    Add(PoolId, Option<u32>),
    Remove(PoolId, Option<u32>),
    Join(PoolId),
    Leave(usize),
    Keep(usize, Option<u32>),
    Affinity(usize, u32),
    Move(usize, PoolId),
}

fn steps() -> impl Strategy<Value = Step> {
    let pool = 0..5u32;
    let cpu = prop::option::of(0..CPUS + 1);
    let index = 0..64usize;
    prop_oneof![
        2 => (prop::option::of(pool.clone()), 0..4usize).prop_map(|(id, policy)| Step::Create(id, policy)),
        1 => pool.clone().prop_map(Step::Destroy),
        4 => (pool.clone(), cpu.clone()).prop_map(|(id, cpu)| Step::Add(id, cpu)),
        3 => (pool.clone(), cpu.clone()).prop_map(|(id, cpu)| Step::Remove(id, cpu)),
        3 => pool.clone().prop_map(Step::Join),
        1 => index.clone().prop_map(Step::Leave),
        1 => (index.clone(), cpu).prop_map(|(domain, cpu)| Step::Keep(domain, cpu)),
        1 => (index.clone(), 0..CPUS).prop_map(|(domain, cpu)| Step::Affinity(domain, cpu)),
        3 => (index, pool).prop_map(|(domain, id)| Step::Move(domain, id)),
    ]
}

/// The pools beside their model, and the domains: by the model's number, their keys and one vCPU each.
struct Both {
    pools: Pools,
    model: Model,
    domains: Vec<(u32, DomainKey, VcpuKey)>,
    next: u32,
}

fn plain<T>(result: vocabulary::Refused<T>) -> Answer<()> {
    result.map(|_| ()).map_err(|refusal| refusal.errno)
}

impl Both {
    fn new() -> Self {
        let mut pools = Pools::new();
        for cpu in 0..CPUS {
            pools.cpu_appears(CpuId(cpu)).unwrap();
        }
        Self {
            pools,
            model: Model {
                free: (0..CPUS).collect(),
                ..Model::default()
            },
            domains: Vec::new(),
            next: 0,
        }
    }

    fn step(&mut self, step: Step) {
        let picked = |index: usize| self.domains.get(index % self.domains.len().max(1)).copied();
        match step {
            Step::Create(id, policy) => {
                let policy = POLICIES[policy];
                let made = self
                    .pools
                    .create(id, policy)
                    .map_err(|refusal| refusal.errno);
                assert_eq!(made, self.model.create(id, policy));
            }
            Step::Destroy(id) => {
                assert_eq!(plain(self.pools.destroy(id)), self.model.destroy(id));
            }
            Step::Add(id, cpu) => {
                let added = self.pools.add_cpu(id, cpu.map(CpuId), NOW);
                assert_eq!(plain(added), self.model.add(id, cpu));
            }
            Step::Remove(id, cpu) => {
                let removed = self.pools.remove_cpu(id, cpu.map(CpuId), NOW);
                assert_eq!(plain(removed), self.model.remove(id, cpu));
            }
            Step::Join(id) => self.join(id),
            Step::Leave(index) => {
                let Some((number, domain, vcpu)) = picked(index) else {
                    return;
                };
                assert_eq!(errno(self.pools.domain_leave(domain)), Errno::EBUSY);
                self.pools.remove(vcpu, NOW).unwrap();
                self.pools.domain_leave(domain).unwrap();
                self.model.domains.remove(&number);
                self.domains.retain(|found| found.0 != number);
            }
            Step::Keep(index, cpu) => {
                let Some((number, _, vcpu)) = picked(index) else {
                    return;
                };
                let cpus = cpu.map(|cpu| CpuSet::only(CpuId(cpu)));
                let kept = self.pools.keep(vcpu, cpus, NOW);
                assert_eq!(plain(kept), self.model.keep(number, cpu));
            }
            Step::Affinity(index, cpu) => {
                let Some((number, _, vcpu)) = picked(index) else {
                    return;
                };
                let before = self.pools.affinity(vcpu).unwrap();
                let hard = CpuSet::only(CpuId(cpu));
                let set = self.pools.set_affinity(vcpu, hard, CpuSet::ALL, NOW);
                let expected = self.model.set_affinity(number, cpu);
                assert_eq!(plain(set), expected);
                let now_set = expected.map_or(before, |()| (hard, CpuSet::ALL));
                assert_eq!(self.pools.affinity(vcpu), Some(now_set));
            }
            Step::Move(index, id) => {
                let Some((number, domain, vcpu)) = picked(index) else {
                    return;
                };
                let from = self.pools.pool_of(domain).unwrap();
                let moved = self.pools.move_domain(domain, id, NOW);
                let expected = self.model.move_domain(number, id);
                let moves = id != from && expected.is_ok();
                assert_eq!(plain(moved), expected);
                if moves {
                    let anywhere = (CpuSet::ALL, CpuSet::ALL);
                    assert_eq!(self.pools.affinity(vcpu), Some(anywhere));
                }
            }
        }
    }

    fn join(&mut self, id: PoolId) {
        let number = self.next;
        self.next += 1;
        let joined = self.pools.domain_join(id, NOW);
        let domain = joined.map_err(|refusal| refusal.errno);
        assert_eq!(domain.map(|_| ()), self.model.join(number, id));
        let Ok(domain) = domain else { return };
        let parameters = VcpuParameters {
            domain,
            ..VcpuParameters::default()
        };
        let vcpu = self.pools.insert(&parameters, NOW).unwrap();
        // It runs here and there, for a moment.
        for cpu in 0..CPUS {
            let poke = self.pools.wake(vcpu, ELSEWHERE, NOW).0;
            assert!(poke.is_none_or(|cpu| self.pools.pool_of_cpu(cpu) == Some(id)));
            let decision = self.pools.schedule(CpuId(cpu), NOW);
            if let Some(key) = decision.run {
                assert!(self.pools.may_run_on(key, CpuId(cpu)));
                self.pools.sleep(key, NOW);
                assert_eq!(self.pools.schedule(CpuId(cpu), NOW).run, None);
                self.pools.context_saved(key, NOW);
            }
        }
        self.pools.retire(vcpu, NOW);
        self.domains.push((number, domain, vcpu));
    }

    fn compare(&self) {
        let mut id = 0;
        let mut told = Vec::new();
        while let Ok(info) = self.pools.info(id) {
            told.push(info);
            id = info.id + 1;
        }
        let set = |cpus: &BTreeSet<u32>| cpus.iter().copied().map(CpuId).collect::<CpuSet>();
        let pools = self.model.pools.iter();
        let expected: Vec<PoolInfo> = pools
            .map(|(id, (policy, cpus))| PoolInfo {
                id: *id,
                policy: *policy,
                granularity: Granularity::Cpu,
                domains: self.model.domains_of(*id) as u32,
                cpus: set(cpus),
            })
            .collect();
        assert_eq!(told, expected);
        assert_eq!(self.pools.free_cpus(), set(&self.model.free));
        for (number, domain, vcpu) in &self.domains {
            let (id, _) = self.model.domains[number];
            assert_eq!(self.pools.pool_of(*domain), Ok(id));
            assert_eq!(
                self.pools.cpus_of(*domain).unwrap(),
                set(&self.model.pools[&id].1)
            );
            assert_eq!(
                self.pools.policy_of(*domain).unwrap(),
                self.model.pools[&id].0
            );
            assert_eq!(self.pools.running_on(*vcpu), None);
        }
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn pools_do_what_the_model_does(sequence in prop::collection::vec(steps(), 1..60)) {
        let mut both = Both::new();
        for step in sequence {
            both.step(step);
            both.compare();
        }
    }
}

/// A machine of two CPUs in two pools, with a domain in the first that has one vCPU.
fn two_pools(first: Policy, second: Policy) -> (Pools, DomainKey, VcpuKey) {
    let mut pools = Pools::new();
    for (id, policy) in [(0, first), (1, second)] {
        pools.create(Some(id), policy).unwrap();
        pools.cpu_appears(CpuId(id)).unwrap();
        pools.add_cpu(id, None, NOW).unwrap();
    }
    let domain = pools.domain_join(0, NOW).unwrap();
    let parameters = VcpuParameters {
        domain,
        ..VcpuParameters::default()
    };
    let vcpu = pools.insert(&parameters, NOW).unwrap();
    (pools, domain, vcpu)
}

#[test]
fn a_domain_moves_between_any_two_policies_once_it_stands_still() {
    for first in POLICIES {
        for second in POLICIES {
            let (mut pools, domain, vcpu) = two_pools(first, second);
            assert_eq!(pools.wake(vcpu, ELSEWHERE, NOW).0, Some(CpuId(0)));
            assert_eq!(pools.schedule(CpuId(1), NOW).run, None);
            assert_eq!(pools.schedule(CpuId(0), NOW).run, Some(vcpu));
            assert_eq!(errno(pools.move_domain(domain, 1, NOW)), Errno::EBUSY);
            pools.sleep(vcpu, NOW);
            assert_eq!(pools.schedule(CpuId(0), NOW).run, None);
            assert_eq!(errno(pools.move_domain(domain, 1, NOW)), Errno::EBUSY);
            pools.context_saved(vcpu, NOW);
            pools.move_domain(domain, 1, NOW).unwrap();
            assert_eq!(pools.wake(vcpu, ELSEWHERE, NOW).0, Some(CpuId(1)));
            assert_eq!(pools.schedule(CpuId(0), NOW).run, None);
            assert_eq!(pools.schedule(CpuId(1), NOW).run, Some(vcpu));
        }
    }
}

/// Once, a pool could not be ended before the last page of a dead domain was given back by whoever mapped it.
#[test]
fn a_dying_domain_keeps_no_pool_alive() {
    for first in POLICIES {
        for second in POLICIES {
            let (mut pools, domain, vcpu) = two_pools(first, second);
            pools.move_domain(domain, 1, NOW).unwrap();
            let last = Some(CpuId(1));
            assert_eq!(errno(pools.remove_cpu(1, last, NOW)), Errno::EBUSY);
            let _ = pools.wake(vcpu, ELSEWHERE, NOW);
            assert_eq!(pools.schedule(CpuId(1), NOW).run, Some(vcpu));
            pools.domain_dies(domain);
            pools.sleep(vcpu, NOW);
            // Not before its vCPU stands still.
            assert_eq!(errno(pools.remove_cpu(1, last, NOW)), Errno::EBUSY);
            pools.schedule(CpuId(1), NOW);
            pools.context_saved(vcpu, NOW);
            pools.remove_cpu(1, last, NOW).unwrap();
            assert_eq!(pools.pool_of(domain), Ok(0));
            pools.destroy(1).unwrap();
            pools.remove(vcpu, NOW).unwrap();
            pools.domain_leave(domain).unwrap();
            assert_eq!(pools.info(0).unwrap().domains, 0);
        }
    }
}

/// Once, a CPU that came back while there were many guests took memory from among theirs, which was not free when they
/// had gone.
#[test]
fn a_cpu_that_comes_back_takes_no_memory() {
    for policy in POLICIES {
        let (mut pools, domain, _) = two_pools(policy, Policy::Credit2);
        let other = Some(CpuId(1));
        pools.remove_cpu(1, other, NOW).unwrap();
        pools.add_cpu(0, other, NOW).unwrap();
        pools.remove_cpu(0, other, NOW).unwrap();
        let parameters = VcpuParameters {
            domain,
            ..VcpuParameters::default()
        };
        for _ in 0..100 {
            let vcpu = pools.insert(&parameters, NOW).unwrap();
            let _ = pools.wake(vcpu, ELSEWHERE, NOW);
        }
        let taken = allocation_counter::measure(|| {
            pools.add_cpu(0, other, NOW).unwrap();
        });
        assert_eq!(taken.count_total, 0, "{policy:?}");
    }
}

#[test]
fn a_cpu_that_leaves_gives_up_what_it_runs() {
    for policy in POLICIES {
        let (mut pools, _, vcpu) = two_pools(policy, Policy::Credit2);
        pools.remove_cpu(1, Some(CpuId(1)), NOW).unwrap();
        pools.add_cpu(0, None, NOW).unwrap();
        let _ = pools.wake(vcpu, ELSEWHERE, NOW);
        assert_eq!(pools.schedule(CpuId(0), NOW).run, Some(vcpu));
        let pokes = pools.remove_cpu(0, Some(CpuId(0)), NOW).unwrap();
        assert!(pokes.contains(CpuId(0)));
        // It is nobody's now: the vCPU stops, and goes on elsewhere once it is saved.
        assert_eq!(pools.schedule(CpuId(0), NOW), Decision::IDLE);
        assert_eq!(pools.schedule(CpuId(1), NOW).run, None);
        assert_eq!(pools.context_saved(vcpu, NOW), Some(CpuId(1)));
        assert_eq!(pools.schedule(CpuId(1), NOW).run, Some(vcpu));
    }
}

#[test]
fn a_move_ends_parameters_and_affinities() {
    let (mut pools, domain, vcpu) = two_pools(Policy::Credit2, Policy::Credit);
    pools.remove_cpu(1, None, NOW).unwrap();
    assert_eq!(errno(pools.move_domain(domain, 1, NOW)), Errno::ENOENT);
    pools.add_cpu(1, None, NOW).unwrap();
    let share = |weight, cap| Parameters::Share(Share { weight, cap });
    pools
        .set_domain_parameters(domain, &share(512, 50), NOW)
        .unwrap();
    let (first, second) = (CpuSet::only(CpuId(0)), CpuSet::only(CpuId(1)));
    pools.set_affinity(vcpu, first, CpuSet::ALL, NOW).unwrap();
    assert_eq!(
        errno(pools.set_affinity(vcpu, second, CpuSet::ALL, NOW)),
        Errno::EINVAL
    );
    pools.move_domain(domain, 1, NOW).unwrap();
    assert_eq!(pools.domain_parameters(domain), Ok(share(256, 0)));
    assert_eq!(pools.affinity(vcpu), Some((CpuSet::ALL, CpuSet::ALL)));
    // What it prefers need not be here; where it may run must.
    pools.set_soft_affinity(vcpu, first, NOW).unwrap();
    let to_first = pools.set_affinity(vcpu, first, first, NOW);
    assert_eq!(errno(to_first), Errno::EINVAL);
    assert_eq!(pools.affinity(vcpu), Some((CpuSet::ALL, first)));
    assert!(pools.may_run_on(vcpu, CpuId(1)) && !pools.may_run_on(vcpu, CpuId(0)));
    pools.add_cpu(0, None, NOW).unwrap_err();
    pools.move_domain(domain, 0, NOW).unwrap();
    assert!(pools.may_run_on(vcpu, CpuId(0)) && !pools.may_run_on(vcpu, CpuId(1)));
}

#[test]
fn parameters_go_to_the_pool_they_are_for() {
    let (mut pools, _, vcpu) = two_pools(Policy::Credit, Policy::Null);
    assert_eq!(pools.tuning(0), Ok(Tuning::DEFAULT));
    assert_eq!(errno(pools.tuning(1)), Errno::EOPNOTSUPP);
    assert_eq!(errno(pools.tuning(2)), Errno::ENOENT);
    let short = Tuning {
        slice: Nanos(1_000_000),
        ..Tuning::DEFAULT
    };
    pools.tune(0, &short).unwrap();
    assert_eq!(pools.tuning(0), Ok(short));
    assert_eq!(errno(pools.tune(1, &short)), Errno::EOPNOTSUPP);
    assert_eq!(errno(pools.vcpu_parameters(vcpu)), Errno::EINVAL);
    let names = POLICIES.map(Policy::name);
    assert_eq!(names, ["credit2", "credit", "rtds", "null"]);
}
