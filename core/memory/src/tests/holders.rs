//! What holds frames beside ordinary entries: pins, bases, descriptor tables, grants, shares of the hypervisor.

use vocabulary::{DomainId, Errno, Mfn, VirtAddr};

use super::machine::*;
use super::tree::*;
use crate::check_descriptor;
use crate::entry::*;
use crate::frame_table::Sharing;
use crate::page_info::{Level, PageType};
use crate::paging::Paging;
use crate::reference::PageRef;

#[test]
fn a_pinned_tree_holds_each_table_once() {
    let (machine, _) = tree();
    machine.assert_counts(L4, 2, 1);
    machine.assert_counts(L3, 2, 1);
    machine.assert_counts(L2, 2, 1);
    machine.assert_counts(L1, 2, 1);
    assert_eq!(machine.page(L1).page_type(), PageType::L1);
    assert!(machine.page(L4).is_pinned());
    for slot in 256..272 {
        assert_eq!(machine.peek(L4, slot), hypervisor_entry());
    }
    assert_eq!(machine.peek(L4, 0) & USER, USER);
}

#[test]
fn shared_frames_of_the_hypervisor() {
    let (machine, mut paging) = tree();
    let frames = machine.frames();
    let entry = map(HYPERVISOR_FRAME, PRESENT);
    frames
        .share_with_guest(Mfn(HYPERVISOR_FRAME), DomainId::XEN, Sharing::ReadOnly)
        .unwrap();
    refused(update(&machine, &mut paging, L1, 0, entry), Errno::EBUSY);
    update_as(&machine, &mut paging, L1, 0, entry, DomainId::XEN).unwrap();
    refused(
        update_as(&machine, &mut paging, L1, 0, entry | WRITE, DomainId::XEN),
        Errno::EBUSY,
    );
    update(&machine, &mut paging, L1, 0, 0).unwrap();
    machine.assert_counts(HYPERVISOR_FRAME, 1, 1);

    let freed = frames.end_share(Mfn(HYPERVISOR_FRAME), 5).unwrap();
    let mfn = frames.into_free(freed);
    frames.assign(mfn, DomainId::INVALID, &machine).unwrap();
    frames
        .share_with_guest(mfn, GUEST, Sharing::Writable)
        .unwrap();
    update(&machine, &mut paging, L1, 0, entry | WRITE).unwrap();
    assert!(frames.release_allocation(mfn, GUEST, || 6).is_err());
    assert!(frames.steal(mfn, GUEST, || 6).is_err());
    assert!(frames.end_share(mfn, 6).is_none());
    refused(update(&machine, &mut paging, L1, 1, entry), Errno::EBUSY);
    update(&machine, &mut paging, L1, 0, 0).unwrap();
    assert_eq!(machine.freed.lock().unwrap()[0].mfn(), mfn);
}

#[test]
fn a_refused_tree_leaves_nothing_behind() {
    let machine = Machine::new();
    let mut paging = Paging::new(GUEST);
    machine.poke(L4, 0, map(L3, PRESENT));
    machine.poke(L3, 0, map(L2, PRESENT));
    machine.poke(L2, 0, map(L1, PRESENT));
    machine.poke(L2, 1, map(L1, PRESENT));
    machine.poke(L1, 0, map(DATA, PRESENT | WRITE));
    machine.poke(L3, 511, map(L2, PRESENT | SUPERPAGE_OR_PAT));
    let result = machine
        .mmu()
        .pin(&mut paging, Mfn(L4), Level::L4, &mut budget());
    refused(result, Errno::EINVAL);
    for mfn in 1..=5 {
        machine.assert_counts(mfn, 1, 0);
    }
    machine.poke(L3, 511, 0);
    machine.poke(L1, 1, map(25, PRESENT));
    let result = machine
        .mmu()
        .pin(&mut paging, Mfn(L4), Level::L4, &mut budget());
    refused(result, Errno::EBUSY);
    for mfn in 1..=5 {
        machine.assert_counts(mfn, 1, 0);
    }
}

#[test]
fn grants_move_references_into_entries_and_out() {
    let (machine, mut paging) = tree();
    let mmu = machine.mmu();
    let granted = Mfn(25);
    let take = |writable: bool| {
        let reference =
            PageRef::acquire_foreign(machine.frames(), &machine, granted, OTHER).unwrap();
        if writable {
            reference.writable().unwrap().keep();
        } else {
            reference.keep();
        }
    };
    update(&machine, &mut paging, L1, 0, map(DATA, PRESENT | WRITE)).unwrap();
    take(true);
    let found = mmu.locate(&paging, Mfn(L4), VirtAddr(0x123)).unwrap();
    mmu.map_grant(found, map(25, PRESENT | WRITE)).unwrap();
    machine.assert_counts(25, 2, 1);
    machine.assert_counts(DATA, 1, 0);
    assert!(mmu.unmap_grant(found, Mfn(26), 0).is_err());
    mmu.unmap_grant(found, granted, 0).unwrap();
    machine.assert_counts(25, 1, 0);
    assert!(mmu.unmap_grant(found, granted, 0).is_err());
    // A read-only grant does not become writable, and a plain update ends it.
    take(false);
    let found = mmu.l1_slot(&paging, Mfn(L1), 512).unwrap();
    mmu.map_grant(found, map(25, PRESENT)).unwrap();
    refused(
        update(&machine, &mut paging, L1, 0, map(25, PRESENT | WRITE)),
        Errno::EBUSY,
    );
    update(&machine, &mut paging, L1, 0, 0).unwrap();
    machine.assert_counts(25, 1, 0);
    assert!(mmu.l1_slot(&paging, Mfn(L2), 0).is_err());
    assert!(mmu.locate(&paging, Mfn(L4), VirtAddr(1 << 39)).is_none());
    assert!(mmu.locate(&paging, Mfn(L4), VirtAddr(1 << 47)).is_none());
}

#[test]
fn bases_are_exchanged_or_nothing_happens() {
    let (machine, mut paging) = tree();
    let mmu = machine.mmu();
    let (first, second) = (Some(Mfn(L4)), Some(Mfn(DATA)));
    let mut loads = 0;
    mmu.replace_base(&mut paging, None, first, || loads += 1, &mut budget())
        .unwrap();
    machine.assert_counts(L4, 3, 2);
    mmu.replace_base(&mut paging, first, second, || loads += 1, &mut budget())
        .unwrap();
    machine.assert_counts(L4, 2, 1);
    machine.assert_counts(DATA, 2, 1);
    let bad = Some(Mfn(L2));
    refused(
        mmu.replace_base(&mut paging, second, bad, || loads += 10, &mut budget()),
        Errno::EINVAL,
    );
    machine.assert_counts(DATA, 2, 1);
    mmu.replace_base(&mut paging, second, None, || loads += 1, &mut budget())
        .unwrap();
    machine.assert_counts(DATA, 1, 0);
    assert_eq!(loads, 3);
}

#[test]
fn only_harmless_descriptors() {
    let flat_code = 0x00af_9a00_0000_ffff;
    assert_eq!(check_descriptor(flat_code), Ok(0x00af_fa00_0000_ffff));
    let user_data = 0x00cf_f300_0000_ffff;
    assert_eq!(check_descriptor(user_data), Ok(user_data));
    assert_eq!(check_descriptor(0), Ok(0));
    let absent_gate = 0x0000_0c00_0000_0000;
    assert_eq!(check_descriptor(absent_gate), Ok(absent_gate));
    for kind in 1..16_u64 {
        let system = 0x8000_0000_0000 | kind << 40;
        assert!(check_descriptor(system).is_err(), "system type {kind}");
        assert!(check_descriptor(system | 3 << 45).is_err());
    }
}

#[test]
fn descriptor_frames_are_checked_and_counted() {
    let (machine, mut paging) = tree();
    let mmu = machine.mmu();
    machine.poke(DATA, 2, 0x00af_9a00_0000_ffff);
    mmu.take_descriptors(&mut paging, Mfn(DATA)).unwrap();
    mmu.take_descriptors(&mut paging, Mfn(DATA)).unwrap();
    machine.assert_counts(DATA, 3, 2);
    assert_eq!(machine.peek(DATA, 2), 0x00af_fa00_0000_ffff);
    refused(
        update(&machine, &mut paging, L1, 0, map(DATA, PRESENT | WRITE)),
        Errno::EBUSY,
    );
    refused(update(&machine, &mut paging, DATA, 0, 0), Errno::EINVAL);
    let gate = 0x8c00_0000_0000;
    assert!(mmu
        .update_descriptor(&mut paging, Mfn(DATA), 1, gate)
        .is_err());
    assert!(mmu.update_descriptor(&mut paging, Mfn(L1), 1, 0).is_err());
    mmu.update_descriptor(&mut paging, Mfn(DATA), 1, 0x00cf_9300_0000_ffff)
        .unwrap();
    assert_eq!(machine.peek(DATA, 1), 0x00cf_f300_0000_ffff);
    mmu.release_descriptors(&mut paging, Mfn(DATA));
    mmu.release_descriptors(&mut paging, Mfn(DATA));
    machine.assert_counts(DATA, 1, 0);
    machine.poke(DATA, 511, gate);
    assert!(mmu.take_descriptors(&mut paging, Mfn(DATA)).is_err());
    machine.assert_counts(DATA, 1, 0);
    mmu.update_descriptor(&mut paging, Mfn(DATA), 511, 0)
        .unwrap();
}
