//! CPUs that join pools and leave them: one by one, or in groups where the pool is scheduled by those.

use vocabulary::{refuse, Errno, Nanos, Refused};

use super::members::{Domain, Member};
use super::{PoolId, Pools, FIRST_POOL};
use crate::{CpuId, CpuSet, DomainKey, VcpuKey, MAX_CPUS};

impl Pools {
    /// The machine has another CPU, which is in no pool yet. EINVAL: number too large; EEXIST.
    pub fn cpu_appears(&mut self, cpu: CpuId) -> Refused<()> {
        if cpu.0 >= MAX_CPUS {
            return refuse(Errno::EINVAL, "the processor's number is too large");
        }
        if self.is_known(cpu) {
            return refuse(Errno::EEXIST, "the processor is known already");
        }
        self.free.insert(cpu);
        Ok(())
    }

    fn is_known(&self, cpu: CpuId) -> bool {
        self.free.contains(cpu) || self.place_of_cpu(cpu).is_some()
    }

    /// The CPU is in the pool at a place from now on, or free.
    fn note_place(&mut self, cpu: CpuId, place: Option<u16>) {
        if place.is_some() {
            self.free.remove(cpu);
        } else {
            self.free.insert(cpu);
        }
        if let Some(slot) = self.places.get_mut(cpu.0 as usize) {
            *slot = place;
        }
    }

    /// The CPUs that join and leave a pool with this one, it among them.
    pub fn group(&self, id: PoolId, cpu: CpuId) -> CpuSet {
        let groups = self.pool(id).ok().and_then(|pool| pool.scheduler.groups());
        groups.map_or_else(|| CpuSet::only(cpu), |groups| groups.members(cpu))
    }

    /// The lowest CPU that is free with all its group.
    fn lowest_free(&self, id: PoolId) -> Option<CpuId> {
        let is_free = |cpu: &CpuId| self.group(id, *cpu).and_not(&self.free).is_empty();
        self.free.iter().find(is_free)
    }

    /// A CPU that still holds a vCPU which must not have the others of `group` beside it, where that is a new part of a
    /// pool: of a pool that had the group, or that is scheduled by groups itself.
    pub fn occupied(&self, id: PoolId, group: &CpuSet) -> Option<CpuId> {
        let pool = self.pool(id).ok()?;
        let joins_gang = pool.scheduler.groups().is_some();
        let held = |(key, member): (u32, &Member)| {
            let groups = self.groups_of(member);
            if !joins_gang && groups.is_none() {
                return None;
            }
            let cpu = self.running_on(VcpuKey(key))?;
            let left = groups.is_some_and(|groups| !groups.members(cpu).and(group).is_empty());
            (left || (joins_gang && group.contains(cpu))).then_some(cpu)
        };
        self.members.iter().find_map(held)
    }

    /// Puts a free CPU, with all its group, into a pool; `None` for the lowest there is. Answers the CPUs to poke, it
    /// among them. EINVAL: there is no such CPU; ENODEV: it is not free; ENOENT: no such pool; EBUSY: a CPU of its group
    /// still runs what it ran elsewhere ([`Pools::occupied`]); ENOMEM.
    pub fn add_cpu(&mut self, id: PoolId, cpu: Option<CpuId>, now: Nanos) -> Refused<CpuSet> {
        let Some(cpu) = cpu.or_else(|| self.lowest_free(id)) else {
            return refuse(Errno::ENODEV, "no processor is free");
        };
        if !self.is_known(cpu) {
            return refuse(Errno::EINVAL, "there is no such processor");
        }
        let group = self.group(id, cpu);
        if !group.and_not(&self.free).is_empty() {
            return refuse(Errno::ENODEV, "the processor is not free");
        }
        let place = self.place_of(id)?;
        if self.occupied(id, &group).is_some() {
            return refuse(Errno::EBUSY, "a processor of the core is still in use");
        }
        let pool = self.pool_mut(id)?;
        let mut pokes = CpuSet::EMPTY;
        for cpu in group.iter() {
            match pool.scheduler.get_mut().cpu_online(cpu, now) {
                Ok(more) => pokes = pokes.or(&more),
                Err(refusal) => {
                    for earlier in group.iter().take_while(|earlier| *earlier != cpu) {
                        let _ = pool.scheduler.get_mut().cpu_offline(earlier, now);
                    }
                    return Err(refusal);
                }
            }
        }
        pool.cpus = pool.cpus.or(&group);
        for cpu in group.iter() {
            self.note_place(cpu, Some(place));
        }
        Ok(pokes.or(&group))
    }

    /// Takes a CPU, with all its group, out of a pool; `None` for its highest. Answers the CPUs to poke, it among them: it
    /// may still run a vCPU, whose registers it must save. ENOENT: no such pool; EINVAL: no such CPU; ENODEV: it is not in
    /// the pool; EBUSY: it is the last one, and there are domains that are not dying, or some of which a vCPU still runs;
    /// EADDRINUSE: a vCPU is kept on it for a while.
    pub fn remove_cpu(&mut self, id: PoolId, cpu: Option<CpuId>, now: Nanos) -> Refused<CpuSet> {
        let place = self.place_of(id)?;
        let pool = self.pool(id)?;
        let Some(cpu) = cpu.or(pool.cpus.iter().last()) else {
            return refuse(Errno::EINVAL, "the pool has no processors");
        };
        if !self.is_known(cpu) {
            return refuse(Errno::EINVAL, "there is no such processor");
        }
        if !pool.cpus.contains(cpu) {
            return refuse(Errno::ENODEV, "the processor is not in the pool");
        }
        let group = self.group(id, cpu);
        let rest = pool.cpus.and_not(&group);
        let mut pokes = CpuSet::EMPTY;
        if pool.domains != 0 && rest.is_empty() {
            pokes = self.send_the_dying_away(id, place, now)?;
        }
        let is_kept_there = |(_, member): (u32, &Member)| {
            let kept = member.kept.filter(|_| member.place == place);
            kept.is_some_and(|kept| !kept.and(&group).is_empty() && kept.and(&rest).is_empty())
        };
        if self.members.iter().any(is_kept_there) {
            return refuse(Errno::EADDRINUSE, "a vCPU is kept on the processor");
        }
        let pool = self.pool_mut(id)?;
        for cpu in group.iter() {
            pokes = pokes.or(&pool.scheduler.get_mut().cpu_offline(cpu, now)?);
        }
        pool.cpus = rest;
        for cpu in group.iter() {
            self.note_place(cpu, None);
        }
        Ok(pokes.or(&group))
    }

    /// Moves the domains of a pool to the first one, if none of them runs ever again. Answers the CPUs to poke. EBUSY: one
    /// does, or a vCPU is still on a CPU; ENOMEM.
    fn send_the_dying_away(&mut self, id: PoolId, place: u16, now: Nanos) -> Refused<CpuSet> {
        let there = |domain: &Domain| domain.place == place;
        let keeps = |domain: &Domain| there(domain) && !domain.is_dying;
        if id == FIRST_POOL || self.domains.iter().any(|(_, domain)| keeps(domain)) {
            return refuse(
                Errno::EBUSY,
                "the last processor stays while there are domains",
            );
        }
        let mut pokes = CpuSet::EMPTY;
        for key in self.domains.numbers() {
            if self.domains.get(key).is_some_and(there) {
                pokes = pokes.or(&self.move_domain(DomainKey(key), FIRST_POOL, now)?);
            }
        }
        Ok(pokes)
    }
}
