//! The end of a domain: whatever it did, every frame comes back.

use proptest::prelude::*;
use vocabulary::Mfn;

use super::machine::*;
use super::model::Model;
use super::operations::*;
use super::properties::step;
use crate::budget::{Budget, Stop};
use crate::domain_pages::DomainPages;
use crate::entry::{PRESENT, WRITE};
use crate::page_info::Level;
use crate::paging::Paging;
use crate::update::{EntryUpdate, Mode};

/// A list with all of GUEST's frames.
pub fn list(machine: &Machine) -> DomainPages {
    let mut pages = DomainPages::new(GUEST);
    pages.set_max(1000);
    for mfn in GUEST_FRAMES {
        pages.insert(machine.frames(), Mfn(mfn)).unwrap();
    }
    pages
}

/// Relinquishes in pieces and asserts that every frame was freed, once.
pub fn relinquish(machine: &Machine, paging: &mut Paging, pages: &mut DomainPages, piece: u32) {
    let frames = machine.frames();
    loop {
        let next = || pages.next_to_relinquish(frames);
        match machine
            .mmu()
            .relinquish(paging, next, &mut Budget::new(piece))
        {
            Ok(()) => break,
            Err(Stop::Again) => {}
            Err(Stop::Refused(refusal)) => panic!("{refusal}"),
        }
    }
    let mut freed: Vec<u64> = Vec::new();
    for frame in machine.freed.lock().unwrap().drain(..) {
        pages.remove(frames, &frame);
        freed.push(frames.into_free(frame).0);
    }
    freed.sort_unstable();
    assert_eq!(freed, GUEST_FRAMES.collect::<Vec<_>>());
    assert_eq!(pages.total(), 0);
    for mfn in OTHER_FRAMES {
        machine.assert_counts(mfn, 1, 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_frame_comes_back(
        operations in proptest::collection::vec(operation(), 1..100),
        piece in 1_u32..5,
        abandon in any::<bool>(),
        last in operation(),
    ) {
        let machine = Machine::new();
        let mut paging = Paging::new(GUEST);
        let mut model = Model::default();
        let mut pages = list(&machine);
        for operation in operations {
            step(&machine, &mut paging, &mut model, operation, u32::MAX);
        }
        for mfn in 1..=24 {
            while model.has_base(mfn) {
                step(&machine, &mut paging, &mut model, Operation::ReleaseBase { mfn }, u32::MAX);
            }
        }
        // The domain dies in the middle of something.
        let base = matches!(last, Operation::TakeBase { .. } | Operation::ReleaseBase { .. });
        if abandon && !base {
            let _ = perform(&machine, &mut paging, last, &mut Budget::new(2));
        }
        relinquish(&machine, &mut paging, &mut pages, piece);
    }
}

#[test]
fn what_others_map_waits_for_them() {
    let machine = Machine::new();
    let mut paging = Paging::new(GUEST);
    let mut others = Paging::new(OTHER);
    let mmu = machine.mmu();
    let mut pages = list(&machine);
    mmu.pin(&mut others, Mfn(25), Level::L1, &mut Budget::unlimited())
        .unwrap();
    let mut update = EntryUpdate {
        table: Mfn(25),
        index: 0,
        value: map(7, PRESENT | WRITE),
        mode: Mode::Normal,
        page_owner: GUEST,
    };
    mmu.update_entry(&mut others, &update, &mut Budget::unlimited())
        .unwrap();
    mmu.relinquish(
        &mut paging,
        || pages.next_to_relinquish(machine.frames()),
        &mut Budget::unlimited(),
    )
    .unwrap();
    assert_eq!(machine.freed.lock().unwrap().len(), 23);
    machine.assert_counts(7, 1, 1);
    // A dead domain's frame is mapped by nobody anew.
    update.index = 1;
    assert!(mmu
        .update_entry(&mut others, &update, &mut Budget::unlimited())
        .is_err());
    update.index = 0;
    update.value = 0;
    mmu.update_entry(&mut others, &update, &mut Budget::unlimited())
        .unwrap();
    assert_eq!(machine.freed.lock().unwrap().len(), 24);
}
