//! Dropping stale translations on the processors that may hold them.

use core::sync::atomic::Ordering::Relaxed;

use hw::tlb::{self, CpuSet};

use crate::domain::Domain;

/// Flushes the processors of `set` and waits until they have.
pub fn all(set: &CpuSet) {
    tlb::shoot_down(set, crate::processors::interrupt_for_flush);
}

/// Flushes those processors of `set` that have not flushed since `stamp`.
pub fn stale(set: &CpuSet, stamp: u32) {
    let owing = CpuSet::new();
    let mut any = false;
    for index in set.iter().filter(|&index| tlb::is_stale(index, stamp)) {
        owing.insert(index);
        any = true;
    }
    if any {
        all(&owing);
    }
}

/// Flushes the processors that may hold translations of the vCPUs in `mask` (bit n is vCPU n).
pub fn vcpus(domain: &Domain, mask: u64) {
    let set = CpuSet::new();
    for (number, vcpu) in domain.vcpus().iter().enumerate().take(64) {
        let index = vcpu.processor.load(Relaxed) as usize;
        if mask >> number & 1 != 0 && domain.dirty.contains(index) {
            set.insert(index);
        }
    }
    all(&set);
}
