//! Dropping stale translations on the processors that may hold them.

use core::sync::atomic::Ordering::Relaxed;

use hw::tlb::{self, CpuSet};

use vocabulary::Refused;

use crate::domain::Domain;
use crate::guest;

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

/// Flushes the processors that may hold translations of the vCPUs in the bitmap at `bitmap` in the caller's memory,
/// a bit a vCPU, as many words as the domain's vCPUs need. EFAULT where it cannot be read; nothing is flushed then.
pub fn vcpus(domain: &Domain, bitmap: u64) -> Refused<()> {
    let set = CpuSet::new();
    let mut mask = 0;
    for (number, vcpu) in domain.vcpus().enumerate() {
        if number % 64 == 0 {
            mask = guest::read::<u64>(guest::element::<u64>(bitmap, number as u64 / 64))?;
        }
        let index = vcpu.processor.load(Relaxed) as usize;
        if mask >> (number % 64) & 1 != 0 && domain.dirty.contains(index) {
            set.insert(index);
        }
    }
    all(&set);
    Ok(())
}
