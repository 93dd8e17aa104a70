//! Cores that are scheduled as a whole: which threads are of one core, and the watch that two domains never run on one at
//! once. The watch goes by what processors run, not by what the policy says they do.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use hw::percpu::MAX_CPUS;
use options::Granularity as Asked;
use sched::{CpuId, Granularity, Groups, Pools};

use super::STATE;
use crate::topology::{self, Place};
use crate::vcpu::Vcpu;
use crate::{console, counters, processors};

/// No domain's number.
const NOBODY: u32 = u32::MAX;
/// The domain that each processor runs, noted under the scheduler's lock from when the watch began.
static RUNS: [AtomicU32; MAX_CPUS] = [const { AtomicU32::new(NOBODY) }; MAX_CPUS];
/// vCPUs that were started beside others of their domain, or alone, on a core that is scheduled as a whole.
static STARTED: AtomicU64 = AtomicU64::new(0);
/// vCPUs that were not started because another domain ran on the core: mistakes of the policy.
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// Tells the policy how processors are grouped, and what new pools' schedulers choose for: what was asked for, or each
/// processor by itself where cores or packages are not all of one size. All processors have come.
pub fn set_up(asked: Option<Asked>) -> Granularity {
    let wanted = match asked {
        None | Some(Asked::Cpu) => Granularity::Cpu,
        Some(Asked::Core) => Granularity::Core,
        Some(Asked::Socket) => Granularity::Socket,
    };
    let mut state = STATE.lock();
    state.policy.set_groups(
        groups(|place| (place.package, place.core)),
        groups(|place| (place.package, 0)),
    );
    let set = state.policy.set_default_granularity(wanted);
    state.checks_cores = set.is_ok() && wanted != Granularity::Cpu;
    drop(state);
    match set {
        Ok(()) => wanted,
        Err(refusal) => {
            crate::log!(Warning, "sched-gran=cpu it is: {refusal}");
            Granularity::Cpu
        }
    }
}

fn groups(of: impl Fn(Place) -> (u32, u32)) -> Option<Groups> {
    let mut places = Vec::new();
    for index in processors::online().iter() {
        let place = topology::place(index)?;
        places.try_reserve(1).ok()?;
        places.push((CpuId(index as u32), of(place)));
    }
    Groups::new(&places)
}

/// Whether a vCPU may start on a processor beside what runs on the others of its group; if so, it is noted to run there.
/// What was started is in its guest, or on the way there or back. Under the scheduler's lock.
pub fn may_share(policy: &Pools, vcpu: &Vcpu, processor: usize) -> bool {
    let here = CpuId(processor as u32);
    let own = u32::from(vcpu.domain.id.0);
    if let Some(group) = policy.group_of(vcpu.key, here) {
        let mut others = group.iter().filter(|cpu| *cpu != here);
        let is_stranger = |runs: u32| runs != NOBODY && runs != own;
        if others.any(|cpu| runs_on(cpu.0 as usize).is_some_and(is_stranger)) {
            counters::count(&REFUSED);
            return false;
        }
        counters::count(&STARTED);
    }
    note(processor, own);
    true
}

/// Nothing runs on the processor from now on. Under the scheduler's lock.
pub fn note_stop(processor: usize) {
    note(processor, NOBODY);
}

fn runs_on(processor: usize) -> Option<u32> {
    RUNS.get(processor).map(|runs| runs.load(Relaxed))
}

fn note(processor: usize, runs: u32) {
    if let Some(place) = RUNS.get(processor) {
        place.store(runs, Relaxed);
    }
}

/// Prints what the watch saw (debug key `r`).
pub fn show() {
    if STATE.lock().checks_cores {
        console::print(format_args!(
            "(XEN) cores scheduled as a whole: {} starts, {} refused beside another domain\n",
            STARTED.load(Relaxed),
            REFUSED.load(Relaxed)
        ));
    }
}
