//! `set_gdt`: the frames of the running vCPU's global descriptor table.

use core::sync::atomic::Ordering::Relaxed;

use arrayvec::ArrayVec;
use hw::switch;
use vocabulary::{refuse as refused, Errno, Mfn, Refused};

use crate::guest;
use crate::hypercall::{Answer, Arguments, Caller};
use crate::machine;
use crate::vcpu::Vcpu;

/// Descriptors a guest's GDT can have: fourteen frames of 512 (`FIRST_RESERVED_GDT_ENTRY`).
const MOST_ENTRIES: u64 = 14 * 512;

/// Arguments: array of frame numbers, count of descriptors.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [list, entries, ..] = arguments.0;
    let entries = entries & 0xffff_ffff;
    if entries > MOST_ENTRIES {
        return Ok(refused(
            Errno::EINVAL,
            "the GDT is larger than fourteen frames",
        )?);
    }
    let mut frames = ArrayVec::<Mfn, 14>::new();
    for index in 0..entries.div_ceil(512) {
        frames.push(Mfn(guest::read::<u64>(guest::element::<u64>(list, index))?));
    }
    set(caller.vcpu, &frames, entries as u32)?;
    switch::reload_descriptors(&caller.vcpu.context);
    Ok(0)
}

/// Gives a vCPU, which runs here or nowhere, another GDT; the caller reloads it where it runs.
pub fn set(vcpu: &Vcpu, frames: &[Mfn], entries: u32) -> Refused<()> {
    let mmu = machine::mmu();
    let mut paging = vcpu.domain.paging.lock();
    let mut taken = ArrayVec::<Mfn, 14>::new();
    for &frame in frames {
        let result = mmu.take_descriptors(&mut paging, frame);
        if let Err(refusal) = result {
            for frame in taken {
                mmu.release_descriptors(&mut paging, frame);
            }
            return Err(refusal);
        }
        taken.push(frame);
    }
    let mut state = vcpu.descriptors.lock();
    let old = core::mem::replace(&mut state.gdt, taken);
    vcpu.window.set_gdt(&state.gdt);
    vcpu.context.gdt_entries.store(entries, Relaxed);
    drop(state);
    for frame in old {
        mmu.release_descriptors(&mut paging, frame);
    }
    Ok(())
}
