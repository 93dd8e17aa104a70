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
/// How often it came to rest until an interrupt.
static RESTS: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(0) }; MAX_CPUS];
/// System time since when the processor idles; 0 while it does not.
static SINCE: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(0) }; MAX_CPUS];

/// This processor has nothing to run from now on.
pub fn begin(processor: usize) {
    if let Some(since) = SINCE.get(processor) {
        since.store(clock::now().0.max(1), Release);
    }
}

/// This idle processor rests until an interrupt.
pub fn count_rest(processor: usize) {
    if let Some(rests) = RESTS.get(processor) {
        counters::count(rests);
    }
}

/// This processor has something to run again. Whatever woke it, the clock is looked after before a guest reads it.
pub fn end(processor: usize) {
    let (Some(sum), Some(since)) = (SUM.get(processor), SINCE.get(processor)) else {
        return;
    };
    let now = clock::now();
    let began = since.swap(0, Relaxed);
    if began != 0 {
        let idled = now.0.saturating_sub(began);
        sum.store(sum.load(Relaxed).wrapping_add(idled), Release);
    }
    clock::watch(now);
}

/// How often a processor came to rest.
pub fn rests(processor: usize) -> u64 {
    RESTS.get(processor).map_or(0, |rests| rests.load(Relaxed))
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
