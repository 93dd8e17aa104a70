//! A machine of pretended CPUs and vCPUs that drives a scheduler and checks every decision.

use vocabulary::Nanos;

use crate::*;

mod checks;

/// How long an interrupt to another CPU takes.
const POKE_DELAY: u64 = 2_000;

/// What a vCPU does: run so long, then sleep so long, again and again.
#[derive(Clone, Copy, Debug)]
pub struct Habit {
    pub runs: u64,
    pub sleeps: u64,
    /// It yields where it would sleep.
    pub yields: bool,
    /// Each stretch is a random part of these.
    pub is_random: bool,
}

/// One that never sleeps.
pub const HOG: Habit = Habit::new(u64::MAX, 0);

impl Habit {
    pub const fn new(runs: u64, sleeps: u64) -> Self {
        Self {
            runs,
            sleeps,
            yields: false,
            is_random: false,
        }
    }

    pub const fn random(runs: u64, sleeps: u64) -> Self {
        Self {
            is_random: true,
            ..Self::new(runs, sleeps)
        }
    }

    pub const fn yielding(runs: u64) -> Self {
        Self {
            yields: true,
            ..Self::new(runs, 0)
        }
    }
}

pub struct Guest {
    pub key: VcpuKey,
    pub domain: DomainKey,
    /// Its number in the domain.
    pub number: u32,
    pub habit: Habit,
    pub hard: CpuSet,
    pub ran: u64,
    /// What is left of the current stretch of running.
    left: u64,
    wakes_at: Option<u64>,
    pub runnable: bool,
    pub removed: bool,
    /// When it woke, until it runs.
    woke_at: Option<u64>,
    /// How long it waited after each time it woke of its own.
    pub waits: Vec<u64>,
    /// Where it ran last, and until when.
    last: Option<(usize, u64)>,
    /// How long it had stood still each time that it ran on another CPU than before.
    pub moves: Vec<u64>,
    /// Its stretches of running, from and to.
    pub stretches: Vec<(u64, u64)>,
    chance: u64,
}

impl Guest {
    /// The next stretch's length, of at most `most`.
    fn draw(&mut self, most: u64) -> u64 {
        if !self.habit.is_random {
            return most;
        }
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance % most.max(1) + 1
    }

    /// How long it ran between two moments.
    pub fn ran_between(&self, from: u64, to: u64) -> u64 {
        let first = self.stretches.partition_point(|(_, end)| *end <= from);
        let rest = self.stretches[first..].iter();
        rest.take_while(|(start, _)| *start < to)
            .map(|(start, end)| (*end).min(to) - (*start).max(from))
            .sum()
    }

    /// The wait that all but one in a hundred were shorter than, and the longest.
    pub fn longest_waits(&self) -> (u64, u64) {
        let mut waits = self.waits.clone();
        waits.sort_unstable();
        (waits[waits.len() * 99 / 100], *waits.last().unwrap())
    }
}

#[derive(Default)]
pub struct Processor {
    pub online: bool,
    pub current: Option<VcpuKey>,
    since: u64,
    pub until: Option<u64>,
    pub poked_at: Option<u64>,
    /// It stands still up to this moment.
    stands_until: u64,
    pub switches: u64,
    pub schedules: u64,
}

pub struct Machine<S> {
    pub scheduler: S,
    pub processors: Vec<Processor>,
    pub guests: Vec<Guest>,
    pub now: u64,
    /// Whether guests' stretches of running are written down.
    pub keeps_stretches: bool,
    /// How CPUs are grouped, where the scheduler sees them so.
    pub groups: Option<Groups>,
    /// By how much timers are late at most, at random: a machine that is itself somebody's guest.
    pub lateness: u64,
    chance: u64,
}

impl<S: Scheduler> Machine<S> {
    pub fn new(scheduler: S, cpus: u32) -> Self {
        Self::of_groups(scheduler, cpus, None)
    }

    pub fn of_groups(scheduler: S, cpus: u32, groups: Option<Groups>) -> Self {
        let mut machine = Self {
            scheduler,
            groups,
            processors: Vec::new(),
            guests: Vec::new(),
            now: 1_000,
            keeps_stretches: false,
            lateness: 0,
            chance: 0x2545_f491_4f6c_dd1d,
        };
        for _ in 0..cpus {
            machine.processors.push(Processor::default());
        }
        for cpu in 0..cpus {
            machine.online(cpu);
        }
        machine
    }

    fn roll(&mut self) {
        self.chance = self
            .chance
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(1);
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

    /// A vCPU in a domain of its own.
    pub fn add(&mut self, parameters: Option<Parameters>, hard: CpuSet, habit: Habit) -> usize {
        let domain = DomainKey(self.guests.len() as u32);
        let now = self.time();
        self.scheduler.domain_join(domain, now).unwrap();
        if let Some(parameters) = parameters {
            self.scheduler
                .set_domain_parameters(domain, &parameters, now)
                .unwrap();
        }
        self.add_to(domain, hard, habit)
    }

    /// Another vCPU of a domain.
    pub fn add_to(&mut self, domain: DomainKey, hard: CpuSet, habit: Habit) -> usize {
        let number = self
            .guests
            .iter()
            .filter(|guest| guest.domain == domain)
            .count() as u32;
        let parameters = VcpuParameters {
            domain,
            number,
            hard_affinity: hard,
            first_cpu: CpuId(self.guests.len() as u32),
            ..VcpuParameters::default()
        };
        let comrade = self.unit(domain, number).next();
        let hard = comrade.map_or(hard, |other| self.guests[other].hard);
        let key = VcpuKey(self.guests.len() as u32);
        let now = self.time();
        self.scheduler.insert(key, &parameters, now).unwrap();
        self.guests.push(Guest {
            key,
            domain,
            number,
            habit,
            hard,
            ran: 0,
            left: habit.runs,
            wakes_at: None,
            runnable: false,
            removed: false,
            woke_at: None,
            waits: Vec::new(),
            last: None,
            moves: Vec::new(),
            stretches: Vec::new(),
            chance: 0x9e37_79b9_7f4a_7c15 ^ self.guests.len() as u64,
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
        let key = guest.key;
        let poke = self.scheduler.wake(key, self.time());
        self.roll();
        // Now and then it is the CPU itself that wakes the vCPU, and has a glance first.
        let here = poke.filter(|_| self.chance >> 63 == 0);
        let until = here.and_then(|cpu| self.scheduler.glance(cpu, self.time()));
        match (here, until) {
            (Some(cpu), Some(until)) => {
                assert!(until.0 > self.now, "a timer in the past");
                self.processors[cpu.0 as usize].until = Some(until.0);
            }
            _ => self.poke(poke),
        }
    }

    pub fn sleep(&mut self, guest: usize) {
        self.account();
        let guest = &mut self.guests[guest];
        if guest.removed {
            return;
        }
        guest.runnable = false;
        guest.wakes_at = None;
        guest.left = guest.habit.runs;
        let poke = self.scheduler.sleep(guest.key, Nanos(self.now));
        self.poke(poke);
    }

    /// Takes a vCPU down.
    pub fn retire(&mut self, guest: usize) {
        self.sleep(guest);
        let pokes = self.scheduler.retire(self.guests[guest].key, self.time());
        self.poke_all(pokes);
    }

    pub fn poke(&mut self, poke: Poke) {
        let Some(cpu) = poke else { return };
        let processor = &mut self.processors[cpu.0 as usize];
        assert!(processor.online, "poked a CPU that is away");
        let at = self.now + POKE_DELAY;
        processor.poked_at = Some(processor.poked_at.map_or(at, |earlier| earlier.min(at)));
    }

    pub fn poke_all(&mut self, pokes: CpuSet) {
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
            let now = self.now;
            let processor = &mut self.processors[cpu];
            let ran = now - processor.since;
            processor.since = now;
            let Some(key) = processor.current.filter(|_| ran != 0) else {
                continue;
            };
            let keeps_stretches = self.keeps_stretches;
            let guest = self.guest_of(key);
            guest.ran += ran;
            guest.last = Some((cpu, now));
            guest.left = guest.left.saturating_sub(ran);
            if !keeps_stretches {
                continue;
            }
            match guest.stretches.last_mut() {
                Some((_, end)) if *end == now - ran => *end = now,
                _ => guest.stretches.push((now - ran, now)),
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
            let online = self.leaders(self.online_set());
            let guest = self.guest_of(key);
            assert!(guest.runnable, "runs a sleeper");
            let hard = guest.hard;
            let here = self.leader(CpuId(cpu as u32));
            assert!(self.leaders(hard).allows(here, &online), "affinity");
            assert_eq!(
                self.scheduler.running_on(key),
                Some(CpuId(cpu as u32)),
                "says it is elsewhere"
            );
        }
        if let Some(until) = decision.until {
            assert!(until.0 > self.now, "a timer in the past");
        }
        assert!(!decision.pokes.contains(CpuId(cpu as u32)), "pokes itself");
        self.poke_all(decision.pokes);
        if let Some(key) = decision.run {
            let now = self.now;
            let guest = self.guest_of(key);
            if let Some(at) = guest.woke_at.take() {
                guest.waits.push(now - at);
            }
            match guest.last {
                Some((other, at)) if other != cpu => guest.moves.push(now - at),
                _ => (),
            }
            guest.last = Some((cpu, now));
        }
        self.roll();
        let late = (self.chance >> 33) % (self.lateness + 1);
        let processor = &mut self.processors[cpu];
        processor.schedules += 1;
        processor.until = decision.until.map(|until| until.0 + late);
        processor.poked_at = None;
        processor.current = decision.run;
        processor.since = self.now;
        self.check_group(CpuId(cpu as u32));
        let processor = &mut self.processors[cpu];
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

    /// The next moment at which something happens.
    fn next_event(&self) -> Option<u64> {
        let mut next: Option<u64> = None;
        let mut offer = |at: Option<u64>| {
            if let Some(at) = at {
                next = Some(next.map_or(at, |earlier| earlier.min(at)));
            }
        };
        for processor in self.processors.iter().filter(|p| p.online) {
            let stands = |at: u64| at.max(processor.stands_until);
            offer(processor.until.map(stands));
            offer(processor.poked_at.map(stands));
            if let Some(key) = processor.current {
                let guest = self.guests.iter().find(|g| g.key == key && !g.removed);
                let left = guest.map_or(u64::MAX, |guest| guest.left);
                offer(processor.since.checked_add(left).map(stands));
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
            if let Some(at) = self.guests[guest].wakes_at.filter(|at| *at <= self.now) {
                self.guests[guest].woke_at = Some(at);
                self.wake(guest);
            }
        }
        for cpu in 0..self.processors.len() {
            let processor = &self.processors[cpu];
            if !processor.online || processor.stands_until > self.now {
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
                    // It blocks or yields of its own, on its own CPU.
                    guest.left = guest.draw(guest.habit.runs);
                    due = true;
                    if guest.habit.yields {
                        self.scheduler.yield_now(key, Nanos(now));
                    } else {
                        guest.wakes_at = Some(now + guest.draw(guest.habit.sleeps));
                        guest.runnable = false;
                        self.scheduler.sleep(key, Nanos(now));
                    }
                }
            }
            if due {
                self.schedule(cpu);
            }
        }
    }

    /// Waits until a guest runs that has rivals, and lets its CPU stand still for `nanos`: no timer and no interrupt comes.
    pub fn stand_still_while_it_runs(&mut self, guest: usize, nanos: u64) {
        let key = Some(self.guests[guest].key);
        let is_here = |processor: &Processor| processor.current == key && processor.until.is_some();
        let cpu = loop {
            match self.processors.iter().position(is_here) {
                Some(cpu) => break cpu,
                None => self.run(100_000),
            }
        };
        self.processors[cpu].stands_until = self.now + nanos;
    }

    /// Every guest's share of `nanos` of one CPU, in thousandths.
    pub fn shares(&self, nanos: u64) -> Vec<u64> {
        self.guests
            .iter()
            .map(|guest| guest.ran * 1000 / nanos)
            .collect()
    }
}
