//! Moving waiting vCPUs between CPUs: an idle CPU takes one, a loaded CPU gives one away.

use vocabulary::{earlier, Nanos};

use super::members::{Cpu, Vcpu};
use super::FairScheduler;
use crate::{CpuId, CpuSet, Poke};

/// How often a CPU gives a vCPU away merely so that all get their turn on a less loaded CPU.
const ROTATION: Nanos = Nanos(50_000_000);
/// How many of a queue's vCPUs are looked at, from the front.
const LOOKED_AT: usize = 8;
/// How soon a CPU looks again that could give only one of several away.
const SOON: u64 = 50_000;

impl FairScheduler {
    /// For a CPU without work: takes a waiting vCPU from the most loaded CPU that has one it may run. The vCPU
    /// is in no queue then.
    pub(crate) fn steal(&mut self, thief: CpuId, now: Nanos) -> Option<u32> {
        let mut best: Option<(u64, u32)> = None;
        for victim in self.queued.iter() {
            let Some(cpu) = self.cpus.get(victim.0) else {
                continue;
            };
            // One that waits alone on an idle CPU is about to run there.
            let is_about_to_run = cpu.current.is_none() && cpu.queue.len() == 1;
            if is_about_to_run || cpu.movable == 0 || best.is_some_and(|(load, _)| load >= cpu.load)
            {
                continue;
            }
            // All of the queue, not only its front: an idle CPU must find whatever it may run.
            let found = cpu.queue.iter().find(|(_, key)| {
                self.vcpus.get(*key).is_some_and(|vcpu| {
                    self.may_run(vcpu, thief) && !self.rules.is_warm(vcpu.stopped, now)
                })
            });
            if let Some((_, key)) = found {
                best = Some((cpu.load, key));
            }
        }
        let (_, key) = best?;
        self.withdraw(key, now);
        // Through the queue, so that the vCPU takes its lead or lag along.
        self.enqueue(key, thief, now);
        self.dequeue(key);
        Some(key)
    }

    /// For a CPU that runs one vCPU while others wait: gives one of them to a CPU that is less loaded. Answers
    /// that CPU if it must look.
    pub(crate) fn hand_over(&mut self, from: CpuId, now: Nanos) -> Poke {
        // Most machines that wait for this are small: with one CPU there is nobody to give to.
        if !self.queued.contains(from) || self.sole.is_some() {
            return None;
        }
        let cpu = self.cpus.get(from.0)?;
        let load = cpu.load;
        let rotates = now >= cpu.next_rotation;
        let current_came = cpu
            .current
            .and_then(|key| self.vcpus.get(key))
            .map_or(now, |vcpu| vcpu.arrived);
        let mut chosen: Option<(Nanos, u32, CpuId)> = None;
        // With a delay whoever has an idle CPU to go to must be found, wherever in the queue: a timer was set for it.
        let most = if self.rules.has_delay() {
            usize::MAX
        } else {
            LOOKED_AT
        };
        for (_, key) in cpu.queue.iter().take(most) {
            let Some(vcpu) = self.vcpus.get(key) else {
                continue;
            };
            if self.rules.is_warm(vcpu.stopped, now) {
                continue;
            }
            let mut others = self.allowed(vcpu);
            others.remove(from);
            let Some((other_load, target)) = self.least_loaded(&others, from) else {
                continue;
            };
            let after = other_load.saturating_add(vcpu.weight.load());
            // A clear gain is taken at once. Where loads cannot match better, whoever has been here longest
            // moves, so that everyone gets their time on the less loaded CPU; the running one moves when it
            // waits next.
            // An idle CPU helps however heavy the vCPU is against the one that runs.
            let helps = self.idle.contains(target) || after < load - load / 8;
            let turn = rotates
                && other_load < load
                && after <= load + load / 4
                && vcpu.arrived <= current_came;
            if (helps || turn) && chosen.is_none_or(|(arrived, _, _)| vcpu.arrived < arrived) {
                chosen = Some((vcpu.arrived, key, target));
            }
        }
        let (_, key, target) = chosen?;
        for cpu in [from, target] {
            if let Some(cpu) = self.cpus.get_mut(cpu.0) {
                cpu.next_rotation = Nanos(now.0.saturating_add(ROTATION.0));
            }
        }
        self.withdraw(key, now);
        self.enqueue(key, target, now)
    }

    /// Sets a CPU's timer, that is set by turns, by when those that wait may be moved, too. Answers it.
    #[cold]
    pub(crate) fn mind_delay(&mut self, cpu_id: CpuId, now: Nanos) -> Option<Nanos> {
        let cpu = self.cpus.get(cpu_id.0)?;
        if self.sole.is_some() {
            return cpu.timer;
        }
        let (mut timer, mut until) = (cpu.timer, cpu.until);
        if let (Some(at), Some(end)) = (self.first_leaves(cpu), until) {
            if timer == until {
                let current = cpu.current.and_then(|key| self.vcpus.get(key));
                let domain = current.and_then(|vcpu| self.domains.get(vcpu.domain));
                timer = earlier(Some(end.max(at)), cpu.duties.first().map(|first| first.0));
                timer = earlier(timer, domain.and_then(|domain| domain.budget_end(now)));
            }
            until = Some(end.max(at));
        }
        timer = earlier(timer, self.next_to_cool(cpu, now));
        let cpu = self.cpus.get_mut(cpu_id.0)?;
        (cpu.timer, cpu.until) = (timer, until);
        timer
    }

    /// When the next of those that wait on the CPU may be moved, or soon, where one may be already and a CPU is idle.
    fn next_to_cool(&self, cpu: &Cpu, now: Nanos) -> Option<Nanos> {
        let waiting = cpu.queue.iter().filter_map(|(_, key)| self.vcpus.get(key));
        let times = waiting.filter(|vcpu| vcpu.movable).filter_map(|vcpu| {
            let at = self.rules.cools(vcpu.stopped);
            let waits_on = at > now || self.has_idle_cpu(vcpu);
            waits_on.then_some(at.max(Nanos(now.0.saturating_add(SOON))))
        });
        times.min()
    }

    /// When the first that waits on the CPU moves to one that is idle, perhaps now. Until then it does not run
    /// here either, but for a wake-up: taking turns, it might stay warm, and that CPU idle, for ever.
    pub(crate) fn first_leaves(&self, cpu: &Cpu) -> Option<Nanos> {
        if !self.rules.has_delay() || cpu.preempted || cpu.yielded {
            return None;
        }
        let (_, key) = cpu.queue.first()?;
        let first = self.vcpus.get(key)?;
        let at = self.rules.cools(first.stopped);
        self.has_idle_cpu(first).then_some(at)
    }

    /// Whether the vCPU waits for the CPU where it stopped, and must not be moved.
    pub(crate) fn waits_warm(&self, key: u32, now: Nanos) -> bool {
        let Some(vcpu) = self.vcpus.get(key) else {
            return false;
        };
        let home = self.cpus.get(vcpu.home.0);
        let is_busy = home.is_some_and(|home| home.current.is_some());
        is_busy && vcpu.place.is_some() && self.rules.is_warm(vcpu.stopped, now)
    }

    fn has_idle_cpu(&self, vcpu: &Vcpu) -> bool {
        !self.allowed(vcpu).and(&self.idle).is_empty()
    }

    /// The least loaded CPU of a set, the first of equals after `after`, with its load.
    fn least_loaded(&self, set: &CpuSet, after: CpuId) -> Option<(u64, CpuId)> {
        let start = set.next_from(CpuId(after.0.saturating_add(1)))?;
        let distance = |cpu: CpuId| cpu.0.wrapping_sub(start.0);
        set.iter()
            .filter_map(|cpu| Some((self.cpus.get(cpu.0)?.load, cpu)))
            .min_by_key(|(load, cpu)| (*load, distance(*cpu)))
    }
}
