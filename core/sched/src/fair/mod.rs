//! The fair scheduler: weighted virtual time on every CPU, and vCPUs moved so that the CPUs' loads match.
//!
//! Each CPU has a queue ordered by virtual time: processor time divided by weight. It runs whoever has come
//! least far, so that those who share a CPU share it by weight. A vCPU that moves takes along what it is owed, or
//! owes, of its share, bounded; one that slept comes in before the others, bounded. Between CPUs, an idle CPU takes
//! work at once, a loaded one hands work to a less loaded one, and where loads cannot match (three vCPUs on two CPUs)
//! vCPUs take turns at moving.
//!
//! Time is counted to the nanosecond whenever a CPU looks, never sampled: a vCPU that sleeps just before a timer
//! comes has paid for what it ran like any other.
//!
//! Where no more vCPUs are runnable than CPUs, all of this comes down to a few comparisons: wake on the old
//! CPU because it is idle, run because the queue is empty, and no timer.
//!
//! Two policies are made of it, which differ in when a turn ends (`rules.rs`): `credit2` by how far a vCPU got
//! ahead, `credit` by a set length.

mod balance;
mod caps;
mod contract;
mod long_waits;
mod members;
mod placement;
mod rules;
mod virtual_time;

use vocabulary::{earlier, Nanos};

use self::members::{Cpu, Domain, Room, Vcpu, SPIN_LOOKS};
use self::placement::sibling_waits;
use self::rules::Rules;
use self::virtual_time::{fair_distance, VirtualTime};
use crate::slots::room_for;
use crate::{CpuId, CpuSet, Decision, Policy, Slots, Tuning, VcpuKey};

/// The policies `credit2` and `credit`.
#[derive(Debug)]
pub struct FairScheduler {
    pub(crate) vcpus: Slots<Vcpu>,
    pub(crate) domains: Slots<Domain>,
    pub(crate) cpus: Slots<Cpu>,
    /// Those that were taken away, for the room that they have: they come back while there are many guests, and what was
    /// made then would lie among what is those guests'.
    away: Slots<Cpu>,
    online: CpuSet,
    /// The online CPU, where there is just one.
    sole: Option<CpuId>,
    /// Online CPUs that run nothing and have nothing queued.
    idle: CpuSet,
    /// CPUs whose queue is not empty.
    queued: CpuSet,
    /// How many vCPUs there are.
    count: usize,
    /// For how many every online CPU has room.
    room: Room,
    rules: Rules,
}

impl FairScheduler {
    /// A scheduler without CPUs and vCPUs, of policy `credit2`.
    pub const fn credit2() -> Self {
        Self::new(Policy::Credit2)
    }

    /// A scheduler without CPUs and vCPUs, of policy `credit`.
    pub const fn credit() -> Self {
        Self::new(Policy::Credit)
    }

    const fn new(policy: Policy) -> Self {
        Self {
            vcpus: Slots::new(),
            domains: Slots::new(),
            cpus: Slots::new(),
            away: Slots::new(),
            online: CpuSet::EMPTY,
            sole: None,
            idle: CpuSet::EMPTY,
            queued: CpuSet::EMPTY,
            count: 0,
            room: Room::NONE,
            rules: Rules {
                policy,
                tuning: Tuning::DEFAULT,
            },
        }
    }

    /// Where a vCPU may run now: its hard affinity, or anywhere while none of that is online.
    fn allowed(&self, vcpu: &Vcpu) -> CpuSet {
        vcpu.hard.within(&self.online)
    }

    /// Whether a vCPU may run on a CPU now.
    fn may_run(&self, vcpu: &Vcpu, cpu: CpuId) -> bool {
        vcpu.hard.allows(cpu, &self.online)
    }

    /// Counts the current vCPU's time up to `now`, and moves the CPU's clock.
    fn count(&mut self, cpu_id: CpuId, now: Nanos) {
        let Some(cpu) = self.cpus.get_mut(cpu_id.0) else {
            return;
        };
        let Some(vcpu) = cpu.current.and_then(|key| self.vcpus.get_mut(key)) else {
            return;
        };
        let ran = Nanos(now.0.saturating_sub(cpu.counted.0));
        cpu.counted = now.max(cpu.counted);
        if self.sole.is_none() {
            cpu.fair = cpu.fair.plus(fair_distance(ran, cpu.load));
        }
        vcpu.reached = vcpu.reached.plus(vcpu.weight.distance(ran));
        cpu.advance(vcpu.reached);
        if let Some(domain) = self.domains.get_mut(vcpu.domain) {
            domain.budget.spend(ran, now);
        }
    }

    /// Makes `key`, which is in no queue, what the CPU runs.
    fn start(&mut self, cpu_id: CpuId, key: u32, now: Nanos) {
        self.idle.remove(cpu_id);
        let (Some(vcpu), Some(cpu)) = (self.vcpus.get_mut(key), self.cpus.get_mut(cpu_id.0)) else {
            return;
        };
        vcpu.on_cpu = Some(cpu_id);
        let mut has_siblings = false;
        if let Some(domain) = self.domains.get_mut(vcpu.domain) {
            has_siblings = domain.members > 1;
            domain.running += 1;
            // What is left is what the timer is set by.
            domain.budget.spend(Nanos(0), now);
        }
        cpu.current = Some(key);
        cpu.since = now;
        cpu.turn = now;
        cpu.counted = now;
        cpu.preempted = false;
        cpu.has_siblings = has_siblings;
        cpu.looks = false;
        cpu.look = Nanos(now.0.saturating_add(SPIN_LOOKS.0));
        cpu.load += vcpu.weight.load();
        cpu.advance(vcpu.reached);
    }

    /// Takes the current vCPU off the CPU; it is in nobody's queue until its registers are saved.
    fn stop(&mut self, cpu_id: CpuId, now: Nanos) -> Option<u32> {
        let cpu = self.cpus.get_mut(cpu_id.0)?;
        let key = cpu.current.take()?;
        cpu.yielded = false;
        let Some(vcpu) = self.vcpus.get_mut(key) else {
            return Some(key);
        };
        vcpu.stopped = now;
        vcpu.waits_since = now;
        vcpu.lead = vcpu.reached.since(cpu.fair);
        cpu.load = cpu.load.saturating_sub(vcpu.weight.load());
        if let Some(domain) = self.domains.get_mut(vcpu.domain) {
            domain.running = domain.running.saturating_sub(1);
        }
        Some(key)
    }

    /// Whether the current vCPU keeps the CPU, its time being counted.
    fn keeps(&self, cpu_id: CpuId, now: Nanos) -> bool {
        let Some(cpu) = self.cpus.get(cpu_id.0) else {
            return false;
        };
        let Some(key) = cpu.current else {
            return false;
        };
        let Some(vcpu) = self.vcpus.get(key) else {
            return false;
        };
        let stays = vcpu.runnable && self.may_run(vcpu, cpu_id) && !self.is_spent(key, now);
        let first = self.rules.first_rival(cpu, vcpu, &self.vcpus);
        stays
            && (first.is_none_or(|first| self.rules.goes_on(cpu, vcpu, first, now))
                || self.first_leaves(cpu).is_some())
    }

    /// Takes the vCPU that runs next on the CPU out of its queue; parks those on the way whose domain's cap
    /// allows no more.
    fn take_next(&mut self, cpu_id: CpuId, now: Nanos) -> Option<u32> {
        loop {
            let first = self.cpus.get(cpu_id.0).and_then(|cpu| cpu.queue.first());
            let key = match first {
                Some((_, key)) => {
                    self.dequeue(key);
                    key
                }
                None => self.steal(cpu_id, now)?,
            };
            if !self.is_spent(key, now) {
                return Some(key);
            }
            self.note_lead(key);
            // Its home is this CPU, which sets its timer when it has chosen.
            self.park(key, now);
        }
    }

    /// The decision to run what is current, with the timer that this needs. Of those that wait, one that just
    /// `stopped` (how far it came, and its domain) is not in the queue yet.
    fn decide(
        &mut self,
        cpu_id: CpuId,
        stopped: Option<(VirtualTime, u32)>,
        mut pokes: CpuSet,
        now: Nanos,
    ) -> Decision {
        pokes.extend(self.hand_over(cpu_id, now));
        pokes.remove(cpu_id);
        let Some(cpu) = self.cpus.get_mut(cpu_id.0) else {
            return Decision::IDLE;
        };
        cpu.yielded = false;
        if self.rules.turn_end(cpu) <= now {
            cpu.turn = now;
        }
        let mut timer = cpu.duties.first().map(|first| first.0);
        cpu.until = None;
        if let Some(vcpu) = cpu.current.and_then(|key| self.vcpus.get(key)) {
            let first = self.rules.first_rival(cpu, vcpu, &self.vcpus);
            let stopped_of = stopped.map(|(_, domain)| domain);
            let stopped =
                stopped.map(|(reached, domain)| self.rules.rival(vcpu, reached, || Some(domain)));
            let rival = match (first, stopped) {
                (Some(first), Some(stopped)) if stopped.reached < first.reached => Some(stopped),
                (first, stopped) => first.or(stopped),
            };
            if let Some(rival) = rival {
                cpu.looks = cpu.has_siblings
                    && (stopped_of == Some(vcpu.domain) || sibling_waits(cpu, vcpu, &self.vcpus));
                let end = self.rules.slice_end(cpu, vcpu, rival, now);
                cpu.until = Some(end);
                timer = earlier(timer, Some(end.min(cpu.next_look(now))));
            }
            let domain = self.domains.get(vcpu.domain);
            timer = earlier(timer, domain.and_then(|domain| domain.budget_end(now)));
        }
        cpu.timer = timer;
        let run = cpu.current.map(VcpuKey);
        if self.rules.has_delay() {
            timer = self.mind_delay(cpu_id, now);
        }
        Decision {
            run,
            until: timer,
            pokes,
        }
    }

    /// When the CPU must look again, if those that came to its queue change nothing but that. (If its current vCPU sleeps
    /// now, may no longer be here or has spent its budget, the CPU was told so, or has a timer for it.)
    fn look_later(&mut self, cpu_id: CpuId, now: Nanos) -> Option<Nanos> {
        let cpu = self.cpus.get_mut(cpu_id.0)?;
        let vcpu = self.vcpus.get(cpu.current?)?;
        let rival = self.rules.first_rival(cpu, vcpu, &self.vcpus)?;
        if !self.rules.goes_on(cpu, vcpu, rival, now) {
            return None;
        }
        let end = self.rules.slice_end(cpu, vcpu, rival, now);
        cpu.until = Some(end);
        // A timer that is set already stays: wake-ups do not put the look off.
        let look = Nanos(now.0.saturating_add(SPIN_LOOKS.0));
        let next = if cpu.looks { end.min(look) } else { end };
        cpu.timer = earlier(cpu.timer, Some(next));
        cpu.timer
    }

    /// Makes room for so many vCPUs in all queues, and so many domains among all CPUs' duties.
    fn reserve(&mut self, vcpus: usize, domains: usize) -> bool {
        let larger = |room: usize, wanted: usize| {
            if wanted > room {
                room_for(wanted)
            } else {
                room
            }
        };
        let room = Room {
            vcpus: larger(self.room.vcpus, vcpus),
            domains: larger(self.room.domains, domains),
        };
        if room != self.room {
            if !self.cpus.iter_mut().all(|(_, cpu)| cpu.reserve(room)) {
                return false;
            }
            self.room = room;
        }
        true
    }
}
