//! Into which CPU's queue a runnable vCPU goes, and whether that CPU must be told.

use vocabulary::Nanos;

use super::members::{Cpu, Vcpu};
use super::virtual_time::{at_default_weight, VirtualTime};
use super::FairScheduler;
use crate::{CpuId, CpuSet, Poke, Slots};

/// How much a vCPU that slept may come in before those that ran meanwhile. All of these are times at the default weight;
/// at others they are as much more or less.
const LONGEST_LAG: i64 = at_default_weight(5_000_000);
/// How much a vCPU takes along, when it moves, of what it is owed. Longer than equals wait for each other's turns of 30 ms,
/// so that a sleeper comes before those.
const LONGEST_CLAIM: i64 = at_default_weight(50_000_000);
/// How much lead a vCPU takes along when it moves.
const LONGEST_LEAD: i64 = at_default_weight(100_000_000);
/// How far behind the running vCPU a woken one must be to preempt it.
const PREEMPTION: i64 = at_default_weight(500_000);
/// How many of a queue's vCPUs are looked at to find those of a domain.
const SIBLINGS: usize = 8;

/// Whether another vCPU of the current one's domain waits in the CPU's queue, near its front.
pub(crate) fn sibling_waits(cpu: &Cpu, current: &Vcpu, vcpus: &Slots<Vcpu>) -> bool {
    cpu.queue.iter().take(SIBLINGS).any(|(_, other)| {
        let other = vcpus.get(other);
        other.is_some_and(|other| other.domain == current.domain)
    })
}

impl FairScheduler {
    /// Whether the CPU runs the vCPU (rather than just holding its registers).
    pub(crate) fn runs_on(&self, key: u32, cpu: CpuId) -> bool {
        self.cpus
            .get(cpu.0)
            .is_some_and(|cpu| cpu.current == Some(key))
    }

    /// Puts a runnable vCPU that is nowhere into the best CPU's queue, or parks it.
    #[inline]
    pub(crate) fn place(&mut self, key: u32, now: Nanos) -> Poke {
        if self.is_spent(key, now) {
            return self.park(key, now);
        }
        let target = self.choose(self.vcpus.get(key)?, now)?;
        self.enqueue(key, target, now)
    }

    /// The best CPU: the last one if idle, or as long after the vCPU stopped there as the caches are taken to be warm; else
    /// another idle one, or the last one if not much more loaded than the least loaded. Soft affinity is honoured while that
    /// leaves a choice.
    #[inline]
    fn choose(&self, vcpu: &Vcpu, now: Nanos) -> Option<CpuId> {
        if self.sole.is_some() {
            return self.sole;
        }
        self.choose_of_many(vcpu, now)
    }

    /// Apart, so that where there is one CPU nothing is kept for it.
    #[inline(never)]
    fn choose_of_many(&self, vcpu: &Vcpu, now: Nanos) -> Option<CpuId> {
        let home = vcpu.home;
        if self.idle.contains(home) && vcpu.soft.contains(home) && self.may_run(vcpu, home) {
            return Some(home);
        }
        if self.rules.is_warm(vcpu.stopped, now) && self.may_run(vcpu, home) {
            return Some(home);
        }
        let allowed = self.allowed(vcpu);
        if let Some(only) = allowed.single() {
            return Some(only);
        }
        let preferred = allowed.and(&vcpu.soft);
        for set in [preferred, allowed] {
            let idle = set.and(&self.idle);
            if idle.contains(vcpu.home) {
                return Some(vcpu.home);
            }
            if let Some(cpu) = idle.next_from(vcpu.home) {
                return Some(cpu);
            }
        }
        let set = if preferred.is_empty() {
            allowed
        } else {
            preferred
        };
        let load = |cpu: CpuId| self.cpus.get(cpu.0).map_or(u64::MAX, |cpu| cpu.load);
        let least = set.iter().min_by_key(|cpu| load(*cpu))?;
        let home_will_do = set.contains(vcpu.home)
            && load(vcpu.home) <= load(least).saturating_add(vcpu.weight.load());
        Some(if home_will_do { vcpu.home } else { least })
    }

    /// Puts a vCPU that is nowhere into a CPU's queue, with its lead or lag, bounded. Answers the CPU if it
    /// must look: it is idle, or the vCPU preempts, or no timer of it is set in time.
    pub(crate) fn enqueue(&mut self, key: u32, target: CpuId, now: Nanos) -> Poke {
        self.count(target, now);
        let vcpu = self.vcpus.get(key)?;
        let reached = if vcpu.home == target {
            // On its own CPU it pays for whatever it got ahead, however long a turn became.
            let clock = self.cpus.get(target.0)?.clock;
            vcpu.reached.max(clock.plus(-LONGEST_LAG))
        } else {
            self.come_over(key, target, now)?
        };
        let vcpu = self.vcpus.get_mut(key)?;
        let movable = vcpu.only != Some(target);
        vcpu.movable = movable;
        vcpu.reached = reached;
        let (weight, domain) = (vcpu.weight, vcpu.domain);
        let cpu = self.cpus.get_mut(target.0)?;
        if self.sole.is_none() {
            let lead = reached.since(cpu.fair);
            cpu.share_out(lead.saturating_sub(vcpu.lead), weight);
        }
        // Room was reserved when the vCPU or the CPU came, whichever was later.
        let _has_room = cpu.queue.push(reached, key, &mut self.vcpus);
        cpu.load += weight.load();
        cpu.movable += u32::from(movable);
        self.queued.insert(target);
        let Some(current) = cpu.current.and_then(|current| self.vcpus.get(current)) else {
            self.idle.remove(target);
            return Some(target);
        };
        let preempts = current.reached.since(reached) > PREEMPTION;
        cpu.preempted |= preempts;
        let rate_limit = self.rules.tuning.rate_limit;
        let earliest = now.0.max(cpu.since.0.saturating_add(rate_limit.0));
        let in_time = match cpu.until {
            Some(until) => !preempts || until.0 <= earliest,
            None => false,
        };
        // The current vCPU may wait for it, spinning, which nobody looked for yet.
        let is_sibling = current.domain == domain;
        let is_first_sibling = is_sibling && !cpu.looks;
        cpu.looks |= is_sibling;
        let has_delay = self.rules.has_delay();
        (!in_time || is_first_sibling || has_delay).then_some(target)
    }

    /// Makes a CPU a vCPU's home that was at home elsewhere. Answers where it goes into the queue.
    #[inline(never)]
    fn come_over(&mut self, key: u32, target: CpuId, now: Nanos) -> Option<VirtualTime> {
        let home = self.vcpus.get(key)?.home;
        self.count(home, now);
        let reached = self.comes_in(key, target)?;
        let vcpu = self.vcpus.get_mut(key)?;
        vcpu.home = target;
        vcpu.arrived = now;
        Some(reached)
    }

    /// Where a vCPU goes into the queue of a CPU that is not its home yet.
    ///
    /// It takes along what it owes, or is owed, against its share. Were that against who came least far, as
    /// it is at home, somebody with a little lead might wait for ever: new ones would come before it, one after the other,
    /// and who came least far would always be one of those. One that slept, or was parked, has paid meanwhile; if it is
    /// behind all where it was, it comes in before all, but not before who waited for very long.
    fn comes_in(&self, key: u32, target: CpuId) -> Option<VirtualTime> {
        let (vcpu, to) = (self.vcpus.get(key)?, self.cpus.get(target.0)?);
        let longest = LONGEST_LEAD.max(vcpu.weight.distance(self.rules.longest_run()));
        let after = |lead: i64| to.fair.plus(lead.clamp(-LONGEST_CLAIM, longest));
        // Of a home that went away only the lead is known that the vCPU left with.
        let Some(home) = self.cpus.get(vcpu.home.0) else {
            return Some(after(vcpu.lead));
        };
        let since_fair = vcpu.reached.since(home.fair).max(-LONGEST_LAG);
        let by_share = after(vcpu.lead.min(since_fair));
        let behind_all = vcpu.reached.since(home.clock);
        if behind_all >= 0 {
            return Some(by_share);
        }
        let before_all = to.clock.plus(behind_all.max(-LONGEST_LAG));
        Some(by_share.min(before_all).max(after(-LONGEST_CLAIM)))
    }

    /// A vCPU that slept long owes nothing, and comes in before those that ran meanwhile.
    #[cold]
    pub(crate) fn forget_lead(&mut self, key: u32) {
        let Some(vcpu) = self.vcpus.get_mut(key) else {
            return;
        };
        vcpu.lead = vcpu.lead.min(0);
        if let Some(home) = self.cpus.get(vcpu.home.0) {
            vcpu.reached = home.clock.plus(-LONGEST_LAG);
        }
    }

    /// A CPU came, with a new clock: how far vCPUs came by one that it had before says nothing any more. Not a hot path.
    pub(crate) fn forget_old_clock(&mut self, cpu: CpuId) {
        let members = self.vcpus.iter_mut().map(|(_, vcpu)| vcpu);
        for vcpu in members.filter(|vcpu| vcpu.home == cpu) {
            vcpu.reached = VirtualTime::START;
        }
    }

    /// Notes how far ahead of its share a vCPU is that no longer waits in its home's queue.
    pub(crate) fn note_lead(&mut self, key: u32) {
        let Some(vcpu) = self.vcpus.get_mut(key) else {
            return;
        };
        if let Some(home) = self.cpus.get(vcpu.home.0) {
            vcpu.lead = vcpu.reached.since(home.fair);
        }
    }

    /// Takes a vCPU that does not wait any longer out of its queue. What ran there meanwhile is counted before: it was
    /// among those that shared the CPU.
    pub(crate) fn withdraw(&mut self, key: u32, now: Nanos) {
        let Some(vcpu) = self.vcpus.get(key).filter(|vcpu| vcpu.place.is_some()) else {
            return;
        };
        if !vcpu.parked {
            self.count(vcpu.home, now);
            self.note_lead(key);
        }
        self.dequeue(key);
    }

    /// Takes a vCPU out of its queue or from where it is parked, if it is there.
    pub(crate) fn dequeue(&mut self, key: u32) {
        let Some(vcpu) = self.vcpus.get(key) else {
            return;
        };
        let (home, load, domain) = (vcpu.home, vcpu.weight.load(), vcpu.domain);
        let movable = u32::from(vcpu.movable);
        let Some(place) = vcpu.place else {
            return;
        };
        if vcpu.parked {
            if let Some(domain) = self.domains.get_mut(domain) {
                domain.parked.remove(place, &mut self.vcpus);
            }
            if let Some(vcpu) = self.vcpus.get_mut(key) {
                vcpu.parked = false;
            }
            return;
        }
        let Some(cpu) = self.cpus.get_mut(home.0) else {
            return;
        };
        cpu.queue.remove(place, &mut self.vcpus);
        cpu.load = cpu.load.saturating_sub(load);
        cpu.movable = cpu.movable.saturating_sub(movable);
        if cpu.queue.is_empty() {
            self.queued.remove(home);
            if cpu.current.is_none() && self.online.contains(home) {
                self.idle.insert(home);
            }
        }
    }

    /// The CPU's current vCPU yields, most often because it waits, spinning, for another of its domain, and nobody knows
    /// which: it trades places with the last of those that wait here, so that it comes after all of them. Between them
    /// nothing is lost or won: other domains see no difference.
    pub(crate) fn let_siblings_go_first(&mut self, key: u32, cpu_id: CpuId) {
        let (Some(current), Some(cpu)) = (self.vcpus.get(key), self.cpus.get(cpu_id.0)) else {
            return;
        };
        let own = current.reached;
        let siblings = cpu.queue.iter().take(SIBLINGS).filter(|(_, other)| {
            let other = self.vcpus.get(*other);
            other.is_some_and(|other| other.domain == current.domain)
        });
        let last = siblings.max_by_key(|(reached, _)| *reached);
        let Some((_, last)) = last.filter(|(reached, _)| *reached > own) else {
            return;
        };
        self.trade_places(key, last, cpu_id);
    }

    /// The CPU's current vCPU and one of its domain in its queue take each other's place in virtual time.
    fn trade_places(&mut self, current: u32, queued: u32, cpu_id: CpuId) {
        let (Some(one), Some(other)) = (self.vcpus.get(current), self.vcpus.get(queued)) else {
            return;
        };
        let (mine, theirs, place) = (one.reached, other.reached, other.place);
        if let Some(one) = self.vcpus.get_mut(current) {
            one.reached = theirs;
        }
        if let Some(other) = self.vcpus.get_mut(queued) {
            other.reached = mine;
        }
        if let (Some(place), Some(cpu)) = (place, self.cpus.get_mut(cpu_id.0)) {
            cpu.queue.change_key(place, mine, &mut self.vcpus);
        }
    }

    /// After its affinity or the CPUs changed: moves a vCPU that is where it should not be.
    pub(crate) fn review(&mut self, key: u32, now: Nanos) -> Poke {
        let vcpu = self.vcpus.get(key)?;
        let allowed = self.allowed(vcpu);
        if let Some(cpu) = vcpu.on_cpu {
            return (self.runs_on(key, cpu) && !allowed.contains(cpu)).then_some(cpu);
        }
        // One that waits is placed anew even where it may stay: an idle CPU may be open to it now.
        vcpu.place?;
        self.withdraw(key, now);
        self.place(key, now)
    }

    /// After a CPU came online: moves every vCPU that is elsewhere only because its own CPUs were all away, and
    /// places those that woke while there was no CPU at all. Not a hot path.
    pub(crate) fn resettle(&mut self, now: Nanos) -> CpuSet {
        let mut pokes = CpuSet::EMPTY;
        for key in self.vcpus.numbers() {
            let Some(vcpu) = self.vcpus.get(key) else {
                continue;
            };
            if vcpu.parked {
                continue;
            }
            let at = vcpu.on_cpu.or(vcpu.place.map(|_| vcpu.home));
            let poke = match at {
                Some(cpu) if self.allowed(vcpu).contains(cpu) => None,
                Some(_) => self.review(key, now),
                None if vcpu.runnable => self.place(key, now),
                None => None,
            };
            pokes.extend(poke);
        }
        pokes
    }
}
