//! A domain's list of frames against a vector.

use proptest::prelude::*;
use vocabulary::{Errno, Mfn};

use super::machine::*;
use crate::domain_pages::DomainPages;

fn listed(machine: &Machine, pages: &DomainPages) -> Vec<u64> {
    pages.iter(machine.frames()).map(|mfn| mfn.0).collect()
}

#[test]
fn the_maximum() {
    let machine = Machine::new();
    let frames = machine.frames();
    let mut pages = DomainPages::new(GUEST);
    assert_eq!(
        pages.insert(frames, Mfn(1)).unwrap_err().errno,
        Errno::ENOMEM
    );
    pages.set_max(2);
    pages.insert(frames, Mfn(1)).unwrap();
    pages.insert(frames, Mfn(2)).unwrap();
    assert_eq!((pages.total(), pages.max()), (2, 2));
    assert!(pages.insert(frames, Mfn(3)).is_err());
    assert!(pages.check_room(u64::MAX).is_err());
    // What never got on the list does not take others off it.
    let freed = frames.steal(Mfn(3), GUEST, || 1).unwrap();
    pages.remove(frames, &freed);
    frames.into_free(freed);
    assert_eq!(listed(&machine, &pages), [1, 2]);
    assert!(pages.insert(frames, Mfn(1 << 33)).is_err());
}

#[test]
fn a_dying_domain_gets_nothing() {
    let machine = Machine::new();
    let frames = machine.frames();
    let mut pages = DomainPages::new(GUEST);
    pages.set_max(100);
    for mfn in 1..=3 {
        pages.insert(frames, Mfn(mfn)).unwrap();
    }
    pages.begin_teardown();
    assert_eq!(pages.check_room(1).unwrap_err().errno, Errno::EINVAL);
    assert_eq!(pages.next_to_relinquish(frames), Some(Mfn(1)));
    assert!(pages.is_dying());
    assert!(pages.insert(frames, Mfn(4)).is_err());
    assert_eq!(pages.next_to_relinquish(frames), Some(Mfn(2)));
    // Frames go from either list, in any order.
    for mfn in [2, 3, 1] {
        let freed = frames.steal(Mfn(mfn), GUEST, || 1).unwrap();
        pages.remove(frames, &freed);
        frames.into_free(freed);
    }
    assert_eq!(pages.total(), 0);
    assert_eq!(pages.next_to_relinquish(frames), None);
}

proptest! {
    #[test]
    fn the_list_is_a_list(steps in proptest::collection::vec((1_u64..=24, any::<bool>()), 1..200)) {
        let machine = Machine::new();
        let frames = machine.frames();
        let mut pages = DomainPages::new(GUEST);
        pages.set_max(1000);
        let mut model: Vec<u64> = Vec::new();
        for (mfn, add) in steps {
            if add && !model.contains(&mfn) {
                pages.insert(frames, Mfn(mfn)).unwrap();
                model.push(mfn);
            } else if !add && model.contains(&mfn) {
                let freed = frames.steal(Mfn(mfn), GUEST, || 1).unwrap();
                pages.remove(frames, &freed);
                frames.into_free(freed);
                frames.assign(Mfn(mfn), GUEST, &machine).unwrap();
                model.retain(|other| *other != mfn);
            }
            prop_assert_eq!(listed(&machine, &pages), model.clone());
            prop_assert_eq!(pages.total(), model.len() as u64);
            let mut walked = Vec::new();
            let mut at = None;
            while let Some(next) = pages.after(frames, at) {
                walked.push(next.0);
                at = Some(next);
            }
            prop_assert_eq!(&walked, &model);
        }
    }
}
