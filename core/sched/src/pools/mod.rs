//! Pools of CPUs: every CPU is in one pool or free, every domain is in one pool, and each pool has a policy of its own
//! that knows of its CPUs and its domains only.
//!
//! [`Pools`] is what the hypervisor holds under its lock. It gives vCPUs and domains their keys, which they keep when
//! they move, and passes everything that happens on to the policy of the pool it happens in (`routing.rs`). A pool's
//! policy chooses for each CPU or for groups of them (`granularity.rs`), which come and go as a whole. The errnos are
//! those that `sysctl.h` lists for `XEN_SYSCTL_cpupool_op`.

mod any;
mod cpus;
mod granularity;
mod members;
mod routing;

use vocabulary::{refuse, Errno, Nanos, Refused};

use self::any::AnyScheduler;
use self::members::{Domain, Member};
use crate::policy::{no_memory, no_such_domain};
use crate::{
    CpuId, CpuSet, DomainKey, Granularity, Groups, Policy, Slots, VcpuKey, VcpuParameters, MAX_CPUS,
};

/// A pool's number, given by the toolstack or the next free one.
pub type PoolId = u32;

/// The pool that has all CPUs at first.
pub const FIRST_POOL: PoolId = 0;

/// What the tools ask of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolInfo {
    /// Its number.
    pub id: PoolId,
    /// Its policy.
    pub policy: Policy,
    /// What its policy chooses for.
    pub granularity: Granularity,
    /// How many domains are in it.
    pub domains: u32,
    /// Its CPUs.
    pub cpus: CpuSet,
}

#[derive(Debug)]
struct Pool {
    id: PoolId,
    cpus: CpuSet,
    domains: u32,
    granularity: Granularity,
    scheduler: AnyScheduler,
}

/// All pools, with their policies, CPUs, domains and vCPUs.
#[derive(Debug)]
pub struct Pools {
    /// The pools by place, in no order.
    pools: Slots<Pool>,
    /// CPUs that are in no pool.
    free: CpuSet,
    /// The place among `pools` of each CPU's.
    places: [Option<u16>; MAX_CPUS as usize],
    /// The vCPUs by key.
    members: Slots<Member>,
    /// The domains by key.
    domains: Slots<Domain>,
    /// Of new pools.
    granularity: Granularity,
    /// The threads of each core, where all have as many.
    cores: Option<Groups>,
    /// The CPUs of each package, where all have as many.
    packages: Option<Groups>,
}

impl Default for Pools {
    fn default() -> Self {
        Self::new()
    }
}

impl Pools {
    /// No pool, no CPU.
    pub const fn new() -> Self {
        Self {
            pools: Slots::new(),
            free: CpuSet::EMPTY,
            places: [None; MAX_CPUS as usize],
            members: Slots::new(),
            domains: Slots::new(),
            granularity: Granularity::Cpu,
            cores: None,
            packages: None,
        }
    }

    fn at(&self, place: u16) -> Option<&Pool> {
        self.pools.get(place.into())
    }

    fn at_mut(&mut self, place: u16) -> Option<&mut Pool> {
        self.pools.get_mut(place.into())
    }

    /// Where the pool of a number is.
    fn place_of(&self, id: PoolId) -> Refused<u16> {
        match self.pools.iter().find(|(_, pool)| pool.id == id) {
            // No more than CPUs.
            Some((place, _)) => Ok(place as u16),
            None => no_such_pool(),
        }
    }

    /// Where the pool is that a CPU is in.
    fn place_of_cpu(&self, cpu: CpuId) -> Option<u16> {
        *self.places.get(cpu.0 as usize)?
    }

    fn pool(&self, id: PoolId) -> Refused<&Pool> {
        let place = self.place_of(id)?;
        self.at(place).map_or_else(no_such_pool, Ok)
    }

    fn pool_mut(&mut self, id: PoolId) -> Refused<&mut Pool> {
        let place = self.place_of(id)?;
        self.at_mut(place).map_or_else(no_such_pool, Ok)
    }

    /// The pool with a number, or else the next higher one there is. ENOENT: there is none.
    pub fn info(&self, id: PoolId) -> Refused<PoolInfo> {
        let pools = self.pools.iter().map(|(_, pool)| pool);
        let next = pools
            .filter(|pool| pool.id >= id)
            .min_by_key(|pool| pool.id);
        let Some(pool) = next else {
            return no_such_pool();
        };
        Ok(PoolInfo {
            id: pool.id,
            policy: pool.scheduler.get().policy(),
            granularity: pool.granularity,
            domains: pool.domains,
            cpus: pool.cpus,
        })
    }

    /// The policy of a pool. ENOENT.
    pub fn policy(&self, id: PoolId) -> Refused<Policy> {
        Ok(self.pool(id)?.scheduler.get().policy())
    }

    /// The CPUs that are in no pool.
    pub const fn free_cpus(&self) -> CpuSet {
        self.free
    }

    /// The pool that a CPU is in.
    pub fn pool_of_cpu(&self, cpu: CpuId) -> Option<PoolId> {
        Some(self.at(self.place_of_cpu(cpu)?)?.id)
    }

    /// Makes a pool without CPUs; `None` for any number. EEXIST: the number is in use; ENOMEM.
    pub fn create(&mut self, id: Option<PoolId>, policy: Policy) -> Refused<PoolId> {
        let id = match id {
            Some(id) => id,
            None => self.next_id(),
        };
        if self.place_of(id).is_ok() {
            return refuse(Errno::EEXIST, "there is a pool of that number");
        }
        let pool = Pool {
            id,
            cpus: CpuSet::EMPTY,
            domains: 0,
            granularity: self.granularity,
            scheduler: AnyScheduler::new(policy, self.groups_for(self.granularity)?),
        };
        let place = self.pools.lowest_free();
        // No more pools than CPUs can be of use, and places are small.
        if place >= MAX_CPUS || !self.pools.reserve(place) {
            return refuse(Errno::ENOMEM, "no memory for another pool");
        }
        self.pools.put(place, pool);
        Ok(id)
    }

    /// A number that no pool has: the one after the highest, or the lowest free one where that is taken.
    fn next_id(&self) -> PoolId {
        let highest = self.pools.iter().map(|(_, pool)| pool.id).max();
        let Some(highest) = highest else {
            return FIRST_POOL;
        };
        // The highest number stands for "any" in requests.
        if highest < PoolId::MAX - 1 {
            return highest + 1;
        }
        let mut free = 0..PoolId::MAX;
        free.find(|id| self.place_of(*id).is_err())
            .unwrap_or(highest)
    }

    /// Ends a pool. EBUSY: it has CPUs or domains, or is the first; ENOENT.
    pub fn destroy(&mut self, id: PoolId) -> Refused<()> {
        let place = self.place_of(id)?;
        let pool = self.pool(id)?;
        if id == FIRST_POOL || pool.domains != 0 || !pool.cpus.is_empty() {
            return refuse(Errno::EBUSY, "the pool has processors or domains");
        }
        self.pools.take(place.into());
        Ok(())
    }

    /// Takes a new domain in. EINVAL: no such pool; ENODEV: it has no CPUs; ENOMEM.
    pub fn domain_join(&mut self, id: PoolId, now: Nanos) -> Refused<DomainKey> {
        let (Ok(place), Ok(pool)) = (self.place_of(id), self.pool(id)) else {
            return refuse(Errno::EINVAL, "the domain has no pool to be in");
        };
        if pool.cpus.is_empty() {
            return refuse(Errno::ENODEV, "the domain's pool has no processors");
        }
        let key = DomainKey(self.domains.lowest_free());
        if !self.domains.reserve_for_many(key.0) {
            return no_memory();
        }
        let pool = self.pool_mut(id)?;
        pool.scheduler.get_mut().domain_join(key, now)?;
        pool.domains += 1;
        let new = Domain {
            place,
            vcpus: 0,
            is_dying: false,
        };
        self.domains.put(key.0, new);
        Ok(key)
    }

    /// Forgets a domain. EBUSY: it has vCPUs; ENOENT.
    pub fn domain_leave(&mut self, domain: DomainKey) -> Refused<()> {
        let found = self.domain(domain)?;
        if found.vcpus != 0 {
            return refuse(Errno::EBUSY, "the domain has vCPUs");
        }
        if let Some(pool) = self.at_mut(found.place) {
            pool.scheduler.get_mut().domain_leave(domain)?;
            pool.domains = pool.domains.saturating_sub(1);
        }
        self.domains.take(domain.0);
        Ok(())
    }

    /// A domain runs no more. It keeps no pool from its last CPU: with that, it goes to the first pool.
    pub fn domain_dies(&mut self, domain: DomainKey) {
        if let Some(found) = self.domains.get_mut(domain.0) {
            found.is_dying = true;
        }
        let members = self.members.iter_mut().map(|(_, member)| member);
        for member in members.filter(|member| member.domain == domain) {
            member.kept = None;
        }
    }

    fn domain(&self, domain: DomainKey) -> Refused<Domain> {
        match self.domains.get(domain.0) {
            Some(found) => Ok(*found),
            None => no_such_domain(),
        }
    }

    /// The pool that a domain is in. ENOENT.
    pub fn pool_of(&self, domain: DomainKey) -> Refused<PoolId> {
        let place = self.domain(domain)?.place;
        self.at(place).map_or_else(no_such_pool, |pool| Ok(pool.id))
    }

    /// The CPUs of the pool that a domain is in. ENOENT.
    pub fn cpus_of(&self, domain: DomainKey) -> Refused<CpuSet> {
        let place = self.domain(domain)?.place;
        self.at(place)
            .map_or_else(no_such_pool, |pool| Ok(pool.cpus))
    }

    /// Moves a domain, whose vCPUs all sleep and are saved, to another pool, with the default parameters of the policy
    /// there. Its vCPUs may run anywhere there. Answers the CPUs to poke. ENOENT: no such domain or pool, or the pool has
    /// no CPUs; EBUSY: a vCPU is on a CPU, or kept on some for a while; ENOMEM.
    pub fn move_domain(&mut self, domain: DomainKey, id: PoolId, now: Nanos) -> Refused<CpuSet> {
        let from = self.domain(domain)?.place;
        let to = self.place_of(id)?;
        if from == to {
            return Ok(CpuSet::EMPTY);
        }
        if self.pool(id)?.cpus.is_empty() {
            return refuse(Errno::ENOENT, "the pool has no processors");
        }
        for key in self.vcpus_of(domain) {
            if self.is_kept(key) || self.running_on(key).is_some() {
                return refuse(Errno::EBUSY, "a vCPU of the domain is bound to a processor");
            }
        }
        self.enter(domain, to, now)?;
        Ok(self.depart(domain, from, to, now))
    }

    /// Makes a domain and its vCPUs known to another pool, or to none of it.
    fn enter(&mut self, domain: DomainKey, to: u16, now: Nanos) -> Refused<()> {
        let Some(pool) = self.pools.get_mut(to.into()) else {
            return no_such_pool();
        };
        let scheduler = pool.scheduler.get_mut();
        scheduler.domain_join(domain, now)?;
        // A toolstack that moves what it makes does so before there are vCPUs.
        if self
            .domains
            .get(domain.0)
            .is_some_and(|found| found.vcpus != 0)
        {
            scheduler.note_has_run(domain);
        }
        let its_own = |(_, member): &(u32, &Member)| member.domain == domain;
        let mut vcpus = self.members.iter().filter(its_own);
        let result = vcpus.try_for_each(|(index, member)| {
            let anywhere = VcpuParameters {
                hard_affinity: CpuSet::ALL,
                soft_affinity: CpuSet::ALL,
                ..member.parameters(pool.cpus)
            };
            scheduler.insert(VcpuKey(index), &anywhere, now)
        });
        if result.is_err() {
            for (index, _) in self.members.iter().filter(its_own) {
                let _ = scheduler.remove(VcpuKey(index), now);
            }
            let _ = scheduler.domain_leave(domain);
        }
        result
    }

    /// Makes the pool that a domain was in forget it.
    fn depart(&mut self, domain: DomainKey, from: u16, to: u16, now: Nanos) -> CpuSet {
        let mut pokes = CpuSet::EMPTY;
        if let Some(pool) = self.pools.get_mut(from.into()) {
            let scheduler = pool.scheduler.get_mut();
            let members = self.members.iter_mut();
            for (index, member) in members.filter(|(_, member)| member.domain == domain) {
                let poke = scheduler.remove(VcpuKey(index), now);
                pokes.extend(poke.ok().flatten());
                member.place = to;
                member.hard = CpuSet::ALL;
                member.soft = CpuSet::ALL;
            }
            let _ = scheduler.domain_leave(domain);
            pool.domains = pool.domains.saturating_sub(1);
        }
        if let Some(pool) = self.at_mut(to) {
            pool.domains += 1;
        }
        if let Some(found) = self.domains.get_mut(domain.0) {
            found.place = to;
        }
        pokes
    }
}

fn no_such_pool<T>() -> Refused<T> {
    refuse(Errno::ENOENT, "there is no such pool of processors")
}
