//! The fair scheduler's side of the contract ([`Scheduler`]).

use vocabulary::{Nanos, Refused};

use super::caps::Budget;
use super::members::{Cpu, Domain, Vcpu};
use super::virtual_time::{nanos_at_default_weight, VirtualTime, Weight};
use super::FairScheduler;
use crate::policy::{
    check_hard_affinity, check_leaving_cpu, check_leaving_domain, check_new_cpu, check_new_domain,
    check_new_vcpu, leaving_vcpu, no_memory, no_such_domain, no_such_vcpu, wrong_parameters,
};
use crate::{
    CpuId, CpuSet, CpuView, Decision, DomainKey, Order, Parameters, Poke, Policy, Scheduler, Share,
    Standing, Tuning, VcpuKey, VcpuParameters,
};

impl Scheduler for FairScheduler {
    fn policy(&self) -> Policy {
        self.rules.policy
    }

    fn cpu_online(&mut self, cpu: CpuId, now: Nanos) -> Refused<CpuSet> {
        check_new_cpu(cpu, &self.online)?;
        let mut new = match self.away.take(cpu.0) {
            Some(was_here) => was_here.anew(now),
            None => Cpu::new(now),
        };
        if !self.cpus.reserve(cpu.0) || !self.away.reserve(cpu.0) || !new.reserve(self.room) {
            return no_memory();
        }
        self.cpus.put(cpu.0, new);
        self.online.insert(cpu);
        self.sole = self.online.single();
        self.idle.insert(cpu);
        self.forget_old_clock(cpu);
        Ok(self.resettle(now))
    }

    fn cpu_offline(&mut self, cpu: CpuId, now: Nanos) -> Refused<CpuSet> {
        check_leaving_cpu(cpu, &self.online, self.count)?;
        self.count(cpu, now);
        self.stop(cpu, now);
        self.online.remove(cpu);
        self.sole = self.online.single();
        self.idle.remove(cpu);
        let mut pokes = CpuSet::EMPTY;
        pokes.extend(self.hand_duties_on(cpu, now));
        while let Some((_, key)) = self.cpus.get(cpu.0).and_then(|cpu| cpu.queue.first()) {
            self.withdraw(key, now);
            pokes.extend(self.place(key, now));
        }
        if let Some(left) = self.cpus.take(cpu.0) {
            self.away.put(cpu.0, left);
        }
        Ok(pokes)
    }

    fn domain_join(&mut self, domain: DomainKey, now: Nanos) -> Refused<()> {
        check_new_domain(self.domains.get(domain.0))?;
        if !self.domains.reserve_for_many(domain.0) || !self.reserve(0, domain.0 as usize + 1) {
            return no_memory();
        }
        let new = Domain {
            share: Share::default(),
            budget: Budget::new(0, now),
            members: 0,
            running: 0,
            parked: indexed_heap::IndexedHeap::new(),
            keeper: None,
            place: None,
        };
        self.domains.put(domain.0, new);
        Ok(())
    }

    fn domain_leave(&mut self, domain: DomainKey) -> Refused<()> {
        check_leaving_domain(self.domains.get(domain.0).map(|found| found.members))?;
        self.drop_duty(domain.0);
        self.domains.take(domain.0);
        Ok(())
    }

    fn insert(&mut self, vcpu: VcpuKey, parameters: &VcpuParameters, now: Nanos) -> Refused<()> {
        check_new_vcpu(self.vcpus.get(vcpu.0), parameters)?;
        let clock = self
            .cpus
            .get(parameters.first_cpu.0)
            .map_or(VirtualTime::START, |cpu| cpu.clock);
        let Some(domain) = self.domains.get_mut(parameters.domain.0) else {
            return no_such_domain();
        };
        let members = domain.members as usize;
        let weight = domain.share.weight;
        let has_room = domain.parked.reserve(members + 1) && self.vcpus.reserve_for_many(vcpu.0);
        if !has_room || !self.reserve(self.count + 1, 0) {
            return no_memory();
        }
        let new = Vcpu {
            domain: parameters.domain.0,
            weight: Weight::new(weight),
            hard: parameters.hard_affinity,
            only: parameters.hard_affinity.single(),
            soft: parameters.soft_affinity,
            runnable: false,
            on_cpu: None,
            home: parameters.first_cpu,
            place: None,
            movable: false,
            parked: false,
            reached: clock,
            lead: 0,
            arrived: now,
            stopped: Nanos(0),
            waits_since: now,
        };
        self.vcpus.put(vcpu.0, new);
        self.count += 1;
        if let Some(domain) = self.domains.get_mut(parameters.domain.0) {
            domain.members += 1;
        }
        Ok(())
    }

    fn remove(&mut self, vcpu: VcpuKey, now: Nanos) -> Refused<Poke> {
        let domain = leaving_vcpu(&self.vcpus, vcpu, |member| member.on_cpu)?.domain;
        self.withdraw(vcpu.0, now);
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
        member.waits_since = now;
        // One that some CPU still holds goes on there, or is placed when its registers are saved.
        if member.on_cpu.is_some() {
            return None;
        }
        if member.slept_long(now) {
            self.forget_lead(vcpu.0);
        }
        self.place(vcpu.0, now)
    }

    fn sleep(&mut self, vcpu: VcpuKey, now: Nanos) -> Poke {
        let member = self.vcpus.get_mut(vcpu.0)?;
        member.runnable = false;
        let on_cpu = member.on_cpu;
        self.withdraw(vcpu.0, now);
        on_cpu.filter(|cpu| self.runs_on(vcpu.0, *cpu))
    }

    fn yield_now(&mut self, vcpu: VcpuKey, now: Nanos) -> Poke {
        let on_cpu = self.vcpus.get(vcpu.0)?.on_cpu?;
        if !self.runs_on(vcpu.0, on_cpu) {
            return None;
        }
        let cpu = self.cpus.get_mut(on_cpu.0)?;
        if cpu.queue.is_empty() {
            return None;
        }
        cpu.yielded = true;
        self.count(on_cpu, now);
        self.let_siblings_go_first(vcpu.0, on_cpu);
        Some(on_cpu)
    }

    fn glance(&mut self, cpu: CpuId, now: Nanos) -> Option<Nanos> {
        if self.rules.has_delay() {
            return None;
        }
        self.look_later(cpu, now)
    }

    fn schedule(&mut self, cpu: CpuId, now: Nanos) -> Decision {
        if !self.online.contains(cpu) {
            return Decision::IDLE;
        }
        self.count(cpu, now);
        let pokes = self.serve_duties(cpu, now);
        self.end_long_wait(cpu, now);
        if self.keeps(cpu, now) {
            return self.decide(cpu, None, pokes, now);
        }
        let stopped = self.stop(cpu, now).and_then(|key| {
            let is_spent = self.is_spent(key, now);
            let vcpu = self.vcpus.get(key)?;
            let comes_back = vcpu.runnable && self.may_run(vcpu, cpu);
            let (reached, domain) = (vcpu.reached, vcpu.domain);
            if is_spent {
                // It is parked when its registers are saved; the timer is set now.
                self.take_duty(cpu, domain, now);
            }
            (comes_back && !is_spent).then_some((reached, domain))
        });
        if let Some(key) = self.take_next(cpu, now) {
            self.start(cpu, key, now);
        } else {
            self.idle.insert(cpu);
        }
        self.decide(cpu, stopped, pokes, now)
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
        let poke = self.place(vcpu.0, now);
        // Only now is whoever just ran in the queue, and may it be this one's turn to move.
        poke.or_else(|| self.hand_over(on_cpu, now))
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
        member.only = hard.single();
        member.soft = soft;
        Ok(self.review(vcpu.0, now).into_iter().collect())
    }

    fn running_on(&self, vcpu: VcpuKey) -> Option<CpuId> {
        self.vcpus.get(vcpu.0)?.on_cpu
    }

    fn view(&self, cpu: CpuId) -> CpuView {
        let mut view = CpuView::default();
        let Some(cpu) = self.cpus.get(cpu.0) else {
            return view;
        };
        let order =
            |reached: VirtualTime| Order::Ahead(nanos_at_default_weight(reached.since(cpu.clock)));
        view.current = cpu.current.map(|key| Standing {
            vcpu: VcpuKey(key),
            order: self.vcpus.get(key).map(|vcpu| order(vcpu.reached)),
        });
        for (reached, key) in cpu.queue.iter() {
            view.add(VcpuKey(key), order(reached));
        }
        view
    }

    fn is_withheld(&self, vcpu: VcpuKey, now: Nanos) -> bool {
        self.is_spent(vcpu.0, now) || self.waits_warm(vcpu.0, now)
    }

    fn domain_parameters(&self, domain: DomainKey) -> Refused<Parameters> {
        match self.domains.get(domain.0) {
            Some(domain) => Ok(Parameters::Share(domain.share)),
            None => no_such_domain(),
        }
    }

    fn set_domain_parameters(
        &mut self,
        domain: DomainKey,
        parameters: &Parameters,
        now: Nanos,
    ) -> Refused<CpuSet> {
        let Parameters::Share(share) = parameters else {
            return wrong_parameters();
        };
        share.check()?;
        let Some(found) = self.domains.get_mut(domain.0) else {
            return no_such_domain();
        };
        let before = core::mem::replace(&mut found.share, *share);
        if before.weight != share.weight {
            self.set_weights(domain, share.weight, now);
        }
        if before.cap == share.cap {
            return Ok(CpuSet::EMPTY);
        }
        Ok(self.set_cap(domain, share.cap, now))
    }

    fn tuning(&self) -> Refused<Tuning> {
        Ok(self.rules.tuning)
    }

    fn tune(&mut self, tuning: &Tuning) -> Refused<()> {
        if self.rules.policy == Policy::Credit {
            tuning.check_all()?;
            self.rules.tuning = *tuning;
        } else {
            tuning.check_rate_limit()?;
            self.rules.tuning.rate_limit = tuning.rate_limit;
        }
        Ok(())
    }
}

impl FairScheduler {
    /// Gives all vCPUs of a domain another weight.
    fn set_weights(&mut self, domain: DomainKey, weight: u16, now: Nanos) {
        for key in self.vcpus.numbers() {
            let Some(member) = self.vcpus.get(key).filter(|vcpu| vcpu.domain == domain.0) else {
                continue;
            };
            let is_queued = member.place.is_some() && !member.parked;
            let (old, home) = (member.weight.load(), member.home);
            let running = member.on_cpu.filter(|cpu| self.runs_on(key, *cpu));
            let slept_long = member.slept_long(now);
            let at = running.or(is_queued.then_some(home));
            if let Some(cpu) = at {
                self.count(cpu, now);
            }
            if let Some(cpu) = at.and_then(|cpu| self.cpus.get_mut(cpu.0)) {
                cpu.load = cpu.load.saturating_sub(old) + u64::from(weight);
            } else if slept_long {
                self.forget_lead(key);
            }
            self.scale_lead(key, Weight::new(weight));
        }
    }

    /// Gives a vCPU another weight. How far it is ahead was counted by the old one: it owes the same processor time.
    fn scale_lead(&mut self, key: u32, weight: Weight) {
        let Some(home) = self.vcpus.get(key).map(|member| member.home) else {
            return;
        };
        let clock = self.cpus.get(home.0).map(|cpu| cpu.clock);
        let Some(member) = self.vcpus.get_mut(key) else {
            return;
        };
        let old = member.weight;
        let scaled = |lead: i64| match lead {
            1.. => weight.distance(old.time_for(lead)),
            behind => behind,
        };
        if let Some(clock) = clock {
            member.reached = clock.plus(scaled(member.reached.since(clock)));
        }
        member.lead = scaled(member.lead);
        member.weight = weight;
        let place = member.place.filter(|_| !member.parked);
        let reached = member.reached;
        let cpu = self.cpus.get_mut(home.0);
        if let (Some(place), Some(cpu)) = (place, cpu) {
            cpu.queue.change_key(place, reached, &mut self.vcpus);
        }
    }

    /// Gives a domain another cap, with a full budget. Answers the CPUs to poke.
    fn set_cap(&mut self, domain: DomainKey, cap: u16, now: Nanos) -> CpuSet {
        let mut pokes = CpuSet::EMPTY;
        for cpu in self.online.iter().collect::<CpuSet>().iter() {
            let current = self.cpus.get(cpu.0).and_then(|cpu| cpu.current);
            let runs = current
                .and_then(|key| self.vcpus.get(key))
                .is_some_and(|vcpu| vcpu.domain == domain.0);
            if runs {
                // What ran before has been paid for; from now on a timer is needed, or none any more.
                self.count(cpu, now);
                pokes.insert(cpu);
            }
        }
        if let Some(found) = self.domains.get_mut(domain.0) {
            found.budget = Budget::new(cap, now);
        }
        pokes.or(&self.unpark(domain.0, now))
    }
}
