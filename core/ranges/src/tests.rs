//! The set against a plain one of single numbers.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used
)]

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::*;

#[test]
fn ranges_that_touch_become_one() {
    let mut set = RangeSet::new();
    set.insert(10, 19).unwrap();
    set.insert(30, 39).unwrap();
    set.insert(20, 29).unwrap();
    assert_eq!(
        set.ranges(),
        [Range {
            first: 10,
            last: 39
        }]
    );
    set.remove(15, 15).unwrap();
    assert_eq!(set.ranges().len(), 2);
    assert!(set.contains(10, 14) && set.contains(16, 39));
    assert!(!set.contains(14, 16));
}

#[test]
fn the_ends_of_the_numbers_are_numbers() {
    let mut set = RangeSet::new();
    set.insert(u64::MAX, u64::MAX).unwrap();
    set.insert(0, 0).unwrap();
    assert!(set.contains(u64::MAX, u64::MAX) && set.contains(0, 0));
    set.insert(0, u64::MAX).unwrap();
    assert_eq!(set.ranges().len(), 1);
    set.remove(0, u64::MAX).unwrap();
    assert!(set.is_empty());
    set.insert(5, 4).unwrap();
    assert!(set.is_empty());
}

proptest! {
    #[test]
    fn it_is_the_set_it_says(
        changes in prop::collection::vec((any::<bool>(), 0..64_u64, 0..64_u64), 0..40),
    ) {
        let mut set = RangeSet::new();
        let mut model = BTreeSet::new();
        for (adds, first, last) in changes {
            if adds {
                set.insert(first, last).unwrap();
                model.extend(first..=last);
            } else {
                set.remove(first, last).unwrap();
                model.retain(|number| *number < first || *number > last);
            }
            for number in 0..66 {
                prop_assert_eq!(set.contains(number, number), model.contains(&number));
            }
            for pair in set.ranges().windows(2) {
                prop_assert!(pair[0].last + 1 < pair[1].first);
            }
            prop_assert!(set.ranges().iter().all(|range| range.first <= range.last));
        }
    }
}
