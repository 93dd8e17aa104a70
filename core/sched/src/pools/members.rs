//! What pools keep of each vCPU and each domain.

use crate::{CpuId, CpuSet, DomainKey, Groups, VcpuParameters};

/// A vCPU.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub domain: DomainKey,
    /// Its number in the domain.
    pub number: u32,
    /// Where its pool is.
    pub place: u16,
    /// Where it may run, as it was set.
    pub hard: CpuSet,
    /// Where it is better run, as it was set.
    pub soft: CpuSet,
    /// Where it is kept for a while, whatever was set.
    pub kept: Option<CpuSet>,
    pub first_cpu: CpuId,
}

impl Member {
    /// What a pool of `cpus` must know of it.
    pub fn parameters(&self, cpus: CpuSet) -> VcpuParameters {
        VcpuParameters {
            domain: self.domain,
            number: self.number,
            hard_affinity: self.kept.unwrap_or(self.hard),
            soft_affinity: self.soft,
            first_cpu: cpus.next_from(self.first_cpu).unwrap_or(self.first_cpu),
        }
    }

    /// Has it run where another of its unit may.
    pub fn share(&mut self, comrade: &Self) {
        self.hard = comrade.hard;
        self.soft = comrade.soft;
        self.kept = comrade.kept;
    }

    /// Whether a CPU of a pool's `cpus`, which are scheduled by groups, is the one for it in a group that `hard` names.
    pub fn is_seated(&self, groups: &Groups, cpu: CpuId, hard: &CpuSet, cpus: &CpuSet) -> bool {
        let allowed = groups.leaders(hard);
        groups.seat(cpu) == self.number % groups.size()
            && allowed.allows(groups.leader(cpu), &groups.leaders(cpus))
    }
}

/// A domain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Domain {
    /// Where its pool is.
    pub place: u16,
    /// How many vCPUs it has.
    pub vcpus: u32,
    /// It runs no more: it is here until nobody holds anything of it.
    pub is_dying: bool,
}
