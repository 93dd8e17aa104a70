//! A vCPU's local descriptor table.

use hw::switch;
use memory::Paging;
use vocabulary::{refuse, Errno, Mfn, Refused, VirtAddr};

use core::sync::atomic::Ordering::Relaxed;

use crate::machine;
use crate::vcpu::Vcpu;

/// Descriptors an LDT can have (the architecture's limit).
const MOST_ENTRIES: u64 = 8192;

/// `MMUEXT_SET_LDT`, of the vCPU that runs here.
pub fn set(vcpu: &Vcpu, address: VirtAddr, entries: u64) -> Refused<()> {
    give(vcpu, address, entries)?;
    switch::reload_descriptors(&vcpu.context);
    Ok(())
}

/// Gives a vCPU, which runs here or nowhere, another LDT: `entries` descriptors at `address`, which is page aligned. Its
/// pages become descriptor frames now; one that cannot is absent, and [`show`] tries again when it is used. The caller
/// loads the table anew where the vCPU runs.
pub fn give(vcpu: &Vcpu, address: VirtAddr, entries: u64) -> Refused<()> {
    if entries > MOST_ENTRIES || address.0 & 0xfff != 0 || (entries != 0 && !address.is_guest()) {
        return refuse(
            Errno::EINVAL,
            "the LDT is misaligned, too large or no guest memory",
        );
    }
    let pages = entries.div_ceil(512);
    let mut frames = arrayvec::ArrayVec::<Mfn, 16>::new();
    let mmu = machine::mmu();
    let mut paging = vcpu.domain.paging.lock();
    for page in 0..pages {
        let at = VirtAddr(address.0.wrapping_add(page << 12));
        frames.push(take(vcpu, &mut paging, at).unwrap_or(Mfn::INVALID));
    }
    let mut state = vcpu.descriptors.lock();
    let old = core::mem::replace(&mut state.ldt, frames);
    state.ldt_address = address.0;
    vcpu.window.set_ldt(&state.ldt);
    vcpu.context.ldt_entries.store(entries as u32, Relaxed);
    drop(state);
    for frame in old.into_iter().filter(|&frame| frame != Mfn::INVALID) {
        mmu.release_descriptors(&mut paging, frame);
    }
    Ok(())
}

/// Makes the guest's page at `at` one of descriptors. `None` where nothing is mapped there or it is something else.
fn take(vcpu: &Vcpu, paging: &mut Paging, at: VirtAddr) -> Option<Mfn> {
    let mmu = machine::mmu();
    let entry = mmu
        .locate(paging, vcpu.kernel_base(), at)
        .map(|slot| mmu.entry_at(slot))?;
    let frame = (entry & memory::entry::PRESENT != 0).then(|| memory::entry::frame(entry))?;
    mmu.take_descriptors(paging, frame).is_ok().then_some(frame)
}

/// Shows the vCPU, which runs here, the page of its LDT that holds the byte at `offset`, which it did not find. Says
/// whether it is there now.
pub fn show(vcpu: &Vcpu, offset: u64) -> bool {
    let page = offset >> 12;
    let mut paging = vcpu.domain.paging.lock();
    let mut state = vcpu.descriptors.lock();
    let at = VirtAddr(state.ldt_address.wrapping_add(page << 12));
    if state.ldt.get(page as usize) != Some(&Mfn::INVALID) {
        return false;
    }
    let Some(frame) = take(vcpu, &mut paging, at) else {
        return false;
    };
    if let Some(place) = state.ldt.get_mut(page as usize) {
        *place = frame;
    }
    vcpu.window.set_ldt(&state.ldt);
    true
}

/// The address at which the guest has the byte at `offset` of its LDT.
pub fn address(vcpu: &Vcpu, offset: u64) -> u64 {
    vcpu.descriptors.lock().ldt_address.wrapping_add(offset)
}
