//! The deadline scheduler's side of the contract ([`Scheduler`]).

use vocabulary::{Nanos, Refused};

use super::members::{Cpu, Domain, Vcpu};
use super::DeadlineScheduler;
use crate::policy::{
    check_hard_affinity, check_leaving_cpu, check_leaving_domain, check_new_cpu, check_new_domain,
    check_new_vcpu, leaving_vcpu, no_memory, no_such_domain, no_such_vcpu, wrong_parameters,
};
use crate::slots::room_for;
use crate::{
    CpuId, CpuSet, CpuView, Decision, DomainKey, Parameters, Poke, Policy, Scheduler, Server,
    Standing, VcpuKey, VcpuParameters,
};

impl Scheduler for DeadlineScheduler {
    fn policy(&self) -> Policy {
        Policy::Rtds
    }

    fn cpu_online(&mut self, cpu: CpuId, now: Nanos) -> Refused<CpuSet> {
        check_new_cpu(cpu, &self.online)?;
        if !self.cpus.reserve(cpu.0) {
            return no_memory();
        }
        let new = Cpu {
            current: None,
            counted: now,
            timer: None,
        };
        self.cpus.put(cpu.0, new);
        self.online.insert(cpu);
        self.idle.insert(cpu);
        Ok(self.resettle(now))
    }

    fn cpu_offline(&mut self, cpu: CpuId, now: Nanos) -> Refused<CpuSet> {
        check_leaving_cpu(cpu, &self.online, self.count)?;
        self.charge(cpu, now);
        for set in [
            &mut self.online,
            &mut self.idle,
            &mut self.told,
            &mut self.untimed,
        ] {
            set.remove(cpu);
        }
        self.cpus.take(cpu.0);
        self.keeper = self.keeper.filter(|keeper| *keeper != cpu);
        let mut pokes = self.offer(now);
        pokes.extend(self.arm(cpu));
        Ok(pokes)
    }

    fn domain_join(&mut self, domain: DomainKey, _now: Nanos) -> Refused<()> {
        check_new_domain(self.domains.get(domain.0))?;
        if !self.domains.reserve_for_many(domain.0) {
            return no_memory();
        }
        let new = Domain {
            server: Server::default(),
            is_reserved: false,
            has_run: false,
            members: 0,
        };
        self.domains.put(domain.0, new);
        Ok(())
    }

    fn domain_leave(&mut self, domain: DomainKey) -> Refused<()> {
        check_leaving_domain(self.domains.get(domain.0).map(|found| found.members))?;
        self.domains.take(domain.0);
        Ok(())
    }

    fn note_has_run(&mut self, domain: DomainKey) {
        if let Some(domain) = self.domains.get_mut(domain.0) {
            domain.has_run = true;
        }
    }

    fn insert(&mut self, vcpu: VcpuKey, parameters: &VcpuParameters, now: Nanos) -> Refused<()> {
        check_new_vcpu(self.vcpus.get(vcpu.0), parameters)?;
        let Some(domain) = self.domains.get_mut(parameters.domain.0) else {
            return no_such_domain();
        };
        let room = room_for(self.count + 1);
        let has_room = self.vcpus.reserve_for_many(vcpu.0)
            && self.ready.reserve(room)
            && self.events.reserve(room);
        if !has_room {
            return no_memory();
        }
        let new = Vcpu {
            domain: parameters.domain.0,
            server: domain.server,
            is_reserved: domain.is_reserved,
            hard: parameters.hard_affinity,
            soft: parameters.soft_affinity,
            runnable: false,
            on_cpu: None,
            home: parameters.first_cpu,
            left: 0,
            deadline: now,
            round: 0,
            ready: None,
            event: None,
        };
        self.vcpus.put(vcpu.0, new);
        self.count += 1;
        domain.members += 1;
        Ok(())
    }

    fn remove(&mut self, vcpu: VcpuKey, _now: Nanos) -> Refused<Poke> {
        let domain = leaving_vcpu(&self.vcpus, vcpu, |member| member.on_cpu)?.domain;
        self.leave(vcpu.0);
        self.vcpus.take(vcpu.0);
        self.count = self.count.saturating_sub(1);
        if let Some(domain) = self.domains.get_mut(domain) {
            domain.members = domain.members.saturating_sub(1);
        }
        Ok(None)
    }

    fn wake(&mut self, vcpu: VcpuKey, now: Nanos) -> Poke {
        let member = self.vcpus.get_mut(vcpu.0)?;
        if member.runnable {
            return None;
        }
        member.runnable = true;
        // One that some CPU still holds goes on there, or joins when its registers are saved.
        if member.on_cpu.is_some() {
            return None;
        }
        member.wake(now);
        if let Some(domain) = self.domains.get_mut(member.domain) {
            domain.has_run = true;
        }
        self.join(vcpu.0, now)
    }

    fn sleep(&mut self, vcpu: VcpuKey, _now: Nanos) -> Poke {
        let member = self.vcpus.get_mut(vcpu.0)?;
        member.runnable = false;
        let on_cpu = member.on_cpu;
        self.leave(vcpu.0);
        on_cpu.filter(|cpu| self.runs_on(vcpu.0, *cpu))
    }

    fn yield_now(&mut self, _vcpu: VcpuKey, _now: Nanos) -> Poke {
        None
    }

    fn schedule(&mut self, cpu: CpuId, now: Nanos) -> Decision {
        if !self.online.contains(cpu) {
            return Decision::IDLE;
        }
        self.decide(cpu, now)
    }

    fn context_saved(&mut self, vcpu: VcpuKey, now: Nanos) -> Poke {
        let on_cpu = self.vcpus.get(vcpu.0)?.on_cpu?;
        if self.runs_on(vcpu.0, on_cpu) {
            return None;
        }
        let member = self.vcpus.get_mut(vcpu.0)?;
        member.on_cpu = None;
        if !member.runnable {
            return None;
        }
        self.join(vcpu.0, now)
    }

    fn set_affinity(
        &mut self,
        vcpu: VcpuKey,
        hard: CpuSet,
        soft: CpuSet,
        now: Nanos,
    ) -> Refused<CpuSet> {
        check_hard_affinity(&hard)?;
        let Some(member) = self.vcpus.get_mut(vcpu.0) else {
            return no_such_vcpu();
        };
        member.hard = hard;
        member.soft = soft;
        Ok(self.review(vcpu.0, now).into_iter().collect())
    }

    fn running_on(&self, vcpu: VcpuKey) -> Option<CpuId> {
        self.vcpus.get(vcpu.0)?.on_cpu
    }

    fn view(&self, cpu: CpuId) -> CpuView {
        let mut view = CpuView::default();
        view.current = self.current(cpu).map(|key| Standing {
            vcpu: VcpuKey(key),
            order: self.vcpus.get(key).map(Vcpu::order),
        });
        for (_, key) in self.ready.iter() {
            let vcpu = self.vcpus.get(key);
            if let Some(vcpu) = vcpu.filter(|vcpu| self.may_run(vcpu, cpu)) {
                view.add(VcpuKey(key), vcpu.order());
            }
        }
        view
    }

    fn is_withheld(&self, vcpu: VcpuKey, now: Nanos) -> bool {
        let vcpu = self.vcpus.get(vcpu.0);
        vcpu.is_some_and(|vcpu| {
            vcpu.is_spent() && now.0 < vcpu.deadline.0.saturating_add(self.lateness())
        })
    }

    fn domain_parameters(&self, domain: DomainKey) -> Refused<Parameters> {
        match self.domains.get(domain.0) {
            Some(domain) => Ok(Parameters::Server(domain.server)),
            None => no_such_domain(),
        }
    }

    fn set_domain_parameters(
        &mut self,
        domain: DomainKey,
        parameters: &Parameters,
        now: Nanos,
    ) -> Refused<CpuSet> {
        let server = checked(parameters)?;
        let Some(found) = self.domains.get_mut(domain.0) else {
            return no_such_domain();
        };
        // A toolstack sets the default of each domain that it makes, before that runs.
        let is_reserved = found.has_run || !server.is_default();
        found.server = server;
        found.is_reserved = is_reserved;
        let mut pokes = CpuSet::EMPTY;
        for key in self.vcpus.numbers() {
            let vcpu = self.vcpus.get(key);
            if vcpu.is_some_and(|vcpu| vcpu.domain == domain.0) {
                pokes = pokes.or(&self.reserve_time(key, server, is_reserved, now));
            }
        }
        Ok(pokes)
    }

    fn vcpu_parameters(&self, vcpu: VcpuKey) -> Refused<Parameters> {
        match self.vcpus.get(vcpu.0) {
            Some(vcpu) => Ok(Parameters::Server(vcpu.server)),
            None => no_such_vcpu(),
        }
    }

    fn set_vcpu_parameters(
        &mut self,
        vcpu: VcpuKey,
        parameters: &Parameters,
        now: Nanos,
    ) -> Refused<CpuSet> {
        let server = checked(parameters)?;
        if self.vcpus.get(vcpu.0).is_none() {
            return no_such_vcpu();
        }
        Ok(self.reserve_time(vcpu.0, server, true, now))
    }
}

fn checked(parameters: &Parameters) -> Refused<Server> {
    let Parameters::Server(server) = parameters else {
        return wrong_parameters();
    };
    server.check()?;
    Ok(*server)
}

impl DeadlineScheduler {
    /// Gives a vCPU another reservation; a period of it begins. Answers the CPUs to poke.
    fn reserve_time(&mut self, key: u32, server: Server, is_reserved: bool, now: Nanos) -> CpuSet {
        let mut pokes = CpuSet::EMPTY;
        let running = self.vcpus.get(key).and_then(|vcpu| vcpu.on_cpu);
        let running = running.filter(|cpu| self.runs_on(key, *cpu));
        if let Some(cpu) = running {
            self.charge(cpu, now);
        }
        let Some(vcpu) = self.vcpus.get_mut(key) else {
            return pokes;
        };
        vcpu.server = server;
        vcpu.is_reserved = is_reserved;
        vcpu.begin_period(now);
        let (waits, home, urgency) = (vcpu.event.is_some(), vcpu.home, vcpu.urgency());
        pokes.extend(running);
        if waits {
            self.reorder(key, urgency, false);
            pokes.extend(self.tell(key, now));
            pokes.extend(self.arm(home));
        }
        pokes
    }

    /// After its affinity or the CPUs changed: finds a CPU for a vCPU that waits, or has the one look that runs it
    /// where it should not be.
    fn review(&mut self, key: u32, now: Nanos) -> Poke {
        let vcpu = self.vcpus.get(key)?;
        if let Some(cpu) = vcpu.on_cpu {
            let may_stay = self.may_run(vcpu, cpu);
            return (self.runs_on(key, cpu) && !may_stay).then_some(cpu);
        }
        vcpu.ready?;
        self.tell(key, now)
    }

    /// After a CPU came online. Not a hot path.
    fn resettle(&mut self, now: Nanos) -> CpuSet {
        let mut pokes = CpuSet::EMPTY;
        for key in self.vcpus.numbers() {
            let waits =
                |vcpu: &&Vcpu| vcpu.runnable && vcpu.on_cpu.is_none() && vcpu.event.is_none();
            if self.vcpus.get(key).filter(waits).is_some() {
                pokes.extend(self.join(key, now));
            } else {
                pokes.extend(self.review(key, now));
            }
        }
        pokes
    }
}
