//! What is set of domains and vCPUs as the scheduler has them: affinities, and the parameters of the policy.

use sched::{CpuSet, DomainKey, Parameters, Policy};
use vocabulary::{refuse, DomainId, Errno, Refused};

use super::{poke_all, STATE};
use crate::clock;
use crate::domain::Domain;
use crate::vcpu::Vcpu;

/// Takes a new domain into a pool. EINVAL: there is no such pool; ENODEV: it has no processors; ENOMEM.
pub fn join(pool: u32) -> Refused<DomainKey> {
    STATE.lock().policy.domain_join(pool, clock::now())
}

/// A domain is being destroyed: its pool may end before nobody holds anything of it any more.
pub fn domain_dies(domain: &Domain) {
    STATE.lock().policy.domain_dies(domain.scheduled_as);
}

/// Forgets a domain, whose vCPUs were removed.
pub fn leave(id: DomainId, domain: DomainKey) {
    if let Err(refusal) = STATE.lock().policy.domain_leave(domain) {
        crate::log!(Error, "d{} stays with the scheduler: {refusal}", id.0);
    }
}

/// The number of the pool that a domain is in.
pub fn pool(domain: &Domain) -> u32 {
    let known = STATE.lock().policy.pool_of(domain.scheduled_as);
    known.unwrap_or(domain.config.cpupool_id)
}

/// The processors that a domain's vCPUs can run on: those of its pool.
pub fn processors(domain: &Domain) -> CpuSet {
    let known = STATE.lock().policy.cpus_of(domain.scheduled_as);
    known.unwrap_or(CpuSet::EMPTY)
}

/// Where the vCPU may run and where it is better run, as they were set: an override in force is not told.
pub fn affinity(vcpu: &Vcpu) -> (CpuSet, CpuSet) {
    let known = STATE.lock().policy.affinity(vcpu.key);
    known.unwrap_or((CpuSet::ALL, CpuSet::ALL))
}

/// Sets where the vCPU, with all its unit, may run and where it is better run. EINVAL: its pool has none of the processors
/// that it may run on; EBUSY: an override is in force.
pub fn set_affinity(vcpu: &Vcpu, hard: CpuSet, soft: CpuSet) -> Refused<()> {
    let now = clock::now();
    let set = STATE.lock().policy.set_affinity(vcpu.key, hard, soft, now);
    poke_all(&set?);
    Ok(())
}

/// Sets where the vCPU is better run. EBUSY: an override is in force.
pub fn set_soft_affinity(vcpu: &Vcpu, soft: CpuSet) -> Refused<()> {
    let now = clock::now();
    let set = STATE.lock().policy.set_soft_affinity(vcpu.key, soft, now);
    poke_all(&set?);
    Ok(())
}

/// Keeps the vCPU on some processors for a while, whatever its affinity; `None` ends that. EINVAL as
/// [`set_affinity`].
pub fn override_affinity(vcpu: &Vcpu, processors: Option<CpuSet>) -> Refused<()> {
    let kept = STATE.lock().policy.keep(vcpu.key, processors, clock::now());
    poke_all(&kept?);
    Ok(())
}

/// Whether the vCPU is kept on some processors for a while.
pub fn is_overridden(vcpu: &Vcpu) -> bool {
    STATE.lock().policy.is_kept(vcpu.key)
}

/// The policy that a domain is under.
pub fn policy(domain: &Domain) -> Refused<Policy> {
    STATE.lock().policy.policy_of(domain.scheduled_as)
}

/// A domain's parameters. EOPNOTSUPP: its policy has none.
pub fn of_domain(domain: &Domain) -> Refused<Parameters> {
    STATE.lock().policy.domain_parameters(domain.scheduled_as)
}

/// Sets the parameters of a domain and its vCPUs. EINVAL: out of bounds; EOPNOTSUPP.
pub fn set_of_domain(domain: &Domain, parameters: &Parameters) -> Refused<()> {
    let (key, now) = (domain.scheduled_as, clock::now());
    let set = STATE
        .lock()
        .policy
        .set_domain_parameters(key, parameters, now);
    poke_all(&set?);
    Ok(())
}

/// A vCPU's own parameters. EINVAL: its policy has none of single vCPUs; EOPNOTSUPP: none at all.
pub fn of_vcpu(vcpu: &Vcpu) -> Refused<Parameters> {
    STATE.lock().policy.vcpu_parameters(vcpu.key)
}

/// Sets a vCPU's own parameters. EINVAL: out of bounds, or as [`of_vcpu`]; EOPNOTSUPP.
pub fn set_of_vcpu(vcpu: &Vcpu, parameters: &Parameters) -> Refused<()> {
    let now = clock::now();
    let set = STATE
        .lock()
        .policy
        .set_vcpu_parameters(vcpu.key, parameters, now);
    poke_all(&set?);
    Ok(())
}

/// Moves a domain, none of whose vCPUs runs, to another pool. ENOENT: there is no such pool, or it has no processors;
/// EBUSY: a vCPU is bound to a processor for a while; ENOMEM.
pub fn move_domain(domain: &Domain, pool: u32) -> Refused<()> {
    let (key, now) = (domain.scheduled_as, clock::now());
    if domain.is_dying() {
        return refuse(Errno::EINVAL, "the domain is dying");
    }
    let moved = STATE.lock().policy.move_domain(key, pool, now);
    poke_all(&moved?);
    Ok(())
}
