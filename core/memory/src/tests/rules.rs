//! The rules one by one: what an entry may be, how it is stored, and which references it holds.

use vocabulary::{DomainId, Errno, Mfn, VirtAddr};

use super::machine::*;
use super::tree::*;
use crate::entry::*;
use crate::page_info::Level;
use crate::paging::Paging;
use crate::reference::PageRef;
use crate::update::{EntryUpdate, Mode};

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
fn a_foreign_mapping_is_remembered_after_it_went() {
    for (named, stale) in [
        (true, crate::Stale::Anywhere),
        (false, crate::Stale::OfDomain(OTHER)),
    ] {
        let (machine, mut paging) = tree();
        let mut others = Paging::new(OTHER);
        let mmu = machine.mmu();
        if named {
            let entry = map(26, PRESENT | WRITE);
            update_as(&machine, &mut paging, L1, 0, entry, OTHER).unwrap();
            update(&machine, &mut paging, L1, 0, 0).unwrap();
        } else {
            let own = PageRef::acquire(machine.frames(), &machine, Mfn(26), OTHER).unwrap();
            drop(own.writable().unwrap());
        }
        mmu.pin(&mut others, Mfn(26), Level::L1, &mut budget())
            .unwrap();
        assert_eq!(*machine.flushes.lock().unwrap(), [stale]);
    }
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
