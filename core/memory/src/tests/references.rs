//! General references and ownership.

use vocabulary::{DomainId, Errno, Mfn};

use super::machine::*;
use crate::reference::{PageRef, WritableRef};

#[test]
fn a_guard_releases_and_the_last_one_frees() {
    let machine = Machine::new();
    let frames = machine.frames();
    let first = PageRef::acquire(frames, &machine, Mfn(1), GUEST).unwrap();
    let second = PageRef::acquire(frames, &machine, Mfn(1), GUEST)
        .unwrap()
        .writable()
        .unwrap();
    machine.assert_counts(1, 3, 1);
    assert_eq!(frames.release_allocation(Mfn(1), GUEST, || 9), Ok(None));
    drop(first);
    let kept = second.keep();
    assert!(PageRef::acquire(frames, &machine, Mfn(1), GUEST).is_err());
    assert!(machine.freed.lock().unwrap().is_empty());
    drop(WritableRef::from_kept(frames, &machine, kept));
    let freed = machine.freed.lock().unwrap().pop().unwrap();
    assert_eq!((freed.mfn(), freed.owner()), (Mfn(1), GUEST));
    assert!(PageRef::from_kept(frames, &machine, Mfn(1)).is_none());
    frames.into_free(freed);
    assert!(machine.page(1).is_free());
}

#[test]
fn only_the_owner_has_a_frame() {
    let machine = Machine::new();
    let frames = machine.frames();
    for (mfn, owner) in [
        (1, OTHER),
        (25, GUEST),
        (HYPERVISOR_FRAME, GUEST),
        (HYPERVISOR_FRAME, DomainId::XEN),
        (FREE_FRAME, DomainId(0)),
        (DEVICE, GUEST),
        (0, DomainId(0)),
        (FRAMES, GUEST),
        (u64::MAX, GUEST),
    ] {
        let refusal = PageRef::acquire(frames, &machine, Mfn(mfn), owner).unwrap_err();
        assert_eq!(refusal.errno, Errno::EINVAL);
        assert!(frames.release_allocation(Mfn(mfn), owner, || 1).is_err());
        assert!(frames.steal(Mfn(mfn), owner, || 1).is_err());
    }
}

#[test]
fn a_frame_is_given_back_once() {
    let machine = Machine::new();
    let frames = machine.frames();
    let reference = PageRef::acquire(frames, &machine, Mfn(1), GUEST).unwrap();
    assert_eq!(frames.release_allocation(Mfn(1), GUEST, || 1), Ok(None));
    assert!(frames.release_allocation(Mfn(1), GUEST, || 1).is_err());
    drop(reference);
    assert!(frames.release_allocation(Mfn(1), GUEST, || 1).is_err());
    let freed = frames
        .release_allocation(Mfn(2), GUEST, || 1)
        .unwrap()
        .unwrap();
    assert_eq!(freed.mfn(), Mfn(2));
}

#[test]
fn a_frame_in_use_is_not_stolen() {
    let machine = Machine::new();
    let frames = machine.frames();
    let reference = PageRef::acquire(frames, &machine, Mfn(1), GUEST).unwrap();
    let refusal = frames.steal(Mfn(1), GUEST, || 1).unwrap_err();
    assert_eq!(refusal.errno, Errno::EBUSY);
    drop(reference);
    let stolen = frames.steal(Mfn(1), GUEST, || 1).unwrap();
    assert_eq!(machine.page(1).references(), 0);
    assert!(frames.take(Mfn(1), GUEST).is_err());
    let mfn = frames.into_free(stolen);
    // Whoever gets it next gets it with no translation left anywhere.
    frames.assign(mfn, OTHER, &machine).unwrap();
    assert_eq!(*machine.flushes.lock().unwrap(), [crate::Stale::Anywhere]);
    assert!(frames.assign(mfn, OTHER, &machine).is_err());
    assert_eq!(machine.page(1).owner(), OTHER);
}

#[test]
fn a_free_frame_is_flushed_before_it_is_zeroed() {
    let machine = Machine::new();
    let frames = machine.frames();
    let flushes = || machine.flushes.lock().unwrap().len();
    // One in use is left alone: its owner's translations are right.
    frames.flush_former(Mfn(1), &machine);
    assert_eq!(flushes(), 0);
    let freed = frames.steal(Mfn(1), GUEST, || 1).unwrap();
    let mfn = frames.into_free(freed);
    frames.flush_former(mfn, &machine);
    assert_eq!(*machine.flushes.lock().unwrap(), [crate::Stale::Anywhere]);
    // Nor does one that is no RAM owe anything.
    frames.flush_former(Mfn(1 << 40), &machine);
    assert_eq!(flushes(), 1);
}

#[test]
fn references_do_not_overflow() {
    let machine = Machine::new();
    let page = machine.page(1);
    let full = page.state() & !crate::page_info::COUNT | crate::page_info::COUNT_FULL;
    page.state.store(full, std::sync::atomic::Ordering::Relaxed);
    assert!(machine.frames().take(Mfn(1), GUEST).is_err());
    let page = machine.page(2);
    page.take_writable(&machine).unwrap();
    let kind = page.kind() | crate::page_info::TYPES_FULL;
    page.kind.store(kind, std::sync::atomic::Ordering::Relaxed);
    assert!(page.take_writable(&machine).is_err());
    assert_eq!(page.kind(), kind);
}

#[test]
fn the_allocators_part_of_an_entry() {
    let machine = Machine::new();
    let frames = machine.frames();
    let page = machine.page(FREE_FRAME);
    page.set_allocator_byte(0x5a);
    page.set_free_words([u64::MAX, 7]);
    assert_eq!(page.free_words(), Some([u64::MAX, 7]));
    assert_eq!(page.references() + page.type_references(), 0);
    assert!(!page.is_pinned() && !page.is_partial() && !page.is_validated());
    frames.assign(Mfn(FREE_FRAME), GUEST, &machine).unwrap();
    assert_eq!(page.allocator_byte(), 0x5a);
    assert_eq!(page.free_words(), None);
    page.set_free_words([1, 1]);
    page.set_allocator_byte(0x21);
    machine.assert_counts(FREE_FRAME, 1, 0);
    let freed = frames
        .release_allocation(Mfn(FREE_FRAME), GUEST, || 4)
        .unwrap()
        .unwrap();
    frames.into_free(freed);
    assert_eq!(page.allocator_byte(), 0x21);
    machine.page(DEVICE).set_allocator_byte(1);
    machine.page(DEVICE).set_free_words([1, 1]);
    assert!(!machine.page(DEVICE).is_ram());
}

#[test]
fn the_hypervisors_own_frames_come_and_go() {
    let machine = Machine::new();
    let frames = machine.frames();
    assert!(machine.page(HYPERVISOR_FRAME).is_hypervisors());
    assert!(frames.end_share(Mfn(HYPERVISOR_FRAME), 1).is_none());
    assert!(frames.release_own(Mfn(1), 1).is_none());
    let freed = frames.release_own(Mfn(HYPERVISOR_FRAME), 1).unwrap();
    let mfn = frames.into_free(freed);
    assert!(machine.page(mfn.0).is_free());
    // Naming the hypervisor does not make its frames anyone's to map.
    frames.assign(mfn, DomainId::XEN, &machine).unwrap();
    assert!(machine.page(mfn.0).is_hypervisors());
    assert!(frames.take(mfn, DomainId::XEN).is_err());
    assert!(frames
        .share_with_guest(mfn, GUEST, crate::Sharing::Writable)
        .is_ok());
}
