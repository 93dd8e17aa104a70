//! The gang scheduler's side of the contract ([`Scheduler`]).

use alloc::vec::Vec;
use vocabulary::{refuse, Errno, Nanos, Refused};

use super::members::{Core, Thread, Vcpu};
use super::GangScheduler;
use crate::policy::{
    check_hard_affinity, check_leaving_cpu, check_new_cpu, check_new_vcpu, leaving_vcpu, no_memory,
    no_such_vcpu,
};
use crate::{
    CpuId, CpuSet, CpuView, Decision, DomainKey, Parameters, Poke, Policy, Scheduler, Standing,
    Tuning, VcpuKey, VcpuParameters,
};

impl<S: Scheduler> Scheduler for GangScheduler<S> {
    fn policy(&self) -> Policy {
        self.policy.policy()
    }

    /// A core gets work when all its threads are online. EINVAL: the CPU is in no group.
    fn cpu_online(&mut self, cpu: CpuId, now: Nanos) -> Refused<CpuSet> {
        check_new_cpu(cpu, &self.online)?;
        let core = self.groups.leader(cpu);
        let siblings = self.groups.members(cpu);
        if siblings.len() != self.groups.size() {
            return refuse(Errno::EINVAL, "the processor is in no group");
        }
        let mut there = self.online.and(&siblings);
        there.insert(cpu);
        let mut threads = Vec::new();
        let has_room = threads.try_reserve_exact(siblings.len() as usize).is_ok();
        if !has_room || !self.threads.reserve(cpu.0) || !self.cores.reserve(core.0) {
            return no_memory();
        }
        let mut pokes = CpuSet::EMPTY;
        if there == siblings {
            let cores = self.policy.cpu_online(core, now)?;
            threads.extend(siblings.iter());
            let new = Core {
                threads,
                chosen: None,
                timer: None,
            };
            self.cores.put(core.0, new);
            pokes = self.threads_for(&cores);
        }
        self.threads.put(cpu.0, Thread { current: None });
        self.online.insert(cpu);
        Ok(pokes)
    }

    /// A core whose first thread leaves gets no more work: the others stop, too.
    fn cpu_offline(&mut self, cpu: CpuId, now: Nanos) -> Refused<CpuSet> {
        check_leaving_cpu(cpu, &self.online, self.count)?;
        let core = self.groups.leader(cpu);
        let mut pokes = CpuSet::EMPTY;
        if self.cores.get(core.0).is_some() {
            let cores = self.policy.cpu_offline(core, now)?;
            let left = self.cores.take(core.0);
            pokes = self.threads_for(&cores);
            if let Some(left) = left {
                let busy = left
                    .threads
                    .iter()
                    .filter(|other| **other != cpu && self.current(**other).is_some());
                pokes.extend(busy.copied());
                let next = left.chosen.and_then(|unit| self.give_back(unit, now));
                pokes.extend(next.and_then(|core| self.thread_for(core, 0, None)));
            }
        }
        self.threads.take(cpu.0);
        self.online.remove(cpu);
        self.late.remove(cpu);
        Ok(pokes)
    }

    fn domain_join(&mut self, domain: DomainKey, now: Nanos) -> Refused<()> {
        self.policy.domain_join(domain, now)
    }

    fn domain_leave(&mut self, domain: DomainKey) -> Refused<()> {
        self.policy.domain_leave(domain)
    }

    fn note_has_run(&mut self, domain: DomainKey) {
        self.policy.note_has_run(domain);
    }

    /// A vCPU that joins a unit has that one's affinity.
    fn insert(&mut self, vcpu: VcpuKey, parameters: &VcpuParameters, now: Nanos) -> Refused<()> {
        check_new_vcpu(self.vcpus.get(vcpu.0), parameters)?;
        if !self.vcpus.reserve_for_many(vcpu.0) {
            return no_memory();
        }
        let unit = self.enter_unit(parameters, now)?;
        let seat = parameters.number % self.groups.size();
        let place = self
            .units
            .get_mut(unit)
            .and_then(|unit| unit.members.get_mut(seat as usize));
        match place {
            Some(place) if place.is_none() => *place = Some(vcpu.0),
            _ => {
                return refuse(Errno::EEXIST, "the domain has a vCPU of that number");
            }
        }
        let new = Vcpu {
            unit,
            seat,
            runnable: false,
            is_retired: true,
            on_cpu: None,
        };
        self.vcpus.put(vcpu.0, new);
        self.count += 1;
        Ok(())
    }

    fn remove(&mut self, vcpu: VcpuKey, now: Nanos) -> Refused<Poke> {
        let member = leaving_vcpu(&self.vcpus, vcpu, |member| member.on_cpu)?;
        let (unit, seat) = (member.unit, member.seat as usize);
        let mut poke = self.sleep(vcpu, now);
        let members = self.units.get(unit).map(|unit| &unit.members);
        let is_last = members.is_none_or(|members| members.iter().flatten().count() == 1);
        if is_last {
            poke = self.leave_unit(unit, now)?;
        }
        let place = self
            .units
            .get_mut(unit)
            .and_then(|unit| unit.members.get_mut(seat));
        if let Some(place) = place {
            *place = None;
        }
        self.vcpus.take(vcpu.0);
        self.count = self.count.saturating_sub(1);
        Ok(poke)
    }

    fn wake(&mut self, vcpu: VcpuKey, now: Nanos) -> Poke {
        let member = self.vcpus.get_mut(vcpu.0)?;
        if member.runnable {
            return None;
        }
        member.runnable = true;
        member.is_retired = false;
        let (key, seat) = (member.unit, member.seat);
        let unit = self.units.get_mut(key)?;
        unit.runnable += 1;
        let (is_first, core) = (unit.runnable == 1, unit.core);
        let woken = is_first.then(|| self.policy.wake(VcpuKey(key), now));
        // A unit that has a core goes on there, with this one on its own thread.
        if let Some(core) = core {
            let thread = self.cores.get(core.0)?.threads.get(seat as usize).copied();
            return thread.filter(|thread| self.current(*thread) != Some(vcpu.0));
        }
        self.thread_for(woken.flatten()?, seat, None)
    }

    fn sleep(&mut self, vcpu: VcpuKey, now: Nanos) -> Poke {
        let member = self.vcpus.get_mut(vcpu.0)?;
        let was_runnable = core::mem::replace(&mut member.runnable, false);
        let (key, seat, on_cpu) = (member.unit, member.seat, member.on_cpu);
        let unit = self.units.get_mut(key)?;
        unit.runnable = unit.runnable.saturating_sub(u32::from(was_runnable));
        let sleeps = unit.runnable == 0;
        let core = sleeps
            .then(|| self.policy.sleep(VcpuKey(key), now))
            .flatten();
        let own = on_cpu.filter(|cpu| self.current(*cpu) == Some(vcpu.0));
        own.or_else(|| self.thread_for(core?, seat, None))
    }

    fn retire(&mut self, vcpu: VcpuKey, now: Nanos) -> CpuSet {
        let mut pokes: CpuSet = self.sleep(vcpu, now).into_iter().collect();
        let Some(member) = self.vcpus.get_mut(vcpu.0) else {
            return pokes;
        };
        member.is_retired = true;
        let key = member.unit;
        let is_retired = |vcpu: &u32| self.vcpus.get(*vcpu).is_none_or(|vcpu| vcpu.is_retired);
        let unit = self.units.get(key);
        if unit.is_some_and(|unit| unit.members.iter().flatten().all(is_retired)) {
            let cores = self.policy.retire(VcpuKey(key), now);
            pokes = pokes.or(&self.threads_for(&cores));
        }
        pokes
    }

    fn yield_now(&mut self, vcpu: VcpuKey, now: Nanos) -> Poke {
        let member = self.vcpus.get(vcpu.0)?;
        let cpu = member
            .on_cpu
            .filter(|cpu| self.current(*cpu) == Some(vcpu.0))?;
        let unit = VcpuKey(member.unit);
        self.policy.yield_now(unit, now).map(|_| cpu)
    }

    fn schedule(&mut self, cpu: CpuId, now: Nanos) -> Decision {
        if !self.online.contains(cpu) {
            return Decision::IDLE;
        }
        let core = self.groups.leader(cpu);
        if self.cores.get(core.0).is_none() {
            self.stop(cpu);
            return Decision::IDLE;
        }
        let decision = self.policy.schedule(core, now);
        let mut pokes = core::mem::take(&mut self.late);
        pokes = pokes.or(&self.threads_for(&decision.pokes));
        let chosen = decision.run.map(|unit| unit.0);
        pokes = pokes.or(&self.adopt(core, chosen, cpu, now));
        let run = self.take_seat(cpu, core, &mut pokes);
        pokes.remove(cpu);
        Decision {
            run: run.map(VcpuKey),
            until: self.timer(cpu, core, decision.until, now),
            pokes,
        }
    }

    fn context_saved(&mut self, vcpu: VcpuKey, now: Nanos) -> Poke {
        let member = self.vcpus.get_mut(vcpu.0)?;
        let on_cpu = member.on_cpu?;
        if self.threads.get(on_cpu.0).and_then(|cpu| cpu.current) == Some(vcpu.0) {
            return None;
        }
        member.on_cpu = None;
        let key = member.unit;
        let unit = self.units.get_mut(key)?;
        unit.held = unit.held.saturating_sub(1);
        if unit.core.is_some() {
            return None;
        }
        let next = self.give_back(key, now)?;
        self.thread_for(next, 0, None)
    }

    /// Of all its unit.
    fn set_affinity(
        &mut self,
        vcpu: VcpuKey,
        hard: CpuSet,
        soft: CpuSet,
        now: Nanos,
    ) -> Refused<CpuSet> {
        check_hard_affinity(&hard)?;
        let Some(unit) = self.unit_of(vcpu) else {
            return no_such_vcpu();
        };
        let (hard, soft) = (self.groups.leaders(&hard), self.groups.leaders(&soft));
        let cores = self.policy.set_affinity(VcpuKey(unit), hard, soft, now)?;
        Ok(self.threads_for(&cores))
    }

    fn running_on(&self, vcpu: VcpuKey) -> Option<CpuId> {
        self.vcpus.get(vcpu.0)?.on_cpu
    }

    /// Of the units that wait for its core, the vCPUs that would run on it.
    fn view(&self, cpu: CpuId) -> CpuView {
        let (core, seat) = (self.groups.leader(cpu), self.groups.seat(cpu));
        let units = self.policy.view(core);
        let mut view = units.renamed(|unit| self.wanted(Some(unit.0), seat).map(VcpuKey));
        let order = units.current.and_then(|unit| unit.order);
        view.current = self.current(cpu).map(|key| Standing {
            vcpu: VcpuKey(key),
            order,
        });
        view
    }

    fn is_withheld(&self, vcpu: VcpuKey, now: Nanos) -> bool {
        self.unit_of(vcpu)
            .is_some_and(|unit| self.policy.is_withheld(VcpuKey(unit), now))
    }

    fn domain_parameters(&self, domain: DomainKey) -> Refused<Parameters> {
        self.policy.domain_parameters(domain)
    }

    fn set_domain_parameters(
        &mut self,
        domain: DomainKey,
        parameters: &Parameters,
        now: Nanos,
    ) -> Refused<CpuSet> {
        let cores = self.policy.set_domain_parameters(domain, parameters, now)?;
        Ok(self.threads_for(&cores))
    }

    fn vcpu_parameters(&self, vcpu: VcpuKey) -> Refused<Parameters> {
        match self.unit_of(vcpu) {
            Some(unit) => self.policy.vcpu_parameters(VcpuKey(unit)),
            None => no_such_vcpu(),
        }
    }

    fn set_vcpu_parameters(
        &mut self,
        vcpu: VcpuKey,
        parameters: &Parameters,
        now: Nanos,
    ) -> Refused<CpuSet> {
        let Some(unit) = self.unit_of(vcpu) else {
            return no_such_vcpu();
        };
        let unit = VcpuKey(unit);
        let cores = self.policy.set_vcpu_parameters(unit, parameters, now)?;
        Ok(self.threads_for(&cores))
    }

    fn tuning(&self) -> Refused<Tuning> {
        self.policy.tuning()
    }

    fn tune(&mut self, tuning: &Tuning) -> Refused<()> {
        self.policy.tune(tuning)
    }
}
