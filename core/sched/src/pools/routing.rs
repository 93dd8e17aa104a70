//! What happens to a vCPU, a domain or a CPU, passed on to the policy of its pool.

use vocabulary::{refuse, Errno, Nanos, Refused};

use super::members::Member;
use super::{PoolId, Pools};
use crate::policy::{no_memory, no_such_vcpu};
use crate::{
    CpuId, CpuSet, CpuView, Decision, DomainKey, Parameters, Poke, Policy, Scheduler, Tuning,
    VcpuKey, VcpuParameters,
};

impl Pools {
    pub(super) fn member(&self, vcpu: VcpuKey) -> Option<&Member> {
        self.members.get(vcpu.0)
    }

    /// The keys of a domain's vCPUs. Looks at all there are: for the toolstack's requests.
    pub(super) fn vcpus_of(&self, domain: DomainKey) -> impl Iterator<Item = VcpuKey> + '_ {
        self.members
            .iter()
            .filter(move |(_, member)| member.domain == domain)
            .map(|(index, _)| VcpuKey(index))
    }

    fn scheduler_of(&mut self, vcpu: VcpuKey) -> Option<&mut dyn Scheduler> {
        let place = self.member(vcpu)?.place;
        Some(self.at_mut(place)?.scheduler.get_mut())
    }

    fn domain_scheduler(&mut self, domain: DomainKey) -> Refused<&mut dyn Scheduler> {
        let place = self.domain(domain)?.place;
        match self.at_mut(place) {
            Some(pool) => Ok(pool.scheduler.get_mut()),
            None => super::no_such_pool(),
        }
    }

    /// Takes a new vCPU in, asleep, and gives it a key. EINVAL: empty hard affinity; ENOENT: no such domain; ENOMEM.
    pub fn insert(&mut self, parameters: &VcpuParameters, now: Nanos) -> Refused<VcpuKey> {
        let place = self.domain(parameters.domain)?.place;
        let key = VcpuKey(self.members.lowest_free());
        if !self.members.reserve_for_many(key.0) {
            return no_memory();
        }
        let mut member = Member {
            domain: parameters.domain,
            number: parameters.number,
            place,
            hard: parameters.hard_affinity,
            soft: parameters.soft_affinity,
            kept: None,
            first_cpu: parameters.first_cpu,
        };
        if let Some(comrade) = self.comrade(&member) {
            member.share(&comrade);
        }
        let Some(pool) = self.at_mut(place) else {
            return super::no_such_pool();
        };
        let adapted = member.parameters(pool.cpus);
        pool.scheduler.get_mut().insert(key, &adapted, now)?;
        self.members.put(key.0, member);
        if let Some(domain) = self.domains.get_mut(parameters.domain.0) {
            domain.vcpus += 1;
        }
        Ok(key)
    }

    /// Forgets a vCPU. Answers the CPU to poke. EBUSY: it is on a CPU; ENOENT.
    pub fn remove(&mut self, vcpu: VcpuKey, now: Nanos) -> Refused<Poke> {
        let Some(domain) = self.member(vcpu).map(|member| member.domain) else {
            return no_such_vcpu();
        };
        let poke = match self.scheduler_of(vcpu) {
            Some(scheduler) => scheduler.remove(vcpu, now)?,
            None => None,
        };
        self.members.take(vcpu.0);
        if let Some(domain) = self.domains.get_mut(domain.0) {
            domain.vcpus = domain.vcpus.saturating_sub(1);
        }
        Ok(poke)
    }

    /// [`Scheduler::wake_on`].
    pub fn wake(&mut self, vcpu: VcpuKey, here: CpuId, now: Nanos) -> (Poke, Option<Nanos>) {
        match self.scheduler_of(vcpu) {
            Some(scheduler) => scheduler.wake_on(vcpu, here, now),
            None => (None, None),
        }
    }

    /// [`Scheduler::sleep`].
    pub fn sleep(&mut self, vcpu: VcpuKey, now: Nanos) -> Poke {
        self.scheduler_of(vcpu)?.sleep(vcpu, now)
    }

    /// [`Scheduler::retire`].
    pub fn retire(&mut self, vcpu: VcpuKey, now: Nanos) -> CpuSet {
        self.scheduler_of(vcpu)
            .map_or(CpuSet::EMPTY, |scheduler| scheduler.retire(vcpu, now))
    }

    /// [`Scheduler::yield_now`].
    pub fn yield_now(&mut self, vcpu: VcpuKey, now: Nanos) -> Poke {
        self.scheduler_of(vcpu)?.yield_now(vcpu, now)
    }

    /// [`Scheduler::context_saved`].
    pub fn context_saved(&mut self, vcpu: VcpuKey, now: Nanos) -> Poke {
        self.scheduler_of(vcpu)?.context_saved(vcpu, now)
    }

    /// Chooses what a CPU runs from now on; nothing where it is in no pool.
    pub fn schedule(&mut self, cpu: CpuId, now: Nanos) -> Decision {
        let place = self.place_of_cpu(cpu);
        match place.and_then(|place| self.at_mut(place)) {
            Some(pool) => pool.scheduler.get_mut().schedule(cpu, now),
            None => Decision::IDLE,
        }
    }

    /// [`Scheduler::view`]; nothing where the CPU is in no pool.
    pub fn view(&self, cpu: CpuId) -> CpuView {
        let pool = self.place_of_cpu(cpu).and_then(|place| self.at(place));
        pool.map_or_else(CpuView::default, |pool| pool.scheduler.get().view(cpu))
    }

    /// [`Scheduler::is_withheld`].
    pub fn is_withheld(&self, vcpu: VcpuKey, now: Nanos) -> bool {
        let pool = self.member(vcpu).and_then(|member| self.at(member.place));
        pool.is_some_and(|pool| pool.scheduler.get().is_withheld(vcpu, now))
    }

    /// The CPU that runs the vCPU, or still holds its registers.
    pub fn running_on(&self, vcpu: VcpuKey) -> Option<CpuId> {
        let place = self.member(vcpu)?.place;
        self.at(place)?.scheduler.get().running_on(vcpu)
    }

    /// Whether the policy may put the vCPU on the CPU: it is in its pool, and in the hard affinity in force, unless
    /// none of that is in the pool; and of a group of CPUs, it is on that of its seat.
    pub fn may_run_on(&self, vcpu: VcpuKey, cpu: CpuId) -> bool {
        let Some(member) = self.member(vcpu) else {
            return false;
        };
        let hard = member.kept.as_ref().unwrap_or(&member.hard);
        let pool = self.at(member.place);
        pool.is_some_and(|pool| match pool.scheduler.groups() {
            None => hard.allows(cpu, &pool.cpus),
            Some(groups) => member.is_seated(groups, cpu, hard, &pool.cpus),
        })
    }

    /// Where the vCPU may run and prefers to, as it was set.
    pub fn affinity(&self, vcpu: VcpuKey) -> Option<(CpuSet, CpuSet)> {
        let member = self.member(vcpu)?;
        Some((member.hard, member.soft))
    }

    /// Whether the vCPU is kept on some CPUs for a while.
    pub fn is_kept(&self, vcpu: VcpuKey) -> bool {
        self.member(vcpu)
            .is_some_and(|member| member.kept.is_some())
    }

    /// Sets where the vCPU may run and prefers to, and with it all of its unit. Answers the CPUs to poke. EINVAL: the
    /// vCPU's pool has none of the CPUs that it may run on; EBUSY: it is kept on some for a while; ENOENT.
    pub fn set_affinity(
        &mut self,
        vcpu: VcpuKey,
        hard: CpuSet,
        soft: CpuSet,
        now: Nanos,
    ) -> Refused<CpuSet> {
        self.check_pool(vcpu, &hard)?;
        self.prefer(vcpu, hard, soft, now)
    }

    /// Sets where the vCPU is better run, be it in its pool or not, and with it all of its unit. Answers the CPUs to poke.
    /// EBUSY: [`Pools::keep`]; ENOENT.
    pub fn set_soft_affinity(
        &mut self,
        vcpu: VcpuKey,
        soft: CpuSet,
        now: Nanos,
    ) -> Refused<CpuSet> {
        let Some(hard) = self.member(vcpu).map(|member| member.hard) else {
            return no_such_vcpu();
        };
        self.prefer(vcpu, hard, soft, now)
    }

    fn prefer(&mut self, vcpu: VcpuKey, hard: CpuSet, soft: CpuSet, now: Nanos) -> Refused<CpuSet> {
        if self.is_kept(vcpu) {
            return refuse(Errno::EBUSY, "the vCPU is kept on processors for a while");
        }
        let pokes = self.apply(vcpu, hard, soft, now)?;
        self.change_unit(vcpu, |member| {
            member.hard = hard;
            member.soft = soft;
        });
        Ok(pokes)
    }

    /// Keeps the vCPU on some CPUs for a while, whatever its affinity; `None` ends that. As [`Pools::set_affinity`]; of
    /// groups of CPUs only those count that are in its seat.
    pub fn keep(&mut self, vcpu: VcpuKey, cpus: Option<CpuSet>, now: Nanos) -> Refused<CpuSet> {
        let Some(member) = self.member(vcpu).copied() else {
            return no_such_vcpu();
        };
        let groups = self.groups_of(&member);
        let cpus = match (cpus, groups) {
            (Some(cpus), Some(groups)) => {
                Some(groups.in_seat(&cpus, member.number % groups.size()))
            }
            (cpus, _) => cpus,
        };
        if let Some(cpus) = &cpus {
            self.check_pool(vcpu, cpus)?;
        }
        let pokes = self.apply(vcpu, cpus.unwrap_or(member.hard), member.soft, now)?;
        self.change_unit(vcpu, |member| member.kept = cpus);
        Ok(pokes)
    }

    fn apply(&mut self, vcpu: VcpuKey, hard: CpuSet, soft: CpuSet, now: Nanos) -> Refused<CpuSet> {
        match self.scheduler_of(vcpu) {
            Some(scheduler) => scheduler.set_affinity(vcpu, hard, soft, now),
            None => no_such_vcpu(),
        }
    }

    /// EINVAL: the vCPU's pool has none of the CPUs.
    fn check_pool(&self, vcpu: VcpuKey, hard: &CpuSet) -> Refused<()> {
        let Some(member) = self.member(vcpu) else {
            return no_such_vcpu();
        };
        let pool = self.at(member.place);
        if pool.is_none_or(|pool| hard.and(&pool.cpus).is_empty()) {
            return refuse(
                Errno::EINVAL,
                "none of the processors is in the vCPU's pool",
            );
        }
        Ok(())
    }

    /// The policy that a domain is under. ENOENT.
    pub fn policy_of(&self, domain: DomainKey) -> Refused<Policy> {
        self.policy(self.pool_of(domain)?)
    }

    /// [`Scheduler::domain_parameters`].
    pub fn domain_parameters(&mut self, domain: DomainKey) -> Refused<Parameters> {
        self.domain_scheduler(domain)?.domain_parameters(domain)
    }

    /// [`Scheduler::set_domain_parameters`].
    pub fn set_domain_parameters(
        &mut self,
        domain: DomainKey,
        parameters: &Parameters,
        now: Nanos,
    ) -> Refused<CpuSet> {
        self.domain_scheduler(domain)?
            .set_domain_parameters(domain, parameters, now)
    }

    /// [`Scheduler::vcpu_parameters`].
    pub fn vcpu_parameters(&mut self, vcpu: VcpuKey) -> Refused<Parameters> {
        match self.scheduler_of(vcpu) {
            Some(scheduler) => scheduler.vcpu_parameters(vcpu),
            None => no_such_vcpu(),
        }
    }

    /// [`Scheduler::set_vcpu_parameters`].
    pub fn set_vcpu_parameters(
        &mut self,
        vcpu: VcpuKey,
        parameters: &Parameters,
        now: Nanos,
    ) -> Refused<CpuSet> {
        match self.scheduler_of(vcpu) {
            Some(scheduler) => scheduler.set_vcpu_parameters(vcpu, parameters, now),
            None => no_such_vcpu(),
        }
    }

    /// The parameters of a pool's policy. ENOENT: no such pool; EOPNOTSUPP: the policy has none.
    pub fn tuning(&self, id: PoolId) -> Refused<Tuning> {
        self.pool(id)?.scheduler.get().tuning()
    }

    /// Sets the parameters of a pool's policy. EINVAL: out of bounds; ENOENT, EOPNOTSUPP.
    pub fn tune(&mut self, id: PoolId, tuning: &Tuning) -> Refused<()> {
        self.pool_mut(id)?.scheduler.get_mut().tune(tuning)
    }
}
