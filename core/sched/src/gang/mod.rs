//! Gang scheduling: a policy sees cores for CPUs and units of vCPUs for vCPUs, so that no two domains ever run on one
//! core at once. What is said here of cores holds of any groups of CPUs.
//!
//! A *unit* is as many vCPUs of a domain as a core has threads, with adjacent numbers; each runs on the thread of its
//! seat and nowhere else in a core. The policy chooses a unit for each core; a thread runs its vCPU of that unit, or
//! nothing where that one sleeps.
//!
//! When a core changes hands its threads meet, but nobody waits in a loop: a thread whose sibling still runs the unit
//! before is idle, and has poked that sibling. Whoever comes last starts its own vCPU and pokes the others. So a CPU
//! starts a vCPU only when all other threads of its core are idle or run vCPUs of the same unit.

mod contract;
mod members;

use alloc::vec::Vec;
use vocabulary::{Nanos, Refused};

use self::members::{Core, Thread, Unit, Vcpu};
use crate::policy::no_memory;
use crate::{CpuId, CpuSet, Groups, Poke, Scheduler, Slots, VcpuKey, VcpuParameters};

/// A policy for cores instead of CPUs.
#[derive(Debug)]
pub struct GangScheduler<S> {
    policy: S,
    groups: Groups,
    vcpus: Slots<Vcpu>,
    units: Slots<Unit>,
    /// By CPU, those that are online.
    threads: Slots<Thread>,
    /// By their leaders, those that are whole.
    cores: Slots<Core>,
    online: CpuSet,
    /// How many vCPUs there are.
    count: usize,
    /// CPUs to poke that nobody was told of yet.
    late: CpuSet,
}

impl<S: Scheduler> GangScheduler<S> {
    /// A policy without CPUs and vCPUs, for cores of these groups.
    pub const fn new(policy: S, groups: Groups) -> Self {
        Self {
            policy,
            groups,
            vcpus: Slots::new(),
            units: Slots::new(),
            threads: Slots::new(),
            cores: Slots::new(),
            online: CpuSet::EMPTY,
            count: 0,
            late: CpuSet::EMPTY,
        }
    }

    /// The groups it schedules by.
    pub const fn groups(&self) -> &Groups {
        &self.groups
    }

    fn unit_of(&self, vcpu: VcpuKey) -> Option<u32> {
        Some(self.vcpus.get(vcpu.0)?.unit)
    }

    fn current(&self, cpu: CpuId) -> Option<u32> {
        self.threads.get(cpu.0)?.current
    }

    /// The thread of a core that looks on behalf of all: one that runs something before idle ones, of which that in
    /// `seat` is first.
    fn thread_for(&self, core: CpuId, seat: u32, except: Option<CpuId>) -> Poke {
        let threads = &self.cores.get(core.0)?.threads;
        let others = || threads.iter().filter(|cpu| Some(**cpu) != except);
        let busy = others().find(|cpu| self.current(**cpu).is_some());
        let seated = || others().find(|cpu| self.groups.seat(**cpu) == seat);
        busy.or_else(seated).or_else(|| others().next()).copied()
    }

    /// The threads to poke where the policy names cores.
    fn threads_for(&self, cores: &CpuSet) -> CpuSet {
        if cores.is_empty() {
            return CpuSet::EMPTY;
        }
        cores
            .iter()
            .filter_map(|core| self.thread_for(core, 0, None))
            .collect()
    }

    /// The core is a unit's from now on. Answers the CPUs to poke, but not `here`.
    fn adopt(&mut self, core: CpuId, chosen: Option<u32>, here: CpuId, now: Nanos) -> CpuSet {
        let mut pokes = CpuSet::EMPTY;
        let Some(found) = self.cores.get_mut(core.0) else {
            return pokes;
        };
        let before = core::mem::replace(&mut found.chosen, chosen);
        if before == chosen {
            return pokes;
        }
        if let Some(unit) = chosen.and_then(|unit| self.units.get_mut(unit)) {
            unit.core = Some(core);
        }
        if let Some(unit) = before {
            let next = self.give_back(unit, now);
            pokes.extend(next.and_then(|core| self.thread_for(core, 0, Some(here))));
        }
        pokes
    }

    /// The unit has no core any more; when none of its vCPUs is held, the policy may give it another. Answers the core
    /// to poke.
    fn give_back(&mut self, unit: u32, now: Nanos) -> Option<CpuId> {
        let found = self.units.get_mut(unit)?;
        found.core = None;
        if found.held != 0 {
            return None;
        }
        self.policy.context_saved(VcpuKey(unit), now)
    }

    /// The vCPU that a thread is to run for the unit which has the core.
    fn wanted(&self, chosen: Option<u32>, seat: u32) -> Option<u32> {
        let unit = self.units.get(chosen?)?;
        let key = (*unit.members.get(seat as usize)?)?;
        self.vcpus.get(key)?.runnable.then_some(key)
    }

    /// The CPU stops running what it runs; its registers are still there.
    fn stop(&mut self, cpu: CpuId) {
        if let Some(thread) = self.threads.get_mut(cpu.0) {
            thread.current = None;
        }
    }

    fn start(&mut self, cpu: CpuId, key: u32) {
        let Some(vcpu) = self.vcpus.get_mut(key) else {
            return;
        };
        let is_new = vcpu.on_cpu.replace(cpu).is_none();
        if let Some(unit) = self.units.get_mut(vcpu.unit).filter(|_| is_new) {
            unit.held += 1;
        }
        if let Some(thread) = self.threads.get_mut(cpu.0) {
            thread.current = Some(key);
        }
    }

    /// Has a CPU run its part of what its core was given to, unless a sibling still runs another unit's. Adds the
    /// siblings that must stop, or may start, to `pokes`.
    fn take_seat(&mut self, cpu: CpuId, core: CpuId, pokes: &mut CpuSet) -> Option<u32> {
        let chosen = self.cores.get(core.0)?.chosen;
        let wanted = self.wanted(chosen, self.groups.seat(cpu));
        if self.current(cpu) != wanted {
            self.stop(cpu);
        }
        let (mut must_stop, mut may_start) = (CpuSet::EMPTY, CpuSet::EMPTY);
        for (seat, sibling) in (0u32..).zip(&self.cores.get(core.0)?.threads) {
            if *sibling == cpu {
                continue;
            }
            match self.current(*sibling) {
                Some(key) if self.unit_of(VcpuKey(key)) != chosen => must_stop.insert(*sibling),
                None if self.wanted(chosen, seat).is_some() => may_start.insert(*sibling),
                _ => {}
            }
        }
        if !must_stop.is_empty() {
            *pokes = pokes.or(&must_stop);
            return None;
        }
        *pokes = pokes.or(&may_start);
        if let Some(key) = wanted {
            self.start(cpu, key);
        }
        wanted
    }

    /// When a CPU must look again: one thread does so for its core.
    fn timer(
        &mut self,
        cpu: CpuId,
        core: CpuId,
        until: Option<Nanos>,
        now: Nanos,
    ) -> Option<Nanos> {
        let found = self.cores.get_mut(core.0)?;
        let others = found.timer.filter(|(holder, _)| *holder != cpu);
        let is_kept = |at: Nanos| others.is_some_and(|(_, other)| other > now && other <= at);
        match until {
            Some(at) if is_kept(at) => None,
            Some(at) => {
                found.timer = Some((cpu, at));
                until
            }
            None => {
                found.timer = others;
                None
            }
        }
    }

    /// Makes the policy choose for a core whose unit goes away; a thread that it pokes does the rest.
    fn choose_again(&mut self, core: CpuId, now: Nanos) -> Poke {
        let here = self.thread_for(core, 0, None)?;
        let decision = self.policy.schedule(core, now);
        let pokes = self.adopt(core, decision.run.map(|unit| unit.0), here, now);
        let others = self.threads_for(&decision.pokes);
        self.late = self.late.or(&pokes).or(&others);
        Some(here)
    }

    /// The unit of a domain that a vCPU of a number is in, made if it is the first.
    fn enter_unit(&mut self, parameters: &VcpuParameters, now: Nanos) -> Refused<u32> {
        let number = parameters.number / self.groups.size();
        let domain = parameters.domain.0;
        let found = self
            .units
            .iter()
            .find(|(_, unit)| unit.domain == domain && unit.number == number);
        if let Some((key, _)) = found {
            return Ok(key);
        }
        let key = self.units.lowest_free();
        let size = self.groups.size() as usize;
        let mut members = Vec::new();
        if !self.units.reserve_for_many(key) || members.try_reserve_exact(size).is_err() {
            return no_memory();
        }
        members.resize(size, None);
        let adapted = VcpuParameters {
            domain: parameters.domain,
            number,
            hard_affinity: self.groups.leaders(&parameters.hard_affinity),
            soft_affinity: self.groups.leaders(&parameters.soft_affinity),
            first_cpu: self.groups.leader(parameters.first_cpu),
        };
        self.policy.insert(VcpuKey(key), &adapted, now)?;
        let new = Unit {
            domain,
            number,
            members,
            runnable: 0,
            held: 0,
            core: None,
        };
        self.units.put(key, new);
        Ok(key)
    }

    /// The unit's last vCPU goes: so does it. Answers the CPU to poke. EBUSY: a vCPU of it is held.
    fn leave_unit(&mut self, key: u32, now: Nanos) -> Refused<Poke> {
        let _ = self.policy.sleep(VcpuKey(key), now);
        let core = self.units.get(key).and_then(|unit| unit.core);
        let own = core.and_then(|core| self.choose_again(core, now));
        let next = self.policy.remove(VcpuKey(key), now)?;
        self.units.take(key);
        let next = next.and_then(|core| self.thread_for(core, 0, None));
        self.late.extend(next.filter(|_| own.is_some()));
        Ok(own.or(next))
    }
}
