//! How long each processor had nothing to run.

use core::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use hw::percpu::MAX_CPUS;
use vocabulary::Nanos;

use crate::{clock, counters};

/// Nanoseconds of idling that ended, by processor.
static SUM: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(0) }; MAX_CPUS];
/// How often it began to idle.
static VISITS: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(0) }; MAX_CPUS];
/// System time since when the processor idles; 0 while it does not.
static SINCE: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(0) }; MAX_CPUS];

/// This processor has nothing to run from now on.
pub fn begin(processor: usize) {
    if let Some(since) = SINCE.get(processor) {
        since.store(clock::now().0.max(1), Release);
    }
    if let Some(visits) = VISITS.get(processor) {
        counters::count(visits);
    }
}

/// This processor has something to run again.
pub fn end(processor: usize) {
    let (Some(sum), Some(since)) = (SUM.get(processor), SINCE.get(processor)) else {
        return;
    };
    let began = since.swap(0, Relaxed);
    if began != 0 {
        let idled = clock::now().0.saturating_sub(began);
        sum.store(sum.load(Relaxed).wrapping_add(idled), Release);
    }
}

/// How often a processor began to idle.
pub fn visits(processor: usize) -> u64 {
    VISITS
        .get(processor)
        .map_or(0, |visits| visits.load(Relaxed))
}

/// How long a processor idled until now. Racing with the end of its idling, by one such time too little.
pub fn of(processor: usize) -> Nanos {
    let (Some(sum), Some(since)) = (SUM.get(processor), SINCE.get(processor)) else {
        return Nanos(0);
    };
    let began = since.load(Acquire);
    let now = match began {
        0 => 0,
        began => clock::now().0.saturating_sub(began),
    };
    Nanos(sum.load(Acquire).wrapping_add(now))
}
