//! Caps: a domain's vCPUs together run no more than so many percent of one CPU.
//!
//! A capped domain has a budget that is filled every [`PERIOD`] and that all its vCPUs spend. When it is spent
//! they are *parked*: in no queue, until it is filled again. What was spent beyond it (timers come late, and the
//! vCPUs on several CPUs do not know of each other's last moments) is owed, so that over many periods the domain
//! gets its cap exactly; what was left is lost, so that it never gets more in any stretch than the cap and one
//! budget. A domain without a cap costs one comparison.
//!
//! One CPU, the *keeper*, has the filling among its duties, and a timer for it. It is chosen when the first vCPU
//! is parked.

use vocabulary::Nanos;

use super::members::Domain;
use super::FairScheduler;
use crate::{CpuId, CpuSet, Poke};

/// How often a budget is filled.
const PERIOD: u64 = 10_000_000;
/// A budget's rest is not run with a shorter timer.
const SHORTEST_TIMER: u64 = 50_000;

/// What a domain's cap leaves it.
#[derive(Debug)]
pub(crate) struct Budget {
    /// Nanoseconds of processor time in each period; `None` without a cap.
    quota: Option<i64>,
    /// What is left of it; negative where more was spent.
    left: i64,
    /// When it is filled next.
    pub refill: Nanos,
}

impl Budget {
    /// A full budget of `cap` percent of one CPU; no bound for 0.
    pub fn new(cap: u16, now: Nanos) -> Self {
        let quota = i64::from(cap) * (PERIOD / 100) as i64;
        Self {
            quota: (cap != 0).then_some(quota),
            left: quota,
            refill: Nanos(now.0.saturating_add(PERIOD)),
        }
    }

    /// What will be left at `now`, and when it is filled after that.
    fn at(&self, quota: i64, now: Nanos) -> (i64, Nanos) {
        if now < self.refill {
            return (self.left, self.refill);
        }
        let periods = (now.0 - self.refill.0) / PERIOD + 1;
        let given = quota.saturating_mul(i64::try_from(periods).unwrap_or(i64::MAX));
        (
            self.left.saturating_add(given).min(quota),
            Nanos(self.refill.0.saturating_add(periods.saturating_mul(PERIOD))),
        )
    }

    /// Counts time spent up to `now`.
    pub fn spend(&mut self, ran: Nanos, now: Nanos) {
        let Some(quota) = self.quota else { return };
        self.left = self
            .left
            .saturating_sub(i64::try_from(ran.0).unwrap_or(i64::MAX));
        (self.left, self.refill) = self.at(quota, now);
    }

    /// Whether nothing is left.
    pub fn is_spent(&self, now: Nanos) -> bool {
        self.quota.is_some_and(|quota| self.at(quota, now).0 <= 0)
    }
}

impl Domain {
    /// When a CPU that runs a vCPU of it must look whether the budget is spent.
    pub fn budget_end(&self, now: Nanos) -> Option<Nanos> {
        self.budget.quota?;
        let left = u64::try_from(self.budget.left).unwrap_or(0);
        let each = left / u64::from(self.running.max(1));
        Some(Nanos(now.0.saturating_add(each.max(SHORTEST_TIMER))))
    }
}

impl FairScheduler {
    /// Whether the vCPU's domain has spent what its cap allows.
    pub(crate) fn is_spent(&self, key: u32, now: Nanos) -> bool {
        self.vcpus
            .get(key)
            .and_then(|vcpu| self.domains.get(vcpu.domain))
            .is_some_and(|domain| domain.budget.is_spent(now))
    }

    /// Parks a runnable vCPU that is nowhere. Answers the CPU that must set its timer for it.
    pub(crate) fn park(&mut self, key: u32, now: Nanos) -> Poke {
        let vcpu = self.vcpus.get_mut(key)?;
        vcpu.parked = true;
        let (domain_key, home) = (vcpu.domain, vcpu.home);
        let domain = self.domains.get_mut(domain_key)?;
        // Room for all its vCPUs was reserved when they came.
        let _has_room = domain.parked.push(now, key, &mut self.vcpus);
        if domain.keeper.is_some() {
            return None;
        }
        let keeper = if self.online.contains(home) {
            home
        } else {
            self.online.lowest()?
        };
        self.take_duty(keeper, domain_key, now)
    }

    /// Makes a CPU the keeper of a domain, if it has none. Answers the CPU if its timer is not set in time.
    pub(crate) fn take_duty(&mut self, keeper: CpuId, domain_key: u32, now: Nanos) -> Poke {
        let domain = self.domains.get_mut(domain_key)?;
        if domain.keeper.is_some() {
            return None;
        }
        domain.budget.spend(Nanos(0), now);
        let refill = domain.budget.refill;
        let cpu = self.cpus.get_mut(keeper.0)?;
        domain.keeper = Some(keeper);
        // Room for all domains was reserved when the domain or the CPU came.
        let _has_room = cpu.duties.push(refill, domain_key, &mut self.domains);
        cpu.timer.is_none_or(|at| at > refill).then_some(keeper)
    }

    /// Ends a domain's need of a keeper.
    pub(crate) fn drop_duty(&mut self, domain_key: u32) {
        let Some(domain) = self.domains.get_mut(domain_key) else {
            return;
        };
        let (keeper, place) = (domain.keeper.take(), domain.place);
        let cpu = keeper.and_then(|keeper| self.cpus.get_mut(keeper.0));
        if let (Some(cpu), Some(place)) = (cpu, place) {
            cpu.duties.remove(place, &mut self.domains);
        }
    }

    /// Lets a domain's parked vCPUs go on, once its budget allows. Answers the CPUs to poke.
    pub(crate) fn unpark(&mut self, domain_key: u32, now: Nanos) -> CpuSet {
        let mut pokes = CpuSet::EMPTY;
        self.drop_duty(domain_key);
        let parked = self
            .domains
            .get(domain_key)
            .map_or(0, |domain| domain.parked.len());
        // No more often than they are many: the budget may be spent again before the last one had its turn.
        for _ in 0..parked {
            let domain = self.domains.get(domain_key);
            let Some((_, key)) = domain.and_then(|domain| domain.parked.first()) else {
                break;
            };
            self.dequeue(key);
            pokes.extend(self.place(key, now));
        }
        pokes
    }

    /// Fills the budgets that are due on a CPU. Answers the CPUs to poke.
    pub(crate) fn serve_duties(&mut self, cpu_id: CpuId, now: Nanos) -> CpuSet {
        let mut pokes = CpuSet::EMPTY;
        while let Some((at, domain_key)) =
            self.cpus.get(cpu_id.0).and_then(|cpu| cpu.duties.first())
        {
            if at > now {
                break;
            }
            self.drop_duty(domain_key);
            let Some(domain) = self.domains.get_mut(domain_key) else {
                break;
            };
            domain.budget.spend(Nanos(0), now);
            if !domain.budget.is_spent(now) {
                pokes = pokes.or(&self.unpark(domain_key, now));
            } else if !domain.parked.is_empty() {
                self.take_duty(cpu_id, domain_key, now);
            }
        }
        pokes
    }

    /// Gives the duties of a CPU that leaves to another. Answers that.
    pub(crate) fn hand_duties_on(&mut self, from: CpuId, now: Nanos) -> Poke {
        let mut poke = None;
        while let Some((_, domain_key)) = self.cpus.get(from.0).and_then(|cpu| cpu.duties.first()) {
            self.drop_duty(domain_key);
            poke = poke.or(self
                .online
                .lowest()
                .and_then(|heir| self.take_duty(heir, domain_key, now)));
        }
        poke
    }
}
