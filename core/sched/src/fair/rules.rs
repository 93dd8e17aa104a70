//! How the two policies differ that the fair scheduler stands for: when a vCPU's turn ends.

use vocabulary::Nanos;

use super::members::{Cpu, Vcpu};
use super::virtual_time::{at_default_weight, VirtualTime};
use crate::{Policy, Slots, Tuning};

/// How far the running vCPU may get ahead of the next before it must let it run (`credit2`).
const LEAD: i64 = at_default_weight(2_000_000);
/// No vCPU runs longer than this while others wait (`credit2`).
const LONGEST_TURN: Nanos = Nanos(10_000_000);

/// Who waits for a CPU, as whoever runs there sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rival {
    /// How far it has come.
    pub reached: VirtualTime,
    /// It waits for the end of a turn of a set length.
    pub waits_for_turn: bool,
}

/// The policy and its parameters.
#[derive(Debug)]
pub(crate) struct Rules {
    pub policy: Policy,
    pub tuning: Tuning,
}

impl Rules {
    /// Whether turns are of a set length. A turn is for others than its domain to wait for: vCPUs of one domain often wait
    /// for each other, spinning, and take turns within it by how far they came, as under `credit2`.
    pub fn has_set_turns(&self) -> bool {
        self.policy == Policy::Credit
    }

    /// Who came that far and waits, as `current` sees it. Its `domain` is looked for only where that matters.
    #[inline]
    pub fn rival(
        &self,
        current: &Vcpu,
        reached: VirtualTime,
        domain: impl FnOnce() -> Option<u32>,
    ) -> Rival {
        Rival {
            reached,
            waits_for_turn: self.has_set_turns() && domain() != Some(current.domain),
        }
    }

    /// Who waits first in the CPU's queue, as `current` sees it.
    #[inline]
    pub fn first_rival(&self, cpu: &Cpu, current: &Vcpu, vcpus: &Slots<Vcpu>) -> Option<Rival> {
        let (reached, key) = cpu.queue.first()?;
        let domain = || vcpus.get(key).map(|first| first.domain);
        Some(self.rival(current, reached, domain))
    }

    /// No vCPU runs longer than this while others wait.
    pub fn longest_run(&self) -> Nanos {
        let turn = if self.has_set_turns() {
            self.tuning.slice
        } else {
            LONGEST_TURN
        };
        turn.max(self.tuning.rate_limit)
    }

    /// Whether the current vCPU goes on, with `first` waiting.
    #[inline]
    pub fn goes_on(&self, cpu: &Cpu, current: &Vcpu, first: Rival, now: Nanos) -> bool {
        if cpu.yielded {
            return false;
        }
        if now.0 < cpu.since.0.saturating_add(self.tuning.rate_limit.0) {
            return true;
        }
        if first.waits_for_turn {
            // Of equals, whoever waits is next.
            let in_turn = !cpu.preempted && now < self.turn_end(cpu);
            return in_turn || current.reached < first.reached;
        }
        current.reached <= first.reached
    }

    /// When the CPU, which runs `current`, must look again because `rival` waits.
    #[inline(always)]
    pub fn slice_end(&self, cpu: &Cpu, current: &Vcpu, rival: Rival, now: Nanos) -> Nanos {
        // Never in the past, nor at once: where nobody preempts, the next look is worth a little running.
        let end = if rival.waits_for_turn {
            let end = if cpu.preempted {
                now
            } else {
                self.turn_end(cpu)
            };
            end.0.max(now.0.saturating_add(SHORTEST_RUN.0))
        } else {
            let lead = rival.reached.since(current.reached).saturating_add(LEAD);
            let turn = current.weight.time_for(lead);
            now.0
                .saturating_add(turn.0.clamp(SHORTEST_RUN.0, LONGEST_TURN.0))
        };
        let earliest = cpu.since.0.saturating_add(self.tuning.rate_limit.0);
        Nanos(end.max(earliest))
    }

    /// When the current vCPU's turn ends.
    pub fn turn_end(&self, cpu: &Cpu) -> Nanos {
        Nanos(cpu.turn.0.saturating_add(self.tuning.slice.0))
    }

    /// Whether a vCPU that stopped running then is to be left where it ran.
    pub fn is_warm(&self, stopped: Nanos, now: Nanos) -> bool {
        self.has_delay() && now < self.cools(stopped)
    }

    /// Whether there is a time for which vCPUs are left where they stopped.
    #[inline(always)]
    pub const fn has_delay(&self) -> bool {
        self.tuning.migration_delay.0 != 0
    }

    /// When a vCPU that stopped running then may be moved.
    pub const fn cools(&self, stopped: Nanos) -> Nanos {
        Nanos(stopped.0.saturating_add(self.tuning.migration_delay.0))
    }
}

/// Without a rate limit, how long a vCPU runs at least before its turn is looked at again.
const SHORTEST_RUN: Nanos = Nanos(50_000);
