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
pub fn set_kernel(vcpu: &Vcpu, base: Mfn, budget: &mut Budget) -> Result<(), Stop> {
    let old = vcpu.kernel_base();
    let mmu = machine::mmu();
    let mut paging = vcpu.domain.paging.lock();
    if base != old {
        mmu.take_base(&mut paging, base, budget)?;
        vcpu.bases.kernel.store(base.0, Relaxed);
        vcpu.context.kernel_cr3.store(base.address().0, Relaxed);
    }
    switch::load_tables(base.address().0);
    if base != old {
        mmu.release_base(&mut paging, old, budget)?;
    }
    Ok(())
}

/// `MMUEXT_NEW_USER_BASEPTR`: another table for the user programs; zero for none.
pub fn set_user(vcpu: &Vcpu, base: Mfn, budget: &mut Budget) -> Result<(), Stop> {
    let old = Mfn(vcpu.bases.user.load(Relaxed));
    if base == old {
        return Ok(());
    }
    let mmu = machine::mmu();
    let mut paging = vcpu.domain.paging.lock();
    if base.0 != 0 {
        mmu.take_base(&mut paging, base, budget)?;
    }
    vcpu.bases.user.store(base.0, Relaxed);
    vcpu.context.user_cr3.store(base.address().0, Relaxed);
    if base.0 != 0 {
        vcpu.context.change_mode(0, mode::NO_USER);
    } else {
        vcpu.context.change_mode(mode::NO_USER, 0);
    }
    if old.0 != 0 {
        mmu.release_base(&mut paging, old, budget)?;
    }
    Ok(())
}
