//! `GNTTABOP_unmap_grant_ref` and `GNTTABOP_unmap_and_replace`.
//!
//! The lender may use a page again as soon as its entry is not marked any more. So a batch first takes its
//! page-table entries away, then flushes once, and only then gives the entries back.

use core::mem::{offset_of, size_of};

use arrayvec::ArrayVec;
use grants::{GrantHandle, Granted, Mapping, Status, Unmapping};
use memory::entry::{frame, PRESENT, WRITE};
use memory::{L1Slot, Paging};
use vocabulary::{Refused, VirtAddr};
use xen_abi::grant_table::{GnttabUnmapAndReplace, GnttabUnmapGrantRef};
use zerocopy::{FromBytes, IntoBytes};

use super::{deny, go_on, slot, status_of, Held, Lenders, BATCH};
use crate::grants::GrantFrame;
use crate::hypercall::{Answer, Arguments};
use crate::vcpu::Vcpu;
use crate::{flush, guest, machine, teardown, trace};

/// What one structure asks for.
pub struct Wish {
    /// The mapping.
    handle: GrantHandle,
    /// Where the processor's mapping is; 0 to leave it.
    host: u64,
    /// Virtual address whose mapping moves there; 0 for none.
    replacement: u64,
    /// The devices' address; 0 to leave their mapping.
    device: u64,
}

/// A structure that asks for an unmapping.
pub trait Request: FromBytes + IntoBytes {
    /// Where its `status` stands.
    const STATUS: usize;

    /// What it asks for.
    fn wish(&self) -> Wish;
}

impl Request for GnttabUnmapGrantRef {
    const STATUS: usize = offset_of!(Self, status);

    fn wish(&self) -> Wish {
        Wish {
            handle: GrantHandle(self.handle),
            host: self.host_addr,
            replacement: 0,
            device: self.dev_bus_addr,
        }
    }
}

impl Request for GnttabUnmapAndReplace {
    const STATUS: usize = offset_of!(Self, status);

    fn wish(&self) -> Wish {
        Wish {
            handle: GrantHandle(self.handle),
            host: self.host_addr,
            replacement: self.new_addr,
            device: 0,
        }
    }
}

/// Mappings whose page-table entries are gone, and which the TLBs may still have.
type Gone<'a> = ArrayVec<Unmapping<'a, GrantFrame>, { BATCH as usize }>;

/// Unmaps for each structure, one batch.
pub fn run<T: Request>(vcpu: &Vcpu, arguments: &mut Arguments, count: u32) -> Answer {
    let structures = arguments.get(1);
    let mut gone = Gone::new();
    let mut result = Ok(());
    let now = count.min(BATCH);
    for index in 0..now {
        let at = structures.wrapping_add(u64::from(index) * size_of::<T>() as u64);
        result = unmap_one::<T>(vcpu, at, &mut gone);
        if result.is_err() {
            break;
        }
    }
    give_back(vcpu, &mut gone);
    result?;
    go_on::<T>(arguments, count, now)
}

fn unmap_one<'a, T: Request>(vcpu: &'a Vcpu, at: u64, gone: &mut Gone<'a>) -> Refused<()> {
    let wish = guest::read::<T>(at)?.wish();
    let mut destroyed = destroy(vcpu, &wish);
    let busy = destroyed
        .as_ref()
        .is_err_and(|denied| denied.status == Status::BadHandle);
    if busy && !gone.is_empty() {
        // Perhaps the batch has the other half of the same mapping (host, devices) in hand: finish it first.
        give_back(vcpu, gone);
        destroyed = destroy(vcpu, &wish);
    }
    let status = status_of(vcpu, "unmap", &destroyed);
    if let Ok(unmapping) = destroyed {
        // There is room: a batch is no longer than the list.
        gone.push(unmapping);
    }
    guest::write(at.wrapping_add(T::STATUS as u64), &status)
}

/// Takes a mapping's page-table entry away. On a refusal the mapping stays as it was.
fn destroy<'a>(vcpu: &'a Vcpu, wish: &Wish) -> Granted<Unmapping<'a, GrantFrame>> {
    let borrowed = &vcpu.domain.grants.borrowed;
    let unmapping = borrowed.begin_unmap(vcpu.id, wish.handle, wish.host != 0, wish.device != 0)?;
    let mapping = unmapping.mapping();
    if unmapping.device() && wish.device != mapping.frame.address().0 {
        return deny(
            Status::BadDeviceAddress,
            "the device address is not that of the mapping",
        );
    }
    if unmapping.host() {
        take_away(vcpu, wish, &mapping)?;
    }
    Ok(unmapping)
}

/// Empties the entry of a mapping, or moves another mapping into it.
fn take_away(vcpu: &Vcpu, wish: &Wish, mapping: &Mapping) -> Granted<()> {
    let mmu = machine::mmu();
    let paging = vcpu.domain.paging.lock();
    let place = slot(vcpu, &paging, wish.host, mapping.by_entry)?;
    // The rights must be the grant's as well: a mapping through another grant of the same page stays
    // accounted as what it is.
    let entry = mmu.entry_at(place);
    let is_it = entry & PRESENT != 0
        && frame(entry) == mapping.frame
        && (entry & WRITE != 0) == mapping.writable;
    if !is_it {
        return deny(
            Status::General,
            "the host address does not map the granted frame so",
        );
    }
    if wish.replacement == 0 {
        let _ = mmu.unmap_grant(place, mapping.frame, 0);
        return Ok(());
    }
    let source = replacement(vcpu, &paging, wish, mapping, place)?;
    // Nobody changes entries but under the paging lock: what was checked above holds, and the unmap succeeds.
    let moved = mmu.lift_mapping(source);
    let _ = mmu.unmap_grant(place, mapping.frame, moved);
    Ok(())
}

/// The entry that a replacement comes from.
fn replacement<'p>(
    vcpu: &Vcpu,
    paging: &'p Paging,
    wish: &Wish,
    mapping: &Mapping,
    place: L1Slot<'_>,
) -> Granted<L1Slot<'p>> {
    if mapping.by_entry {
        return deny(
            Status::General,
            "a mapping named by its page-table entry cannot be replaced",
        );
    }
    let found = machine::mmu().locate(paging, vcpu.kernel_base(), VirtAddr(wish.replacement));
    match found {
        Some(source) if (source.table(), source.index()) != (place.table(), place.index()) => {
            Ok(source)
        }
        Some(_) => deny(Status::General, "a mapping cannot be replaced by itself"),
        None => deny(
            Status::General,
            "the replacement's address has no page-table entry",
        ),
    }
}

/// Flushes once, then gives references, entries and handles back.
fn give_back(vcpu: &Vcpu, gone: &mut Gone<'_>) {
    if gone.iter().any(Unmapping::host) {
        flush::all(&vcpu.domain.dirty);
    }
    let mut lenders = Lenders::default();
    for unmapping in gone.drain(..) {
        let mapping = unmapping.mapping();
        if unmapping.device() {
            Held::give_back_kept(mapping.frame, mapping.writable);
        }
        let words = [u32::from(mapping.lender.0)];
        trace::note(trace::event::GRANT_UNMAP, &words);
        // A lender stays known for as long as anything of it is held.
        let lender = lenders.find(mapping.lender).ok();
        unmapping.finish(lender.map(|domain| &domain.grants.table));
        if let Some(lender) = lender {
            teardown::try_bury(lender);
        }
    }
}
