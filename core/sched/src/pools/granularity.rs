//! Pools whose policies choose for groups of CPUs, and what the vCPUs of a unit have in common there.

use vocabulary::{refuse, Errno, Refused};

use super::members::Member;
use super::{AnyScheduler, PoolId, Pools};
use crate::{CpuId, CpuSet, Granularity, Groups, VcpuKey};

impl Pools {
    /// How the machine's CPUs are grouped by cores and by packages, where each has as many. Before the first pool is made.
    pub fn set_groups(&mut self, cores: Option<Groups>, packages: Option<Groups>) {
        self.cores = cores;
        self.packages = packages;
    }

    /// What new pools' policies choose for. EINVAL: the groups are of several sizes, or not known.
    pub fn set_default_granularity(&mut self, granularity: Granularity) -> Refused<()> {
        self.groups_for(granularity)?;
        self.granularity = granularity;
        Ok(())
    }

    /// The groups that a granularity stands for; none where each CPU is one. EINVAL, ENOMEM.
    pub(super) fn groups_for(&self, granularity: Granularity) -> Refused<Option<Groups>> {
        let groups = match granularity {
            Granularity::Cpu => return Ok(None),
            Granularity::Core => &self.cores,
            Granularity::Socket => &self.packages,
        };
        match groups {
            None => refuse(
                Errno::EINVAL,
                "the machine's cores or packages are not all of one size",
            ),
            Some(groups) if groups.size() == 1 => Ok(None),
            Some(groups) => match groups.copy() {
                None => refuse(Errno::ENOMEM, "no memory for groups of processors"),
                copy => Ok(copy),
            },
        }
    }

    /// What a pool's policy chooses for. ENOENT.
    pub fn granularity(&self, id: PoolId) -> Refused<Granularity> {
        Ok(self.pool(id)?.granularity)
    }

    /// Sets what a pool's policy chooses for. EBUSY: the pool has CPUs; EINVAL: the groups are of several sizes, or not
    /// known; ENOENT, ENOMEM.
    pub fn set_granularity(&mut self, id: PoolId, granularity: Granularity) -> Refused<()> {
        let groups = self.groups_for(granularity)?;
        let pool = self.pool_mut(id)?;
        if !pool.cpus.is_empty() || pool.domains != 0 {
            return refuse(Errno::EBUSY, "the pool has processors");
        }
        let before = pool.scheduler.get();
        let tuning = before.tuning();
        pool.scheduler = AnyScheduler::new(before.policy(), groups);
        pool.granularity = granularity;
        match tuning {
            Ok(tuning) => pool.scheduler.get_mut().tune(&tuning),
            Err(_) => Ok(()),
        }
    }

    /// The groups of CPUs that a vCPU's pool is scheduled by.
    pub(super) fn groups_of(&self, member: &Member) -> Option<&Groups> {
        self.at(member.place)?.scheduler.groups()
    }

    /// The CPUs that a vCPU's pool schedules with a CPU, it among them, where it does so.
    pub fn group_of(&self, vcpu: VcpuKey, cpu: CpuId) -> Option<CpuSet> {
        let groups = self.groups_of(self.member(vcpu)?)?;
        Some(groups.members(cpu))
    }

    /// Another vCPU of a vCPU's unit, the first by key.
    pub(super) fn comrade(&self, member: &Member) -> Option<Member> {
        let size = self.groups_of(member)?.size();
        let mut members = self.members.iter().map(|(_, other)| *other);
        members.find(|other| is_comrade(member, other, size))
    }

    /// Changes what is kept of all vCPUs of a vCPU's unit; of it alone where CPUs are scheduled one by one.
    pub(super) fn change_unit(&mut self, vcpu: VcpuKey, change: impl Fn(&mut Member)) {
        let Some(own) = self.member(vcpu).copied() else {
            return;
        };
        let Some(size) = self.groups_of(&own).map(Groups::size) else {
            if let Some(member) = self.members.get_mut(vcpu.0) {
                change(member);
            }
            return;
        };
        let members = self.members.iter_mut().map(|(_, member)| member);
        members
            .filter(|member| is_comrade(&own, member, size))
            .for_each(change);
    }
}

fn is_comrade(one: &Member, other: &Member, size: u32) -> bool {
    one.domain == other.domain && one.number / size == other.number / size
}
