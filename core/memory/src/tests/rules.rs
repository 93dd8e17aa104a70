//! The rules one by one: what an entry may be, how it is stored, and which references it holds.

use vocabulary::{DomainId, Errno, Mfn, VirtAddr};

use super::machine::*;
use crate::budget::{Budget, Stop};
use crate::entry::*;
use crate::frame_table::Sharing;
use crate::page_info::{Level, PageType};
use crate::paging::Paging;
use crate::reference::PageRef;
use crate::update::{EntryUpdate, Mode, Updated};
use crate::{check_descriptor, Attempt};

const L4: u64 = 1;
const L3: u64 = 2;
const L2: u64 = 3;
const L1: u64 = 4;
const DATA: u64 = 5;

fn budget() -> Budget {
    Budget::unlimited()
}

/// A machine whose frames 1 to 4 are a pinned tree that maps nothing yet.
fn tree() -> (Machine, Paging) {
    let machine = Machine::new();
    let mut paging = Paging::new(GUEST);
    machine.poke(L4, 0, map(L3, PRESENT | WRITE));
    machine.poke(L3, 0, map(L2, PRESENT | WRITE));
    machine.poke(L2, 0, map(L1, PRESENT | WRITE));
    machine
        .mmu()
        .pin(&mut paging, Mfn(L4), Level::L4, &mut budget())
        .unwrap();
    (machine, paging)
}

fn update_as(
    machine: &Machine,
    paging: &mut Paging,
    table: u64,
    index: usize,
    value: u64,
    page_owner: DomainId,
) -> Attempt<Updated> {
    let update = EntryUpdate {
        table: Mfn(table),
        index,
        value,
        mode: Mode::Normal,
        page_owner,
    };
    machine.mmu().update_entry(paging, &update, &mut budget())
}

fn update(
    machine: &Machine,
    paging: &mut Paging,
    table: u64,
    index: usize,
    value: u64,
) -> Attempt<Updated> {
    update_as(machine, paging, table, index, value, GUEST)
}

#[track_caller]
fn refused<T: core::fmt::Debug>(result: Attempt<T>, errno: Errno) {
    match result {
        Err(Stop::Refused(refusal)) => assert_eq!(refusal.errno, errno, "{}", refusal.rule),
        other => panic!("not refused: {other:?}"),
    }
}

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
fn mappings_hold_and_give_back_references() {
    let (machine, mut paging) = tree();
    let read_only = map(DATA, PRESENT | USER);
    let writable = read_only | WRITE;
    update(&machine, &mut paging, L1, 0, read_only).unwrap();
    machine.assert_counts(DATA, 2, 0);
    update(&machine, &mut paging, L1, 1, writable).unwrap();
    machine.assert_counts(DATA, 3, 1);
    // More rights, fewer rights, other software bits, another frame, nothing.
    update(&machine, &mut paging, L1, 0, writable).unwrap();
    machine.assert_counts(DATA, 3, 2);
    update(&machine, &mut paging, L1, 0, read_only | NO_EXECUTE).unwrap();
    machine.assert_counts(DATA, 3, 1);
    update(&machine, &mut paging, L1, 0, read_only | AVAILABLE).unwrap();
    machine.assert_counts(DATA, 3, 1);
    update(&machine, &mut paging, L1, 0, map(DATA + 1, PRESENT | WRITE)).unwrap();
    machine.assert_counts(DATA, 2, 1);
    machine.assert_counts(DATA + 1, 2, 1);
    let updated = update(&machine, &mut paging, L1, 1, 0).unwrap();
    assert!(updated.may_be_cached() && !updated.changed_top_level());
    machine.assert_counts(DATA, 1, 0);
}

#[test]
fn what_is_not_present_is_stored_as_it_is() {
    let (machine, mut paging) = tree();
    for (table, value) in [(L1, !PRESENT), (L2, 0xdead_beef_0000_00fe), (L4, 0x80)] {
        update(&machine, &mut paging, table, 5, value).unwrap();
        assert_eq!(machine.peek(table, 5), value);
    }
}

#[test]
fn kernel_and_user_mappings_are_told_apart() {
    let (machine, mut paging) = tree();
    let both = PRESENT | USER;
    for (given, stored) in [
        (PRESENT, both | GUEST_KERNEL),
        (PRESENT | GLOBAL, both | GUEST_KERNEL),
        (both, both | GLOBAL),
        (both | GLOBAL, both | GLOBAL),
        // As the guest reads its entries back.
        (both | GUEST_KERNEL, both | GUEST_KERNEL),
    ] {
        update(&machine, &mut paging, L1, 0, map(DATA, given)).unwrap();
        assert_eq!(machine.peek(L1, 0), map(DATA, stored), "given {given:#x}");
    }
}

#[test]
fn bits_that_are_not_the_guests_are_refused() {
    let (machine, mut paging) = tree();
    for bit in [WRITE_THROUGH, CACHE_DISABLE, SUPERPAGE_OR_PAT] {
        let entry = map(DATA, PRESENT | bit);
        refused(update(&machine, &mut paging, L1, 0, entry), Errno::EINVAL);
        paging.allow_cache_control(true);
        update(&machine, &mut paging, L1, 0, entry).unwrap();
        update(&machine, &mut paging, L1, 0, 0).unwrap();
        paging.allow_cache_control(false);
        let entry = map(L1, PRESENT | bit);
        refused(update(&machine, &mut paging, L2, 0, entry), Errno::EINVAL);
        refused(update(&machine, &mut paging, L3, 0, entry), Errno::EINVAL);
    }
    let superpage = map(8, PRESENT | WRITE | SUPERPAGE_OR_PAT);
    refused(
        update(&machine, &mut paging, L2, 1, superpage),
        Errno::EINVAL,
    );
    machine.assert_counts(DATA, 1, 0);
}

#[test]
fn a_table_is_never_writable() {
    let (machine, mut paging) = tree();
    for table in [L4, L3, L2, L1] {
        let writable = map(table, PRESENT | WRITE);
        refused(update(&machine, &mut paging, L1, 9, writable), Errno::EBUSY);
        update(&machine, &mut paging, L1, 9, map(table, PRESENT)).unwrap();
        // Nor does it become so from read-only.
        refused(update(&machine, &mut paging, L1, 9, writable), Errno::EBUSY);
        update(&machine, &mut paging, L1, 9, 0).unwrap();
    }
    update(&machine, &mut paging, L1, 9, map(DATA, PRESENT | WRITE)).unwrap();
    let mmu = machine.mmu();
    refused(
        mmu.pin(&mut paging, Mfn(DATA), Level::L1, &mut budget()),
        Errno::EINVAL,
    );
    refused(
        update(&machine, &mut paging, L2, 1, map(DATA, PRESENT)),
        Errno::EINVAL,
    );
    assert!(mmu.take_descriptors(&mut paging, Mfn(DATA)).is_err());
    machine.assert_counts(DATA, 2, 1);
}

#[test]
fn a_table_has_one_level() {
    let (machine, mut paging) = tree();
    let mmu = machine.mmu();
    for (table, level) in [(L4, Level::L3), (L1, Level::L2), (L2, Level::L4)] {
        refused(
            mmu.pin(&mut paging, Mfn(table), level, &mut budget()),
            Errno::EINVAL,
        );
    }
    for (table, child) in [(L4, L4), (L3, L1), (L2, L2), (L4, L1)] {
        refused(
            update(&machine, &mut paging, table, 7, map(child, PRESENT)),
            Errno::EINVAL,
        );
    }
    refused(
        mmu.pin(&mut paging, Mfn(L4), Level::L4, &mut budget()),
        Errno::EINVAL,
    );
    machine.assert_counts(L4, 2, 1);
}

#[test]
fn a_type_change_flushes_what_may_be_stale() {
    let (machine, mut paging) = tree();
    let mmu = machine.mmu();
    update(&machine, &mut paging, L1, 0, map(DATA, PRESENT | WRITE)).unwrap();
    machine.touch(L4, Level::L4);
    update(&machine, &mut paging, L1, 0, map(DATA, PRESENT)).unwrap();
    assert!(machine.flushes.lock().unwrap().is_empty());
    mmu.pin(&mut paging, Mfn(DATA), Level::L1, &mut budget())
        .unwrap();
    assert_eq!(
        *machine.flushes.lock().unwrap(),
        [crate::Stale::OfDomain(GUEST)]
    );
    machine.check_tlb();
    // Back again: the processor may have used it as a table.
    mmu.unpin(&mut paging, Mfn(DATA), &mut budget()).unwrap();
    update(&machine, &mut paging, L1, 0, map(DATA, PRESENT | WRITE)).unwrap();
    assert_eq!(machine.flushes.lock().unwrap().len(), 2);
}

#[test]
fn the_hypervisors_slots_and_frames_are_out_of_reach() {
    let (machine, mut paging) = tree();
    for slot in [256, 260, 271] {
        let entry = map(L3, PRESENT | WRITE);
        refused(
            update(&machine, &mut paging, L4, slot, entry),
            Errno::EINVAL,
        );
        refused(update(&machine, &mut paging, L4, slot, 0), Errno::EINVAL);
    }
    for slot in [255, 272, 511] {
        let updated = update(&machine, &mut paging, L4, slot, map(L3, PRESENT)).unwrap();
        assert!(updated.changed_top_level());
    }
    let entry = map(HYPERVISOR_FRAME, PRESENT);
    for owner in [GUEST, DomainId::XEN, DomainId::INVALID, DomainId::IO] {
        refused(
            update_as(&machine, &mut paging, L1, 0, entry, owner),
            Errno::EBUSY,
        );
    }
    assert!(machine
        .mmu()
        .locate(&paging, Mfn(L4), VirtAddr::HYPERVISOR_START)
        .is_none());
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
    assert!(frames.release_allocation(mfn, GUEST, 6).is_err());
    assert!(frames.steal(mfn, GUEST, 6).is_err());
    assert!(frames.end_share(mfn, 6).is_none());
    refused(update(&machine, &mut paging, L1, 1, entry), Errno::EBUSY);
    update(&machine, &mut paging, L1, 0, 0).unwrap();
    assert_eq!(machine.freed.lock().unwrap()[0].mfn(), mfn);
}

#[test]
fn frames_of_others_need_their_name() {
    let (mut machine, mut paging) = tree();
    let entry = map(*OTHER_FRAMES.start(), PRESENT | WRITE);
    refused(update(&machine, &mut paging, L1, 0, entry), Errno::EBUSY);
    update_as(&machine, &mut paging, L1, 0, entry, OTHER).unwrap();
    machine.assert_counts(25, 2, 1);
    refused(
        update_as(&machine, &mut paging, L1, 1, map(DATA, PRESENT), OTHER),
        Errno::EBUSY,
    );
    // The flags of a mapping that exists are the guest's, but for the right to write.
    update(&machine, &mut paging, L1, 0, entry | AVAILABLE).unwrap();
    update(&machine, &mut paging, L1, 0, entry & !WRITE).unwrap();
    machine.assert_counts(25, 2, 0);
    refused(update(&machine, &mut paging, L1, 0, entry), Errno::EBUSY);
    update(&machine, &mut paging, L1, 0, 0).unwrap();
    machine.assert_counts(25, 1, 0);
    machine.foreign_allowed = true;
    update(&machine, &mut paging, L1, 0, entry).unwrap();
    machine.assert_counts(25, 2, 1);
    // Its owner makes it a table later: translations may be on any CPU.
    update(&machine, &mut paging, L1, 0, 0).unwrap();
    let mut others = Paging::new(OTHER);
    machine
        .mmu()
        .pin(&mut others, Mfn(25), Level::L1, &mut budget())
        .unwrap();
    assert_eq!(
        machine.flushes.lock().unwrap().last(),
        Some(&crate::Stale::Anywhere)
    );
    // Tables of another domain are not to be changed at all.
    refused(update(&machine, &mut paging, 25, 0, 0), Errno::EINVAL);
}

#[test]
fn device_memory_is_the_hosts_to_give() {
    let (machine, mut paging) = tree();
    let writable = PRESENT | WRITE | USER;
    for owner in [GUEST, DomainId::IO] {
        update_as(&machine, &mut paging, L1, 0, map(DEVICE, writable), owner).unwrap();
        update_as(&machine, &mut paging, L1, 0, map(DEVICE, PRESENT), owner).unwrap();
        update_as(&machine, &mut paging, L1, 0, map(DEVICE, writable), owner).unwrap();
    }
    let beyond = map(0xf_ffff_ffff, PRESENT);
    for entry in [map(FORBIDDEN_DEVICE, PRESENT), map(0, PRESENT), beyond] {
        refused(update(&machine, &mut paging, L1, 1, entry), Errno::EPERM);
    }
    refused(
        update_as(&machine, &mut paging, L1, 1, map(DEVICE, PRESENT), OTHER),
        Errno::EPERM,
    );
    let updated = update(
        &machine,
        &mut paging,
        L1,
        1,
        map(READ_ONLY_DEVICE, writable),
    )
    .unwrap();
    assert_eq!(updated.new & WRITE, 0);
    assert_eq!(machine.peek(L1, 1), updated.new);
    for table in [DEVICE, 0, 1 << 40] {
        refused(update(&machine, &mut paging, table, 0, 0), Errno::EINVAL);
        refused(
            machine
                .mmu()
                .pin(&mut paging, Mfn(table), Level::L1, &mut budget()),
            Errno::EINVAL,
        );
        refused(
            update(&machine, &mut paging, L2, 3, map(table, PRESENT)),
            Errno::EINVAL,
        );
    }
    machine
        .mmu()
        .unpin(&mut paging, Mfn(L4), &mut budget())
        .unwrap();
    assert_eq!(machine.page(DEVICE).state(), 0);
    assert_eq!(machine.page(DEVICE).kind(), 0);
}

#[test]
fn accessed_and_dirty_bits_survive_as_asked() {
    let (machine, mut paging) = tree();
    let mmu = machine.mmu();
    let entry = map(DATA, PRESENT | WRITE | USER);
    update(&machine, &mut paging, L1, 0, entry).unwrap();
    let hardware = machine.peek(L1, 0) | ACCESSED | DIRTY;
    machine.poke(L1, 0, hardware);
    let mut request = EntryUpdate {
        table: Mfn(L1),
        index: 0,
        value: entry & !WRITE,
        mode: Mode::IfStill(hardware & !DIRTY),
        page_owner: GUEST,
    };
    refused(
        mmu.update_entry(&mut paging, &request, &mut budget()),
        Errno::EAGAIN,
    );
    machine.assert_counts(DATA, 2, 1);
    request.mode = Mode::PreserveAccessedDirty;
    let updated = mmu
        .update_entry(&mut paging, &request, &mut budget())
        .unwrap();
    assert_eq!(updated.old, hardware);
    assert_eq!(updated.new, hardware & !WRITE);
    assert_eq!(machine.peek(L1, 0), updated.new);
    // The conditional one that gains a right, or a frame, and fails, gives it back.
    request.mode = Mode::IfStill(0);
    for value in [entry, map(DATA + 1, PRESENT | WRITE)] {
        request.value = value;
        refused(
            mmu.update_entry(&mut paging, &request, &mut budget()),
            Errno::EAGAIN,
        );
    }
    machine.assert_counts(DATA, 2, 0);
    machine.assert_counts(DATA + 1, 1, 0);
    request.mode = Mode::IfStill(machine.peek(L1, 0));
    mmu.update_entry(&mut paging, &request, &mut budget())
        .unwrap();
    machine.assert_counts(DATA, 1, 0);
}

#[test]
fn plain_memory_is_written_as_it_is() {
    let (machine, mut paging) = tree();
    let updated = update(&machine, &mut paging, DATA, 3, 0x1234).unwrap();
    assert_eq!(updated.level, None);
    assert_eq!(machine.peek(DATA, 3), 0x1234);
    machine.assert_counts(DATA, 1, 0);
    refused(update(&machine, &mut paging, 25, 3, 1), Errno::EINVAL);
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
