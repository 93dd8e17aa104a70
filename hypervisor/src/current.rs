//! The vCPU that runs on this processor, read once at every entry and passed on from there.

use alloc::sync::Arc;
use core::cell::RefCell;

use hw::cpu_local;
use hw::percpu::CpuLocal;

use crate::vcpu::Vcpu;

static CURRENT: CpuLocal<RefCell<Option<Arc<Vcpu>>>> = cpu_local!(RefCell::new(None));

/// Runs `work` on the vCPU that runs here. An entry from a guest always finds one.
#[inline(always)]
pub fn with(work: impl FnOnce(&Arc<Vcpu>)) {
    CURRENT.with(|slot| {
        if let Ok(current) = slot.try_borrow() {
            if let Some(vcpu) = current.as_ref() {
                work(vcpu);
            }
        }
    });
}

/// Makes another vCPU the one that runs here. Only the context switch does, outside any [`with`].
pub fn set(vcpu: Option<Arc<Vcpu>>) {
    CURRENT.with(|slot| {
        if let Ok(mut current) = slot.try_borrow_mut() {
            *current = vcpu;
        }
    });
}
