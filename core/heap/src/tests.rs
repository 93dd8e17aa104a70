//! The heap against a sorted list.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used
)]

use super::*;
use proptest::prelude::*;

const IDS: usize = 24;

#[derive(Default)]
struct Book([Option<u32>; IDS]);

impl Places for Book {
    fn set_place(&mut self, id: u32, place: Option<u32>) {
        self.0[id as usize] = place;
    }
}

#[test]
fn without_room_nothing_is_taken_in() {
    let mut heap = IndexedHeap::new();
    let mut book = Book::default();
    assert!(!heap.push(1u64, 0, &mut book));
    assert!(heap.is_empty() && book.0[0].is_none());
    assert!(heap.reserve(1));
    assert!(heap.push(1, 0, &mut book));
}

proptest! {
    #[test]
    fn behaves_like_a_sorted_list(steps in prop::collection::vec((0..4u8, 0..IDS as u32, 0..50u64), 0..300)) {
        let mut heap = IndexedHeap::new();
        let mut book = Book::default();
        let mut model: Vec<(u64, u32)> = Vec::new();
        prop_assert!(heap.reserve(IDS));
        for (what, id, key) in steps {
            let place = book.0[id as usize];
            match (what, place) {
                (0, None) => {
                    prop_assert!(heap.push(key, id, &mut book));
                    model.push((key, id));
                }
                (1, Some(place)) => {
                    let removed = heap.remove(place, &mut book).unwrap();
                    prop_assert_eq!(removed.1, id);
                    model.retain(|member| member.1 != id);
                }
                (2, Some(place)) => {
                    heap.change_key(place, key, &mut book);
                    model.iter_mut().find(|member| member.1 == id).unwrap().0 = key;
                }
                (3, _) => {
                    let least = model.iter().map(|member| member.0).min();
                    let popped = heap.pop(&mut book);
                    prop_assert_eq!(popped.map(|member| member.0), least);
                    if let Some(popped) = popped {
                        model.retain(|member| member.1 != popped.1);
                    }
                }
                _ => {}
            }
            prop_assert_eq!(heap.len(), model.len());
            for (place, member) in heap.iter().enumerate() {
                prop_assert_eq!(book.0[member.1 as usize], Some(place as u32));
                prop_assert!(model.contains(&member));
            }
            prop_assert_eq!(heap.first().map(|first| first.0), model.iter().map(|m| m.0).min());
            for divisor in [1, 2, 5, 64] {
                let accepted = model.iter().filter(|member| member.1 % divisor == id % divisor);
                let found = heap.first_where(|other| other % divisor == id % divisor);
                prop_assert_eq!(found.map(|first| first.0), accepted.map(|m| m.0).min());
            }
        }
    }
}
