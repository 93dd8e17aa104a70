//! A machine of pretended CPUs and vCPUs that drives a scheduler and checks every decision.

use std::collections::BTreeSet;

use vocabulary::Nanos;

use crate::*;

/// How long an interrupt to another CPU takes.
const POKE_DELAY: u64 = 2_000;

/// What a vCPU does: run so long, then sleep so long, again and again. Sleeping 0 is never.
#[derive(Clone, Copy, Debug)]
pub struct Habit {
    pub runs: u64,
    pub sleeps: u64,
}

/// One that never sleeps.
pub const HOG: Habit = Habit {
    runs: u64::MAX,
    sleeps: 0,
};

pub struct Guest {
    pub key: VcpuKey,
    pub habit: Habit,
    pub hard: CpuSet,
    pub ran: u64,
    /// What is left of the current stretch of running.
    left: u64,
    wakes_at: Option<u64>,
    pub runnable: bool,
    pub removed: bool,
}

#[derive(Default)]
pub struct Processor {
    pub online: bool,
    pub current: Option<VcpuKey>,
    since: u64,
    until: Option<u64>,
    poked_at: Option<u64>,
    pub switches: u64,
    pub schedules: u64,
}

pub struct Machine {
    pub scheduler: FairScheduler,
    pub processors: Vec<Processor>,
    pub guests: Vec<Guest>,
    pub now: u64,
}

impl Machine {
    pub fn new(cpus: u32) -> Self {
        let mut machine = Self {
            scheduler: FairScheduler::new(),
            processors: Vec::new(),
            guests: Vec::new(),
            now: 1_000,
        };
        for _ in 0..cpus {
            machine.processors.push(Processor::default());
        }
        for cpu in 0..cpus {
            machine.online(cpu);
        }
        machine
    }

    pub fn time(&self) -> Nanos {
        Nanos(self.now)
    }

    pub fn online(&mut self, cpu: u32) {
        let pokes = self.scheduler.cpu_online(CpuId(cpu), self.time()).unwrap();
        self.processors[cpu as usize] = Processor {
            online: true,
            poked_at: Some(self.now),
            ..Processor::default()
        };
        self.poke_all(pokes);
    }

    /// False when the scheduler refuses.
    pub fn offline(&mut self, cpu: u32) -> bool {
        self.account();
        let Ok(pokes) = self.scheduler.cpu_offline(CpuId(cpu), self.time()) else {
            return false;
        };
        self.poke_all(pokes);
        let left = self.processors[cpu as usize].current.take();
        self.processors[cpu as usize] = Processor::default();
        if let Some(key) = left {
            let poke = self.scheduler.context_saved(key, self.time());
            self.poke(poke);
        }
        true
    }

    pub fn add(&mut self, weight: u16, hard: CpuSet, habit: Habit) -> usize {
        let parameters = VcpuParameters {
            weight,
            hard_affinity: hard,
            first_cpu: CpuId(self.guests.len() as u32),
            ..VcpuParameters::default()
        };
        let key = self.scheduler.insert(&parameters, self.time()).unwrap();
        self.guests.push(Guest {
            key,
            habit,
            hard,
            ran: 0,
            left: habit.runs,
            wakes_at: None,
            runnable: false,
            removed: false,
        });
        self.guests.len() - 1
    }

    pub fn wake(&mut self, guest: usize) {
        let guest = &mut self.guests[guest];
        if guest.removed {
            return;
        }
        guest.wakes_at = None;
        guest.runnable = true;
        let poke = self.scheduler.wake(guest.key, Nanos(self.now));
        self.poke(poke);
    }

    pub fn sleep(&mut self, guest: usize) {
        self.account();
        let guest = &mut self.guests[guest];
        if guest.removed {
            return;
        }
        guest.runnable = false;
        guest.left = guest.habit.runs;
        let poke = self.scheduler.sleep(guest.key, Nanos(self.now));
        self.poke(poke);
    }

    pub fn poke(&mut self, poke: Poke) {
        let Some(cpu) = poke else { return };
        let processor = &mut self.processors[cpu.0 as usize];
        assert!(processor.online, "poked a CPU that is away");
        let at = self.now + POKE_DELAY;
        processor.poked_at = Some(processor.poked_at.map_or(at, |earlier| earlier.min(at)));
    }

    fn poke_all(&mut self, pokes: CpuSet) {
        for cpu in pokes.iter() {
            self.poke(Some(cpu));
        }
    }

    fn guest_of(&mut self, key: VcpuKey) -> &mut Guest {
        let mut guests = self.guests.iter_mut();
        guests
            .find(|guest| guest.key == key && !guest.removed)
            .unwrap()
    }

    /// Credits everyone with what they ran up to now.
    pub fn account(&mut self) {
        for cpu in 0..self.processors.len() {
            let processor = &mut self.processors[cpu];
            let ran = self.now - processor.since;
            processor.since = self.now;
            if let Some(key) = processor.current {
                let guest = self.guest_of(key);
                guest.ran += ran;
                guest.left = guest.left.saturating_sub(ran);
            }
        }
    }

    pub fn schedule(&mut self, cpu: usize) {
        self.account();
        let decision = self.scheduler.schedule(CpuId(cpu as u32), self.time());
        let before = self.processors[cpu].current;
        if let Some(key) = decision.run {
            for (other, processor) in self.processors.iter().enumerate() {
                assert!(other == cpu || processor.current != Some(key), "runs twice");
            }
            let online: CpuSet = self.online_set();
            let guest = self.guest_of(key);
            assert!(guest.runnable, "runs a sleeper");
            let away = guest.hard.and(&online).is_empty();
            assert!(away || guest.hard.contains(CpuId(cpu as u32)), "affinity");
            assert_eq!(
                self.scheduler.running_on(key),
                Some(CpuId(cpu as u32)),
                "says it is elsewhere"
            );
        }
        if let Some(until) = decision.until {
            assert!(until.0 > self.now, "a timer in the past");
        }
        self.poke(decision.poke);
        let processor = &mut self.processors[cpu];
        processor.schedules += 1;
        processor.until = decision.until.map(|until| until.0);
        processor.poked_at = None;
        processor.current = decision.run;
        processor.since = self.now;
        if before != decision.run {
            processor.switches += 1;
            if let Some(before) = before {
                let poke = self.scheduler.context_saved(before, self.time());
                self.poke(poke);
            }
        }
    }

    fn online_set(&self) -> CpuSet {
        let cpus = self.processors.iter().enumerate();
        cpus.filter(|(_, processor)| processor.online)
            .map(|(cpu, _)| CpuId(cpu as u32))
            .collect()
    }

    /// No CPU is idle while a vCPU that may run there waits, unless the CPU has been told already.
    pub fn check_work_conserving(&self) {
        let running: BTreeSet<VcpuKey> = self.processors.iter().filter_map(|p| p.current).collect();
        let online = self.online_set();
        let told = self.processors.iter().any(|p| p.poked_at.is_some());
        if told {
            return;
        }
        for guest in &self.guests {
            if guest.removed || !guest.runnable || running.contains(&guest.key) {
                continue;
            }
            let own = guest.hard.and(&online);
            let allowed = if own.is_empty() { online } else { own };
            for cpu in allowed.iter() {
                let current = self.processors[cpu.0 as usize].current;
                assert!(
                    current.is_some(),
                    "CPU {cpu:?} is idle, {:?} waits",
                    guest.key
                );
            }
        }
    }

    /// The next moment at which something happens.
    fn next_event(&self) -> Option<u64> {
        let mut next: Option<u64> = None;
        let mut offer = |at: Option<u64>| {
            if let Some(at) = at {
                next = Some(next.map_or(at, |earlier| earlier.min(at)));
            }
        };
        for processor in self.processors.iter().filter(|p| p.online) {
            offer(processor.until);
            offer(processor.poked_at);
            if let Some(key) = processor.current {
                let guest = self.guests.iter().find(|g| g.key == key && !g.removed);
                let left = guest.map_or(u64::MAX, |guest| guest.left);
                offer(processor.since.checked_add(left));
            }
        }
        for guest in self.guests.iter().filter(|guest| !guest.removed) {
            offer(guest.wakes_at);
        }
        next
    }

    /// Lets the machine go on for `nanos`.
    pub fn run(&mut self, nanos: u64) {
        let end = self.now + nanos;
        while let Some(at) = self.next_event().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.account();
            self.happen();
            self.check_work_conserving();
        }
        self.now = end;
        self.account();
    }

    fn happen(&mut self) {
        for guest in 0..self.guests.len() {
            if self.guests[guest].wakes_at.is_some_and(|at| at <= self.now) {
                self.wake(guest);
            }
        }
        for cpu in 0..self.processors.len() {
            let processor = &self.processors[cpu];
            if !processor.online {
                continue;
            }
            let mut due = [processor.until, processor.poked_at]
                .iter()
                .flatten()
                .any(|at| *at <= self.now);
            if let Some(key) = processor.current {
                let now = self.now;
                let guest = self.guest_of(key);
                if guest.left == 0 {
                    // It blocks of its own, on its own CPU.
                    guest.left = guest.habit.runs;
                    guest.wakes_at = Some(now + guest.habit.sleeps);
                    guest.runnable = false;
                    self.scheduler.sleep(key, Nanos(now));
                    due = true;
                }
            }
            if due {
                self.schedule(cpu);
            }
        }
    }

    /// Every guest's share of `nanos` of one CPU, in thousandths.
    pub fn shares(&self, nanos: u64) -> Vec<u64> {
        self.guests
            .iter()
            .map(|guest| guest.ran * 1000 / nanos)
            .collect()
    }
}
