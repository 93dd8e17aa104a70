//! An end to waits that a vCPU's share does not explain.
//!
//! What a vCPU runs counts, also what it ran since no timer came: the machine stood still, as firmware makes it, or the host
//! of one that is itself a guest. At a hundredth of a CPU 200 ms of that are a wait of 20 s, after which kernels take
//! themselves for stuck. Not to count it would level shares where every timer is late. So it counts, and each CPU looks
//! every [`REVIEW`] whether who has waited there for longest has done so for more than [`PATIENCE`], and for
//! longer than its share makes of the longest turn: that one's debt is forgiven. Nobody can live on that: it is one turn
//! in so many seconds.

use vocabulary::Nanos;

use super::virtual_time::fair_distance;
use super::FairScheduler;
use crate::CpuId;

/// How long whoever owes waits at most.
const PATIENCE: Nanos = Nanos(5_000_000_000);
/// How often a CPU looks for those that wait longer.
const REVIEW: Nanos = Nanos(250_000_000);

impl FairScheduler {
    /// Lets whoever has waited on the CPU for longest come in with nobody before it, if that was too long.
    #[inline]
    pub(crate) fn end_long_wait(&mut self, cpu_id: CpuId, now: Nanos) {
        let Some(cpu) = self.cpus.get_mut(cpu_id.0) else {
            return;
        };
        if now >= cpu.next_review {
            cpu.next_review = Nanos(now.0.saturating_add(REVIEW.0));
            self.review_waits(cpu_id, now);
        }
    }

    #[cold]
    fn review_waits(&mut self, cpu_id: CpuId, now: Nanos) {
        let Some(cpu) = self.cpus.get_mut(cpu_id.0) else {
            return;
        };
        let queued = cpu.queue.iter();
        let waits = queued.filter_map(|(_, key)| Some((self.vcpus.get(key)?.waits_since, key)));
        let Some((since, key)) = waits.min() else {
            return;
        };
        let Some(vcpu) = self.vcpus.get_mut(key) else {
            return;
        };
        let waited = Nanos(now.0.saturating_sub(since.0));
        let longest_turn = vcpu.weight.distance(self.rules.longest_run());
        if waited <= PATIENCE || fair_distance(waited, cpu.load) <= longest_turn {
            return;
        }
        // Its next wait counts anew, should it not get to run before the next review.
        vcpu.waits_since = now;
        let Some(place) = vcpu.place else {
            return;
        };
        let (weight, forgiven) = (vcpu.weight, vcpu.reached.since(cpu.clock));
        vcpu.reached = cpu.clock;
        cpu.queue.change_key(place, cpu.clock, &mut self.vcpus);
        if self.sole.is_none() {
            cpu.load = cpu.load.saturating_sub(weight.load());
            cpu.share_out(forgiven.saturating_neg(), weight);
            cpu.load += weight.load();
        }
    }
}
