//! What pools keep of each vCPU and each domain.

use crate::{CpuId, CpuSet, DomainKey, VcpuParameters};

/// A vCPU.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub domain: DomainKey,
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
            hard_affinity: self.kept.unwrap_or(self.hard),
            soft_affinity: self.soft,
            first_cpu: cpus.next_from(self.first_cpu).unwrap_or(self.first_cpu),
        }
    }
}

/// A domain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Domain {
    /// Where its pool is.
    pub place: u16,
    /// How many vCPUs it has.
    pub vcpus: u32,
}
