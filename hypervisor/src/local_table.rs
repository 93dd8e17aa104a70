//! A vCPU's local descriptor table.

use hw::switch;
use vocabulary::{refuse, Errno, Mfn, Refused, VirtAddr};

use core::sync::atomic::Ordering::Relaxed;

use crate::machine;
use crate::vcpu::Vcpu;

/// Descriptors an LDT can have (the architecture's limit).
const MOST_ENTRIES: u64 = 8192;

/// `MMUEXT_SET_LDT`: the table is `entries` descriptors at `address`, which is page aligned. Its pages become
/// descriptor frames now; one that cannot is absent, and using it faults.
pub fn set(vcpu: &Vcpu, address: VirtAddr, entries: u64) -> Refused<()> {
    if entries > MOST_ENTRIES || address.0 & 0xfff != 0 || (entries != 0 && !address.is_guest()) {
        return refuse(Errno::EINVAL, "the LDT is misaligned, too large or no guest memory");
    }
    let pages = entries.div_ceil(512);
    let mut frames = arrayvec::ArrayVec::<Mfn, 16>::new();
    let mmu = machine::mmu();
    let mut paging = vcpu.domain.paging.lock();
    for page in 0..pages {
        let at = VirtAddr(address.0.wrapping_add(page << 12));
        let mapped = mmu.locate(&paging, vcpu.kernel_base(), at).map(|slot| mmu.entry_at(slot));
        let frame = mapped.filter(|entry| entry & memory::entry::PRESENT != 0).map(memory::entry::frame);
        let usable = frame.filter(|&frame| mmu.take_descriptors(&mut paging, frame).is_ok());
        frames.push(usable.unwrap_or(Mfn::INVALID));
    }
    let mut state = vcpu.descriptors.lock();
    let old = core::mem::replace(&mut state.ldt, frames);
    vcpu.window.set_ldt(&state.ldt);
    vcpu.context.ldt_entries.store(entries as u32, Relaxed);
    switch::reload_descriptors(&vcpu.context);
    drop(state);
    for frame in old.into_iter().filter(|&frame| frame != Mfn::INVALID) {
        mmu.release_descriptors(&mut paging, frame);
    }
    Ok(())
}
