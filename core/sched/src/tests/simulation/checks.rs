//! What every moment of the simulated machine must show, and how its CPUs are grouped.

use std::collections::BTreeSet;

use super::*;

impl<S: Scheduler> Machine<S> {
    /// The vCPUs that are scheduled together with one, which need not be there yet.
    pub(super) fn unit(&self, domain: DomainKey, number: u32) -> impl Iterator<Item = usize> + '_ {
        let size = self.groups.as_ref().map(Groups::size);
        (0..self.guests.len()).filter(move |other| {
            let other = &self.guests[*other];
            let together = size.is_some_and(|size| other.number / size == number / size);
            other.domain == domain && !other.removed && (together || other.number == number)
        })
    }

    pub fn pin(&mut self, guest: usize, hard: CpuSet) {
        let (key, now) = (self.guests[guest].key, self.time());
        let (domain, number) = (self.guests[guest].domain, self.guests[guest].number);
        let unit: Vec<usize> = self.unit(domain, number).collect();
        for guest in unit {
            self.guests[guest].hard = hard;
        }
        let pokes = self
            .scheduler
            .set_affinity(key, hard, CpuSet::ALL, now)
            .unwrap();
        self.poke_all(pokes);
    }

    /// The CPU that stands for a CPU's group.
    pub(super) fn leader(&self, cpu: CpuId) -> CpuId {
        let groups = self.groups.as_ref();
        groups.map_or(cpu, |groups| groups.leader(cpu))
    }

    pub(super) fn leaders(&self, cpus: CpuSet) -> CpuSet {
        let groups = self.groups.as_ref();
        groups.map_or(cpus, |groups| groups.leaders(&cpus))
    }

    /// The CPUs of a CPU's group.
    pub fn group(&self, cpu: CpuId) -> CpuSet {
        let groups = self.groups.as_ref();
        groups.map_or(CpuSet::only(cpu), |groups| groups.members(cpu))
    }

    /// No two units, and so no two domains, run in one group at once, and each vCPU in its seat.
    pub(super) fn check_group(&self, cpu: CpuId) {
        let Some(groups) = &self.groups else { return };
        let mut first = None;
        for member in groups.members(cpu).iter() {
            let Some(key) = self.processors[member.0 as usize].current else {
                continue;
            };
            let mut guests = self.guests.iter();
            let guest = guests.find(|guest| guest.key == key && !guest.removed);
            let guest = guest.unwrap();
            assert_eq!(guest.number % groups.size(), groups.seat(member), "seat");
            let unit = (guest.domain, guest.number / groups.size());
            assert_eq!(*first.get_or_insert(unit), unit, "two units on {cpu:?}");
        }
    }

    /// What the policy tells of each CPU: what it runs, and in order who waits, which is none that runs or may not run there.
    pub fn check_views(&self) {
        let running: BTreeSet<VcpuKey> = self.processors.iter().filter_map(|p| p.current).collect();
        let online = self.online_set();
        for cpu in online.iter() {
            let view = self.scheduler.view(cpu);
            let current = view.current.map(|standing| standing.vcpu);
            assert_eq!(current, self.processors[cpu.0 as usize].current);
            let waiting: Vec<&Standing> = view.waiting().collect();
            assert!(waiting.is_sorted_by_key(|standing| standing.order));
            assert!(waiting.len() == view.count.min(SHOWN));
            for standing in waiting {
                let known = |guest: &&Guest| guest.key == standing.vcpu && !guest.removed;
                let guest = self.guests.iter().find(known).unwrap();
                assert!(guest.runnable && !running.contains(&guest.key));
                let allowed = self.leaders(guest.hard).within(&self.leaders(online));
                assert!(allowed.contains(self.leader(cpu)));
            }
        }
    }

    /// No group of CPUs is idle while a vCPU that may run there waits, unless some CPU has been told already; and no thread
    /// whose own vCPU waits, in a group that its unit has.
    pub fn check_work_conserving(&self) {
        let running: BTreeSet<VcpuKey> = self.processors.iter().filter_map(|p| p.current).collect();
        let online = self.online_set();
        let told = self.processors.iter().any(|p| p.poked_at.is_some());
        if told {
            return;
        }
        for guest in &self.guests {
            let is_out = guest.removed || !guest.runnable || running.contains(&guest.key);
            if is_out || self.scheduler.is_withheld(guest.key, self.time()) {
                continue;
            }
            let mut unit = self.unit(guest.domain, guest.number);
            let runs = unit.any(|other| running.contains(&self.guests[other].key));
            assert!(!runs, "{:?} waits beside its unit", guest.key);
            let allowed = self.leaders(guest.hard).within(&self.leaders(online));
            for cpu in allowed.iter() {
                let mut group = self.group(cpu).iter().collect::<Vec<_>>().into_iter();
                assert!(
                    group.any(|cpu| self.processors[cpu.0 as usize].current.is_some()),
                    "CPU {cpu:?} is idle, {:?} waits",
                    guest.key
                );
            }
        }
    }
}
