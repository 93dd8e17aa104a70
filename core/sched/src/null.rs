//! The null scheduler: a vCPU has a CPU for itself from its first wake until it is taken down, and a decision is a
//! look at a table. Who finds no CPU free waits, first come first served, until one is.

use indexed_heap::{IndexedHeap, Places};
use vocabulary::{refuse, Errno, Nanos, Refused};

use crate::policy::{
    check_hard_affinity, check_leaving_cpu, check_leaving_domain, check_new_cpu, check_new_domain,
    check_new_vcpu, leaving_vcpu, no_memory, no_such_domain, no_such_vcpu,
};
use crate::slots::room_for;
use crate::{
    CpuId, CpuSet, CpuView, Decision, DomainKey, Order, Parameters, Poke, Policy, Scheduler, Slots,
    Standing, VcpuKey, VcpuParameters,
};

/// A vCPU. It has a CPU, or waits for one, or is down.
#[derive(Debug)]
struct Vcpu {
    domain: u32,
    hard: CpuSet,
    soft: CpuSet,
    runnable: bool,
    /// The CPU that is its own.
    own: Option<CpuId>,
    /// The CPU that runs it or still holds its registers.
    on_cpu: Option<CpuId>,
    /// The CPU to look at first for it.
    home: CpuId,
    /// Its place among those that wait for a CPU.
    place: Option<u32>,
}

impl Places for Slots<Vcpu> {
    fn set_place(&mut self, id: u32, place: Option<u32>) {
        if let Some(vcpu) = self.get_mut(id) {
            vcpu.place = place;
        }
    }
}

/// A physical CPU.
#[derive(Clone, Copy, Debug, Default)]
struct Cpu {
    /// Whose it is.
    owner: Option<u32>,
    /// What it runs.
    current: Option<u32>,
}

/// The policy `null`.
#[derive(Debug)]
pub struct NullScheduler {
    vcpus: Slots<Vcpu>,
    /// How many vCPUs each domain has here.
    domains: Slots<u32>,
    cpus: Slots<Cpu>,
    online: CpuSet,
    /// Online CPUs that are nobody's.
    free: CpuSet,
    /// vCPUs that wait for a CPU, by when they came.
    waiting: IndexedHeap<u64>,
    /// What the next to wait is ordered by.
    next_ticket: u64,
    count: usize,
}

impl Default for NullScheduler {
    fn default() -> Self {
        Self::new()
    }
}

impl NullScheduler {
    /// A scheduler without CPUs and vCPUs.
    pub const fn new() -> Self {
        Self {
            vcpus: Slots::new(),
            domains: Slots::new(),
            cpus: Slots::new(),
            online: CpuSet::EMPTY,
            free: CpuSet::EMPTY,
            waiting: IndexedHeap::new(),
            next_ticket: 0,
            count: 0,
        }
    }

    fn current(&self, cpu: CpuId) -> Option<u32> {
        self.cpus.get(cpu.0)?.current
    }

    /// Finds a CPU for a vCPU that has none, or lets it wait. Answers the CPU if it has something to run.
    fn assign(&mut self, key: u32) -> Poke {
        let vcpu = self.vcpus.get(key)?;
        let free = vcpu.hard.within(&self.online).and(&self.free);
        let found = [free.and(&vcpu.soft), free]
            .iter()
            .find_map(|set| set.next_from(vcpu.home));
        let Some(cpu) = found else {
            let ticket = self.next_ticket;
            self.next_ticket += 1;
            // Room for all vCPUs was reserved when they came.
            let _has_room = self.waiting.push(ticket, key, &mut self.vcpus);
            return None;
        };
        self.give(cpu, key)
    }

    fn give(&mut self, cpu: CpuId, key: u32) -> Poke {
        self.free.remove(cpu);
        self.cpus.get_mut(cpu.0)?.owner = Some(key);
        let vcpu = self.vcpus.get_mut(key)?;
        vcpu.own = Some(cpu);
        vcpu.home = cpu;
        // One that another CPU still holds runs here when it is saved.
        (vcpu.runnable && vcpu.on_cpu.is_none_or(|on_cpu| on_cpu == cpu)).then_some(cpu)
    }

    /// A CPU became free: it goes to the first that waits and may run there. Answers it if it must look.
    fn pass_on(&mut self, cpu: CpuId) -> Poke {
        let next = self.waiting.first_where(|key| {
            let vcpu = self.vcpus.get(key);
            vcpu.is_some_and(|vcpu| vcpu.hard.allows(cpu, &self.online))
        });
        let (_, key) = next?;
        let place = self.vcpus.get(key)?.place?;
        self.waiting.remove(place, &mut self.vcpus);
        self.give(cpu, key)
    }

    /// Takes a vCPU's CPU away, or it from those that wait. Answers its CPU if that must look.
    fn give_up(&mut self, key: u32) -> Poke {
        let vcpu = self.vcpus.get_mut(key)?;
        if let Some(place) = vcpu.place {
            self.waiting.remove(place, &mut self.vcpus);
            return None;
        }
        let cpu = vcpu.own.take()?;
        self.cpus.get_mut(cpu.0)?.owner = None;
        self.free.insert(cpu);
        let runs = self.current(cpu).is_some();
        self.pass_on(cpu).or(runs.then_some(cpu))
    }
}

impl Scheduler for NullScheduler {
    fn policy(&self) -> Policy {
        Policy::Null
    }

    fn cpu_online(&mut self, cpu: CpuId, _now: Nanos) -> Refused<CpuSet> {
        check_new_cpu(cpu, &self.online)?;
        if !self.cpus.reserve(cpu.0) {
            return no_memory();
        }
        self.cpus.put(cpu.0, Cpu::default());
        self.online.insert(cpu);
        self.free.insert(cpu);
        let mut pokes = CpuSet::EMPTY;
        // Whoever lost all its own CPUs may go back, and leave another's for those that wait.
        for key in self.vcpus.numbers() {
            let Some(vcpu) = self.vcpus.get(key) else {
                continue;
            };
            let is_away = |own| !vcpu.hard.allows(own, &self.online);
            if vcpu.own.is_some_and(is_away) {
                pokes.extend(self.give_up(key));
                pokes.extend(self.assign(key));
            }
        }
        if self.free.contains(cpu) {
            pokes.extend(self.pass_on(cpu));
        }
        Ok(pokes)
    }

    fn cpu_offline(&mut self, cpu: CpuId, _now: Nanos) -> Refused<CpuSet> {
        check_leaving_cpu(cpu, &self.online, self.count)?;
        let owner = self.cpus.get_mut(cpu.0).and_then(|cpu| cpu.owner);
        self.online.remove(cpu);
        self.free.remove(cpu);
        self.cpus.take(cpu.0);
        let mut pokes = CpuSet::EMPTY;
        if let Some(key) = owner {
            if let Some(vcpu) = self.vcpus.get_mut(key) {
                vcpu.own = None;
            }
            pokes.extend(self.assign(key));
        }
        // Some that wait may run anywhere now.
        for free in self.free.iter().collect::<CpuSet>().iter() {
            pokes.extend(self.pass_on(free));
        }
        Ok(pokes)
    }

    fn domain_join(&mut self, domain: DomainKey, _now: Nanos) -> Refused<()> {
        check_new_domain(self.domains.get(domain.0))?;
        if !self.domains.reserve_for_many(domain.0) {
            return no_memory();
        }
        self.domains.put(domain.0, 0);
        Ok(())
    }

    fn domain_leave(&mut self, domain: DomainKey) -> Refused<()> {
        check_leaving_domain(self.domains.get(domain.0).copied())?;
        self.domains.take(domain.0);
        Ok(())
    }

    fn insert(&mut self, vcpu: VcpuKey, parameters: &VcpuParameters, _now: Nanos) -> Refused<()> {
        check_new_vcpu(self.vcpus.get(vcpu.0), parameters)?;
        let Some(members) = self.domains.get_mut(parameters.domain.0) else {
            return no_such_domain();
        };
        let room = room_for(self.count + 1);
        if !self.vcpus.reserve_for_many(vcpu.0) || !self.waiting.reserve(room) {
            return no_memory();
        }
        *members += 1;
        let new = Vcpu {
            domain: parameters.domain.0,
            hard: parameters.hard_affinity,
            soft: parameters.soft_affinity,
            runnable: false,
            own: None,
            on_cpu: None,
            home: parameters.first_cpu,
            place: None,
        };
        self.vcpus.put(vcpu.0, new);
        self.count += 1;
        Ok(())
    }

    fn remove(&mut self, vcpu: VcpuKey, _now: Nanos) -> Refused<Poke> {
        let domain = leaving_vcpu(&self.vcpus, vcpu, |member| member.on_cpu)?.domain;
        let poke = self.give_up(vcpu.0);
        self.vcpus.take(vcpu.0);
        if let Some(members) = self.domains.get_mut(domain) {
            *members = members.saturating_sub(1);
        }
        self.count = self.count.saturating_sub(1);
        Ok(poke)
    }

    fn wake(&mut self, vcpu: VcpuKey, _now: Nanos) -> Poke {
        let member = self.vcpus.get_mut(vcpu.0)?;
        if member.runnable {
            return None;
        }
        member.runnable = true;
        match member.own {
            Some(cpu) => member
                .on_cpu
                .is_none_or(|on_cpu| on_cpu == cpu)
                .then_some(cpu),
            None if member.place.is_some() => None,
            None => self.assign(vcpu.0),
        }
    }

    fn sleep(&mut self, vcpu: VcpuKey, _now: Nanos) -> Poke {
        let member = self.vcpus.get_mut(vcpu.0)?;
        member.runnable = false;
        let on_cpu = member.on_cpu?;
        (self.current(on_cpu) == Some(vcpu.0)).then_some(on_cpu)
    }

    fn retire(&mut self, vcpu: VcpuKey, now: Nanos) -> CpuSet {
        let mut pokes = CpuSet::EMPTY;
        pokes.extend(self.sleep(vcpu, now));
        pokes.extend(self.give_up(vcpu.0));
        pokes
    }

    fn yield_now(&mut self, _vcpu: VcpuKey, _now: Nanos) -> Poke {
        None
    }

    fn schedule(&mut self, cpu: CpuId, _now: Nanos) -> Decision {
        let Some(found) = self.cpus.get_mut(cpu.0) else {
            return Decision::IDLE;
        };
        let owner = found
            .owner
            .and_then(|key| Some((key, self.vcpus.get_mut(key)?)));
        let next = owner
            .filter(|(_, vcpu)| vcpu.runnable && vcpu.on_cpu.is_none_or(|on_cpu| on_cpu == cpu));
        found.current = next.map(|(key, vcpu)| {
            vcpu.on_cpu = Some(cpu);
            key
        });
        Decision {
            run: found.current.map(VcpuKey),
            ..Decision::IDLE
        }
    }

    fn context_saved(&mut self, vcpu: VcpuKey, _now: Nanos) -> Poke {
        let on_cpu = self.vcpus.get(vcpu.0)?.on_cpu?;
        if self.current(on_cpu) == Some(vcpu.0) {
            return None;
        }
        let member = self.vcpus.get_mut(vcpu.0)?;
        member.on_cpu = None;
        member.own.filter(|_| member.runnable)
    }

    fn set_affinity(
        &mut self,
        vcpu: VcpuKey,
        hard: CpuSet,
        soft: CpuSet,
        _now: Nanos,
    ) -> Refused<CpuSet> {
        check_hard_affinity(&hard)?;
        let Some(member) = self.vcpus.get_mut(vcpu.0) else {
            return no_such_vcpu();
        };
        member.hard = hard;
        member.soft = soft;
        let may_stay = member.own.is_some_and(|own| hard.allows(own, &self.online));
        if may_stay || (member.own.is_none() && member.place.is_none()) {
            return Ok(CpuSet::EMPTY);
        }
        let mut pokes = CpuSet::EMPTY;
        pokes.extend(self.give_up(vcpu.0));
        pokes.extend(self.assign(vcpu.0));
        Ok(pokes)
    }

    fn running_on(&self, vcpu: VcpuKey) -> Option<CpuId> {
        self.vcpus.get(vcpu.0)?.on_cpu
    }

    fn view(&self, cpu: CpuId) -> CpuView {
        let mut view = CpuView::default();
        view.current = self.current(cpu).map(|key| Standing {
            vcpu: VcpuKey(key),
            order: None,
        });
        for (ticket, key) in self.waiting.iter() {
            let vcpu = self.vcpus.get(key);
            let waits = vcpu.filter(|vcpu| vcpu.runnable && vcpu.on_cpu.is_none());
            if waits.is_some_and(|vcpu| vcpu.hard.allows(cpu, &self.online)) {
                view.add(VcpuKey(key), Order::Ticket(ticket));
            }
        }
        view
    }

    fn is_withheld(&self, vcpu: VcpuKey, _now: Nanos) -> bool {
        self.vcpus
            .get(vcpu.0)
            .is_some_and(|vcpu| vcpu.own.is_none())
    }

    fn domain_parameters(&self, _domain: DomainKey) -> Refused<Parameters> {
        no_parameters()
    }

    fn set_domain_parameters(
        &mut self,
        _domain: DomainKey,
        _parameters: &Parameters,
        _now: Nanos,
    ) -> Refused<CpuSet> {
        no_parameters()
    }

    fn vcpu_parameters(&self, _vcpu: VcpuKey) -> Refused<Parameters> {
        no_parameters()
    }

    fn set_vcpu_parameters(
        &mut self,
        _vcpu: VcpuKey,
        _parameters: &Parameters,
        _now: Nanos,
    ) -> Refused<CpuSet> {
        no_parameters()
    }
}

fn no_parameters<T>() -> Refused<T> {
    refuse(Errno::EOPNOTSUPP, "the policy has no parameters")
}
