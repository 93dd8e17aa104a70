//! A vCPU's page-table bases: which tables its kernel and its user programs run on.

use core::sync::atomic::Ordering::Relaxed;

use hw::switch;
use hw::vcpu::mode;
use memory::{Budget, Stop};
use vocabulary::Mfn;

use crate::machine;
use crate::vcpu::Vcpu;

/// `MMUEXT_NEW_BASEPTR` for the vCPU that runs here, in its kernel: another table for the kernel, loaded at
/// once with all translations dropped.
#[inline]
pub fn set_kernel(vcpu: &Vcpu, base: Mfn, budget: &mut Budget) -> Result<(), Stop> {
    let old = vcpu.kernel_base();
    if base == old {
        switch::load_tables(base.address().0);
        return Ok(());
    }
    let load = || {
        vcpu.bases.kernel.store(base.0, Relaxed);
        vcpu.context.kernel_cr3.store(base.address().0, Relaxed);
        switch::load_tables(base.address().0);
    };
    let mut paging = vcpu.domain.paging.lock();
    machine::mmu().replace_base(&mut paging, Some(old), Some(base), load, budget)
}

/// `MMUEXT_NEW_USER_BASEPTR`: another table for the user programs; zero for none.
#[inline]
pub fn set_user(vcpu: &Vcpu, base: Mfn, budget: &mut Budget) -> Result<(), Stop> {
    let old = Mfn(vcpu.bases.user.load(Relaxed));
    if base == old {
        return Ok(());
    }
    let load = || {
        vcpu.bases.user.store(base.0, Relaxed);
        vcpu.context.user_cr3.store(base.address().0, Relaxed);
        let (set, clear) = if base.0 == 0 {
            (mode::NO_USER, 0)
        } else {
            (0, mode::NO_USER)
        };
        vcpu.context.change_mode(set, clear);
    };
    let given = |frame: Mfn| (frame.0 != 0).then_some(frame);
    let mut paging = vcpu.domain.paging.lock();
    machine::mmu().replace_base(&mut paging, given(old), given(base), load, budget)
}
