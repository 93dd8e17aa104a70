//! The fair scheduler: weighted virtual time on every CPU, and vCPUs moved so that the CPUs' loads match.
//!
//! Each CPU has a queue ordered by virtual time: processor time divided by weight. It runs whoever has come
//! least far, so that those who share a CPU share it by weight. A vCPU that moves takes its lead or lag along,
//! bounded, and so does one that slept. Between CPUs, an idle CPU takes work at once, a loaded one hands work
//! to a less loaded one, and where loads cannot match (three vCPUs on two CPUs) vCPUs take turns at moving.
//!
//! Where no more vCPUs are runnable than CPUs, all of this comes down to a few comparisons: wake on the old
//! CPU because it is idle, run because the queue is empty, and no timer.

use alloc::vec::Vec;

use vocabulary::{refuse, Errno, Nanos, Refused};

use crate::members::{Cpu, Vcpu, Vcpus};
use crate::virtual_time::{at_default_weight, VirtualTime, Weight};
use crate::{CpuId, CpuSet, Decision, Poke, Scheduler, VcpuKey, VcpuParameters, MAX_CPUS};

/// How long a vCPU runs at least before it is preempted, where nobody said anything else.
const RATE_LIMIT: Nanos = Nanos(1_000_000);
/// How far the running vCPU may get ahead of the next before it must let it run.
const SLICE: i64 = at_default_weight(2_000_000);
/// No vCPU runs longer than this while others wait.
const LONGEST_SLICE: Nanos = Nanos(10_000_000);

/// The default policy.
#[derive(Debug)]
pub struct FairScheduler {
    pub(crate) vcpus: Vcpus,
    free_keys: Vec<u32>,
    pub(crate) cpus: Vec<Option<Cpu>>,
    pub(crate) online: CpuSet,
    /// Online CPUs that run nothing and have nothing queued.
    pub(crate) idle: CpuSet,
    /// CPUs whose queue is not empty.
    pub(crate) queued: CpuSet,
    /// For how many vCPUs every online CPU's queue has room.
    room: usize,
    /// No vCPU is preempted before it ran this long, so that switching stays cheap against running.
    pub(crate) rate_limit: Nanos,
}

impl Default for FairScheduler {
    fn default() -> Self {
        Self::new()
    }
}

impl FairScheduler {
    /// A scheduler without CPUs and vCPUs.
    pub const fn new() -> Self {
        Self {
            vcpus: Vcpus(Vec::new()),
            free_keys: Vec::new(),
            cpus: Vec::new(),
            online: CpuSet::EMPTY,
            idle: CpuSet::EMPTY,
            queued: CpuSet::EMPTY,
            room: 0,
            rate_limit: RATE_LIMIT,
        }
    }

    /// How long a vCPU runs at least before it is preempted.
    pub const fn rate_limit(&self) -> Nanos {
        self.rate_limit
    }

    /// Sets how long a vCPU runs at least before it is preempted, half a second at most.
    pub fn set_rate_limit(&mut self, limit: Nanos) {
        self.rate_limit = limit.min(Nanos(500_000_000));
    }

    pub(crate) fn cpu(&self, cpu: CpuId) -> Option<&Cpu> {
        self.cpus.get(cpu.0 as usize)?.as_ref()
    }

    pub(crate) fn cpu_mut(&mut self, cpu: CpuId) -> Option<&mut Cpu> {
        self.cpus.get_mut(cpu.0 as usize)?.as_mut()
    }

    /// Where a vCPU may run now: its hard affinity, or anywhere while none of that is online.
    pub(crate) fn allowed(&self, vcpu: &Vcpu) -> CpuSet {
        let own = vcpu.hard.and(&self.online);
        if own.is_empty() {
            self.online
        } else {
            own
        }
    }

    /// Counts the current vCPU's time up to `now`, and moves the CPU's clock.
    pub(crate) fn count(&mut self, cpu_id: CpuId, now: Nanos) {
        let Some(cpu) = self
            .cpus
            .get_mut(cpu_id.0 as usize)
            .and_then(Option::as_mut)
        else {
            return;
        };
        let Some(vcpu) = cpu.current.and_then(|key| self.vcpus.get_mut(key)) else {
            return;
        };
        let ran = Nanos(now.0.saturating_sub(cpu.counted.0));
        cpu.counted = now.max(cpu.counted);
        vcpu.reached = vcpu.reached.plus(vcpu.weight.distance(ran));
        let least = match cpu.queue.first() {
            Some((first, _)) => first.min(vcpu.reached),
            None => vcpu.reached,
        };
        cpu.clock = cpu.clock.max(least);
    }

    /// Whether the current vCPU goes on, with the queue's first waiting.
    fn goes_on(&self, cpu: &Cpu, current: &Vcpu, first: VirtualTime, now: Nanos) -> bool {
        if cpu.yielded {
            return false;
        }
        now.0 < cpu.since.0.saturating_add(self.rate_limit.0) || current.reached <= first
    }

    /// When the CPU, which runs `current`, must look again because one that came to `rival` waits.
    fn slice_end(&self, cpu: &Cpu, current: &Vcpu, rival: VirtualTime, now: Nanos) -> Nanos {
        let lead = rival.since(current.reached).saturating_add(SLICE);
        let slice = current.weight.time_for(lead).min(LONGEST_SLICE);
        let end = now.0.saturating_add(slice.0);
        Nanos(end.max(cpu.since.0.saturating_add(self.rate_limit.0)))
    }

    /// Makes `key`, which is in no queue, what the CPU runs.
    fn start(&mut self, cpu_id: CpuId, key: u32, now: Nanos) {
        self.idle.remove(cpu_id);
        if let Some(vcpu) = self.vcpus.get_mut(key) {
            vcpu.on_cpu = Some(cpu_id);
            let (reached, load) = (vcpu.reached, vcpu.weight.load());
            if let Some(cpu) = self.cpu_mut(cpu_id) {
                cpu.current = Some(key);
                cpu.since = now;
                cpu.counted = now;
                cpu.load += load;
                let least = cpu
                    .queue
                    .first()
                    .map_or(reached, |first| first.0.min(reached));
                cpu.clock = cpu.clock.max(least);
            }
        }
    }

    /// Takes the current vCPU off the CPU; it is in nobody's queue until its registers are saved.
    pub(crate) fn stop(&mut self, cpu_id: CpuId) -> Option<u32> {
        let cpu = self.cpu_mut(cpu_id)?;
        let key = cpu.current.take()?;
        cpu.yielded = false;
        if let Some(load) = self.vcpus.get(key).map(|vcpu| vcpu.weight.load()) {
            if let Some(cpu) = self.cpu_mut(cpu_id) {
                cpu.load = cpu.load.saturating_sub(load);
            }
        }
        Some(key)
    }

    /// Whether the current vCPU keeps the CPU, its time being counted.
    fn keeps(&self, cpu_id: CpuId, now: Nanos) -> bool {
        let Some(cpu) = self.cpu(cpu_id) else {
            return false;
        };
        let Some(vcpu) = cpu.current.and_then(|key| self.vcpus.get(key)) else {
            return false;
        };
        let stays = vcpu.runnable && self.allowed(vcpu).contains(cpu_id);
        let first = cpu.queue.first();
        stays && first.is_none_or(|first| self.goes_on(cpu, vcpu, first.0, now))
    }

    /// The decision to run what is current, with the timer that this needs.
    fn decide(&mut self, cpu_id: CpuId, stopped: Option<VirtualTime>, now: Nanos) -> Decision {
        let poke = self.hand_over(cpu_id, now);
        let until = self.cpu(cpu_id).and_then(|cpu| {
            let current = self.vcpus.get(cpu.current?)?;
            let first = cpu.queue.first().map(|first| first.0);
            let rival = match (first, stopped) {
                (Some(first), Some(stopped)) => Some(first.min(stopped)),
                (first, stopped) => first.or(stopped),
            };
            Some(self.slice_end(cpu, current, rival?, now))
        });
        let mut run = None;
        if let Some(cpu) = self.cpu_mut(cpu_id) {
            cpu.until = until;
            cpu.yielded = false;
            run = cpu.current.map(VcpuKey);
        }
        Decision { run, until, poke }
    }

    fn reserve(&mut self, total: usize) -> bool {
        if total > self.room {
            let mut queues = self.cpus.iter_mut().flatten();
            if !queues.all(|cpu| cpu.queue.reserve(total)) {
                return false;
            }
            self.room = total;
        }
        true
    }
}

impl Scheduler for FairScheduler {
    /// The tools know this policy's parameters (weights and a rate limit) by the name of the one it stands for.
    fn name(&self) -> &'static str {
        "credit2"
    }

    fn cpu_online(&mut self, cpu: CpuId, now: Nanos) -> Refused<CpuSet> {
        if cpu.0 >= MAX_CPUS {
            return refuse(Errno::EINVAL, "the CPU's number is too large");
        }
        let index = cpu.0 as usize;
        let more = (index + 1).saturating_sub(self.cpus.len());
        let mut new = Cpu::new(now);
        if self.cpus.try_reserve(more).is_err() || !new.queue.reserve(self.room) {
            return refuse(Errno::ENOMEM, "no memory for a CPU's queue");
        }
        if self.cpus.len() <= index {
            self.cpus.resize_with(index + 1, || None);
        }
        match self.cpus.get_mut(index) {
            Some(slot) if slot.is_none() => *slot = Some(new),
            _ => return refuse(Errno::EEXIST, "the CPU is in use already"),
        }
        self.online.insert(cpu);
        self.idle.insert(cpu);
        Ok(self.resettle(now))
    }

    fn cpu_offline(&mut self, cpu: CpuId, now: Nanos) -> Refused<CpuSet> {
        if !self.online.contains(cpu) {
            return refuse(Errno::ENODEV, "the CPU is not in use");
        }
        if self.online.len() == 1 && self.vcpus.0.iter().any(Option::is_some) {
            return refuse(Errno::EBUSY, "the last CPU stays while there are vCPUs");
        }
        self.count(cpu, now);
        self.stop(cpu);
        self.online.remove(cpu);
        self.idle.remove(cpu);
        let mut pokes = CpuSet::EMPTY;
        while let Some((_, key)) = self.cpu(cpu).and_then(|cpu| cpu.queue.first()) {
            self.dequeue(key);
            pokes.extend(self.place(key, now));
        }
        if let Some(slot) = self.cpus.get_mut(cpu.0 as usize) {
            *slot = None;
        }
        Ok(pokes)
    }

    fn insert(&mut self, parameters: &VcpuParameters, now: Nanos) -> Refused<VcpuKey> {
        if parameters.weight == 0 || parameters.hard_affinity.is_empty() {
            return refuse(Errno::EINVAL, "a vCPU has a weight and a CPU to run on");
        }
        let vcpu = Vcpu {
            weight: Weight::new(parameters.weight),
            hard: parameters.hard_affinity,
            soft: parameters.soft_affinity,
            runnable: false,
            on_cpu: None,
            home: parameters.first_cpu,
            place: None,
            reached: self
                .cpu(parameters.first_cpu)
                .map_or(VirtualTime::START, |cpu| cpu.clock),
            arrived: now,
        };
        if let Some(key) = self.free_keys.pop() {
            if let Some(slot) = self.vcpus.0.get_mut(key as usize) {
                *slot = Some(vcpu);
                return Ok(VcpuKey(key));
            }
        }
        let count = self.vcpus.0.len();
        let room = (count + 1).next_power_of_two().max(16);
        let no_memory = self.vcpus.0.try_reserve(1).is_err()
            || self.free_keys.try_reserve(count + 1).is_err()
            || !self.reserve(room);
        let Some(key) = u32::try_from(count).ok().filter(|_| !no_memory) else {
            return refuse(Errno::ENOMEM, "no memory for another vCPU");
        };
        self.vcpus.0.push(Some(vcpu));
        Ok(VcpuKey(key))
    }

    fn remove(&mut self, vcpu: VcpuKey, _now: Nanos) -> Refused<()> {
        match self.vcpus.get(vcpu.0) {
            None => return refuse(Errno::ENOENT, "the scheduler has no such vCPU"),
            Some(member) if member.on_cpu.is_some() => {
                return refuse(Errno::EBUSY, "the vCPU is on a CPU");
            }
            Some(_) => {}
        }
        self.dequeue(vcpu.0);
        if let Some(slot) = self.vcpus.0.get_mut(vcpu.0 as usize) {
            *slot = None;
            // Room for every key was reserved when the key was made.
            self.free_keys.push(vcpu.0);
        }
        Ok(())
    }

    fn wake(&mut self, vcpu: VcpuKey, now: Nanos) -> Poke {
        let member = self.vcpus.get_mut(vcpu.0)?;
        if member.runnable {
            return None;
        }
        member.runnable = true;
        // One that some CPU still holds goes on there, or is placed when its registers are saved.
        if member.on_cpu.is_some() {
            return None;
        }
        self.place(vcpu.0, now)
    }

    fn sleep(&mut self, vcpu: VcpuKey, _now: Nanos) -> Poke {
        let member = self.vcpus.get_mut(vcpu.0)?;
        member.runnable = false;
        let on_cpu = member.on_cpu;
        self.dequeue(vcpu.0);
        on_cpu.filter(|cpu| self.runs_on(vcpu.0, *cpu))
    }

    fn yield_now(&mut self, vcpu: VcpuKey, _now: Nanos) -> Poke {
        let on_cpu = self.vcpus.get(vcpu.0)?.on_cpu?;
        if !self.runs_on(vcpu.0, on_cpu) {
            return None;
        }
        let cpu = self.cpu_mut(on_cpu)?;
        if cpu.queue.is_empty() {
            return None;
        }
        cpu.yielded = true;
        Some(on_cpu)
    }

    fn schedule(&mut self, cpu: CpuId, now: Nanos) -> Decision {
        let nothing = Decision {
            run: None,
            until: None,
            poke: None,
        };
        if !self.online.contains(cpu) {
            return nothing;
        }
        self.count(cpu, now);
        if self.keeps(cpu, now) {
            return self.decide(cpu, None, now);
        }
        self.let_pass(cpu);
        let stopped = self.stop(cpu).and_then(|key| {
            let vcpu = self.vcpus.get(key)?;
            let comes_back = vcpu.runnable && self.allowed(vcpu).contains(cpu);
            comes_back.then_some(vcpu.reached)
        });
        let first = self.cpu(cpu).and_then(|cpu| cpu.queue.first());
        let next = match first {
            Some((_, key)) => {
                self.dequeue(key);
                Some(key)
            }
            None => self.steal(cpu, now),
        };
        match next {
            Some(key) => {
                self.start(cpu, key, now);
                self.decide(cpu, stopped, now)
            }
            None => {
                self.idle.insert(cpu);
                if let Some(cpu) = self.cpu_mut(cpu) {
                    cpu.until = None;
                }
                nothing
            }
        }
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
    ) -> Refused<Poke> {
        if hard.is_empty() {
            return refuse(Errno::EINVAL, "a vCPU has a CPU to run on");
        }
        let Some(member) = self.vcpus.get_mut(vcpu.0) else {
            return refuse(Errno::ENOENT, "the scheduler has no such vCPU");
        };
        member.hard = hard;
        member.soft = soft;
        Ok(self.review(vcpu.0, now))
    }

    fn set_weight(&mut self, vcpu: VcpuKey, weight: u16, now: Nanos) -> Refused<()> {
        if weight == 0 {
            return refuse(Errno::EINVAL, "a weight is 1 to 65535");
        }
        let Some(member) = self.vcpus.get(vcpu.0) else {
            return refuse(Errno::ENOENT, "the scheduler has no such vCPU");
        };
        let (old, home, queued) = (member.weight.load(), member.home, member.place.is_some());
        let running = member.on_cpu.filter(|cpu| self.runs_on(vcpu.0, *cpu));
        if let Some(cpu) = running {
            self.count(cpu, now);
        }
        if let Some(cpu) = running
            .or(queued.then_some(home))
            .and_then(|cpu| self.cpu_mut(cpu))
        {
            cpu.load = cpu.load.saturating_sub(old) + u64::from(weight);
        }
        if let Some(member) = self.vcpus.get_mut(vcpu.0) {
            member.weight = Weight::new(weight);
        }
        Ok(())
    }

    fn running_on(&self, vcpu: VcpuKey) -> Option<CpuId> {
        self.vcpus.get(vcpu.0)?.on_cpu
    }
}
