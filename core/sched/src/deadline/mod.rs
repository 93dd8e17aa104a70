//! The deadline scheduler: every vCPU has a budget in every period, and the earliest deadline runs first, on any CPU.
//!
//! A period's end is its deadline. A vCPU that is always runnable gets its budget in each period, as long as all
//! reservations together leave the CPUs enough room: with U their sum and u the largest, U ≤ m − (m − 1)·u on m CPUs
//! is enough (Goossens, Funk and Baruah, 2003), and U ≤ 1 on one. Whose budget is spent waits for its next period, or
//! goes on in time that nobody claims, if it was allowed to. One that sleeps and wakes never asks for more than its
//! share of the CPU (the rule of the constant bandwidth server: Abeni and Buttazzo, 1998), so that nobody's deadline
//! depends on the manners of others.
//!
//! That counts those reservations only that somebody made. What a vCPU has by default, 4 ms in 10, is served after
//! them, in the same order: ten guests that nobody said anything about break no promise.
//!
//! All ready vCPUs are in one heap by urgency, and all that wait for anything are in another by deadline. One CPU,
//! the *keeper*, has a timer for the next deadline of those that wait. A CPU that runs a vCPU which may run on, with
//! nobody waiting, takes no timer at all.
//!
//! A yield changes nothing here: who has the earlier deadline has the first claim.

mod contract;
mod members;

use indexed_heap::IndexedHeap;
use vocabulary::Nanos;

use self::members::{Cpu, Domain, Events, Ready, Urgency, Vcpu};
use crate::{CpuId, CpuSet, Decision, Poke, Slots, VcpuKey};

/// How many deadlines one pass looks at; the rest follow at once.
const BATCH: usize = 16;
/// How soon the rest follow, and the least time a timer is set for.
const SOON: u64 = 20_000;

/// The policy `rtds`.
#[derive(Debug)]
pub struct DeadlineScheduler {
    vcpus: Slots<Vcpu>,
    domains: Slots<Domain>,
    cpus: Slots<Cpu>,
    online: CpuSet,
    /// Online CPUs that run nothing.
    idle: CpuSet,
    /// CPUs that were told to look and did not yet.
    told: CpuSet,
    /// CPUs that run a vCPU without a timer.
    untimed: CpuSet,
    /// Runnable vCPUs on no CPU that have a claim.
    ready: IndexedHeap<Urgency>,
    /// Runnable vCPUs on no CPU, by deadline, and of those whose is the same by the next.
    events: IndexedHeap<(Nanos, Nanos)>,
    /// The CPU whose timer is set for the first event.
    keeper: Option<CpuId>,
    /// How many vCPUs there are.
    count: usize,
}

impl Default for DeadlineScheduler {
    fn default() -> Self {
        Self::new()
    }
}

impl DeadlineScheduler {
    /// A scheduler without CPUs and vCPUs.
    pub const fn new() -> Self {
        Self {
            vcpus: Slots::new(),
            domains: Slots::new(),
            cpus: Slots::new(),
            online: CpuSet::EMPTY,
            idle: CpuSet::EMPTY,
            told: CpuSet::EMPTY,
            untimed: CpuSet::EMPTY,
            ready: IndexedHeap::new(),
            events: IndexedHeap::new(),
            keeper: None,
            count: 0,
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

    fn current(&self, cpu: CpuId) -> Option<u32> {
        self.cpus.get(cpu.0)?.current
    }

    /// Whether the CPU runs the vCPU (rather than just holding its registers).
    fn runs_on(&self, key: u32, cpu: CpuId) -> bool {
        self.current(cpu) == Some(key)
    }

    /// The most urgent of those that are ready and may run on the CPU.
    fn first_for(&self, cpu: CpuId) -> Option<(Urgency, u32)> {
        self.ready.first_where(|key| {
            let vcpu = self.vcpus.get(key);
            vcpu.is_some_and(|vcpu| self.may_run(vcpu, cpu))
        })
    }

    /// How late a period may begin: the timer's least time, and that again for each batch of them that begins at once.
    const fn lateness(&self) -> u64 {
        SOON * (2 + (self.count / BATCH) as u64)
    }

    /// Counts the current vCPU's time up to `now`.
    fn charge(&mut self, cpu_id: CpuId, now: Nanos) {
        let Some(cpu) = self.cpus.get_mut(cpu_id.0) else {
            return;
        };
        if let Some(vcpu) = cpu.current.and_then(|key| self.vcpus.get_mut(key)) {
            vcpu.settle(Nanos(now.0.saturating_sub(cpu.counted.0)), now);
        }
        cpu.counted = now.max(cpu.counted);
    }

    /// Takes a runnable vCPU that is on no CPU in. Answers the CPU that must look.
    fn join(&mut self, key: u32, now: Nanos) -> Poke {
        let vcpu = self.vcpus.get_mut(key)?;
        vcpu.settle(Nanos(0), now);
        let (urgency, is_spent, home) = (vcpu.urgency(), vcpu.is_spent(), vcpu.home);
        let event = vcpu.next_event();
        // Room for all vCPUs was reserved when they came.
        let _has_room = self.events.push(event, key, &mut Events(&mut self.vcpus));
        let mut poke = None;
        if !is_spent {
            let _has_room = self.ready.push(urgency, key, &mut Ready(&mut self.vcpus));
            poke = self.tell(key, now);
        }
        poke.or_else(|| self.arm(home))
    }

    /// Takes a vCPU out of wherever it waits.
    fn leave(&mut self, key: u32) {
        let Some(vcpu) = self.vcpus.get(key) else {
            return;
        };
        let (ready, event) = (vcpu.ready, vcpu.event);
        if let Some(place) = ready {
            self.ready.remove(place, &mut Ready(&mut self.vcpus));
        }
        if let Some(place) = event {
            self.events.remove(place, &mut Events(&mut self.vcpus));
        }
    }

    /// Finds the CPU that a ready vCPU should get: an idle one, else the one whose vCPU is least urgent, if less
    /// than this one. Where there is none, a CPU that must set a timer because somebody waits now.
    fn tell(&mut self, key: u32, now: Nanos) -> Poke {
        let vcpu = self.vcpus.get(key)?;
        let (allowed, home, urgency) = (self.allowed(vcpu), vcpu.home, vcpu.urgency());
        let idle = allowed.and(&self.idle).and_not(&self.told);
        let wish = idle.and(&vcpu.soft);
        let free = [wish, idle].iter().find_map(|set| set.next_from(home));
        if let Some(cpu) = free {
            self.told.insert(cpu);
            return Some(cpu);
        }
        let mut worst: Option<(Urgency, CpuId)> = None;
        for cpu in allowed.and_not(&self.told).iter() {
            self.charge(cpu, now);
            let current = self.current(cpu).and_then(|key| self.vcpus.get(key));
            let Some(found) = current.map(Vcpu::urgency) else {
                continue;
            };
            if found > urgency && worst.is_none_or(|(least, _)| found > least) {
                worst = Some((found, cpu));
            }
        }
        if let Some((_, cpu)) = worst {
            self.told.insert(cpu);
            return Some(cpu);
        }
        allowed.and(&self.untimed).lowest()
    }

    /// Sees to it that some CPU has a timer for the first event, best one that has a timer early enough anyway.
    /// Answers the CPU that must set it.
    fn arm(&mut self, near: CpuId) -> Poke {
        let ((at, _), _) = self.events.first()?;
        let is_in_time = |cpu: CpuId| {
            self.cpus
                .get(cpu.0)
                .and_then(|cpu| cpu.timer)
                .is_some_and(|timer| timer <= at)
        };
        if self.keeper.is_some_and(is_in_time) {
            return None;
        }
        let near = if self.online.contains(near) {
            near
        } else {
            self.online.lowest()?
        };
        let poke = (!is_in_time(near)).then_some(near);
        self.keeper = Some(near);
        poke
    }

    /// Begins the periods that are due, a batch of them. Answers the CPUs to poke.
    fn replenish(&mut self, now: Nanos) -> CpuSet {
        let mut pokes = CpuSet::EMPTY;
        for _ in 0..BATCH {
            let Some(((at, _), key)) = self.events.first() else {
                break;
            };
            if at > now {
                break;
            }
            let Some(vcpu) = self.vcpus.get_mut(key) else {
                break;
            };
            vcpu.settle(Nanos(0), now);
            let (urgency, is_spent) = (vcpu.urgency(), vcpu.is_spent());
            self.reorder(key, urgency, is_spent);
            if !is_spent {
                pokes.extend(self.tell(key, now));
            }
        }
        pokes
    }

    /// After a waiting vCPU's urgency changed.
    fn reorder(&mut self, key: u32, urgency: Urgency, is_spent: bool) {
        let Some(vcpu) = self.vcpus.get(key) else {
            return;
        };
        let (ready, event, next) = (vcpu.ready, vcpu.event, vcpu.next_event());
        if let Some(place) = event {
            self.events
                .change_key(place, next, &mut Events(&mut self.vcpus));
        }
        match (ready, is_spent) {
            (Some(place), false) => {
                self.ready
                    .change_key(place, urgency, &mut Ready(&mut self.vcpus));
            }
            (Some(place), true) => {
                self.ready.remove(place, &mut Ready(&mut self.vcpus));
            }
            (None, false) => {
                let _has_room = self.ready.push(urgency, key, &mut Ready(&mut self.vcpus));
            }
            (None, true) => {}
        }
    }

    /// What the CPU should run: its current vCPU, or a more urgent one that waits.
    fn pick(&self, cpu_id: CpuId) -> Option<u32> {
        let current = self
            .current(cpu_id)
            .and_then(|key| Some((key, self.vcpus.get(key)?)))
            .filter(|(_, vcpu)| vcpu.runnable && !vcpu.is_spent() && self.may_run(vcpu, cpu_id));
        let best = self.first_for(cpu_id);
        match (current, best) {
            (Some((_, vcpu)), Some((urgency, best))) if urgency < vcpu.urgency() => Some(best),
            (Some((key, _)), _) => Some(key),
            (None, best) => best.map(|(_, key)| key),
        }
    }

    /// After the CPU took what it runs: finds a CPU for the first that still waits, and for others an idle one.
    fn offer(&mut self, now: Nanos) -> CpuSet {
        let mut pokes = CpuSet::EMPTY;
        let Some((_, first)) = self.ready.first() else {
            return pokes;
        };
        pokes.extend(self.tell(first, now));
        for cpu in self.idle.and_not(&self.told).iter() {
            if self.first_for(cpu).is_some() {
                pokes.insert(cpu);
            }
        }
        self.told = self.told.or(&pokes.and(&self.idle));
        // Whose budget runs out now makes room for who waits.
        pokes.or(&self.untimed)
    }

    /// The timer that the CPU needs, whose last vCPU's next deadline is `stopped`.
    fn set_timer(&mut self, cpu_id: CpuId, stopped: Option<Nanos>, now: Nanos) -> Option<Nanos> {
        let first = self.events.first().map(|((at, _), _)| at);
        let others_wait = first.is_some() || stopped.is_some();
        let current = self.current(cpu_id);
        let own = current
            .and_then(|key| self.vcpus.get(key))
            .filter(|vcpu| others_wait || !vcpu.server.extra)
            .map(|vcpu| {
                let left = u64::try_from(vcpu.left).unwrap_or(0);
                vcpu.deadline.min(Nanos(now.0.saturating_add(left)))
            });
        let keeper = self.keeper.filter(|keeper| *keeper != cpu_id);
        let kept = keeper
            .and_then(|keeper| self.cpus.get(keeper.0))
            .and_then(|cpu| cpu.timer);
        let event = first.filter(|first| kept.is_none_or(|kept| kept > *first));
        if event.is_some() {
            self.keeper = Some(cpu_id);
        }
        // What is due already is the rest of a batch.
        let own = own.map(|at| Nanos(at.0.max(now.0.saturating_add(SOON))));
        let due = [event, stopped].into_iter().flatten().min();
        let due = due.map(|at| {
            if at > now {
                at
            } else {
                Nanos(now.0.saturating_add(SOON))
            }
        });
        let timer = own.into_iter().chain(due).min();
        if let Some(cpu) = self.cpus.get_mut(cpu_id.0) {
            cpu.timer = timer;
        }
        if current.is_some() && timer.is_none() {
            self.untimed.insert(cpu_id);
        } else {
            self.untimed.remove(cpu_id);
        }
        timer
    }

    /// Chooses what an online CPU runs.
    fn decide(&mut self, cpu_id: CpuId, now: Nanos) -> Decision {
        self.told.remove(cpu_id);
        self.charge(cpu_id, now);
        let mut pokes = self.replenish(now);
        let before = self.current(cpu_id);
        let next = self.pick(cpu_id);
        let mut stopped = None;
        if next != before {
            if let Some(key) = next {
                self.leave(key);
            }
            if let Some(vcpu) = next.and_then(|key| self.vcpus.get_mut(key)) {
                vcpu.on_cpu = Some(cpu_id);
                vcpu.home = cpu_id;
            }
            if let Some(cpu) = self.cpus.get_mut(cpu_id.0) {
                cpu.current = next;
                cpu.counted = now;
            }
            stopped = before
                .and_then(|key| self.vcpus.get(key))
                .filter(|vcpu| vcpu.runnable)
                .map(|vcpu| vcpu.deadline);
        }
        if next.is_some() {
            self.idle.remove(cpu_id);
        } else {
            self.idle.insert(cpu_id);
        }
        let until = self.set_timer(cpu_id, stopped, now);
        self.told.remove(cpu_id);
        pokes = pokes.or(&self.offer(now));
        pokes.remove(cpu_id);
        Decision {
            run: next.map(VcpuKey),
            until,
            pokes,
        }
    }
}
