//! The table of things by number, against an ordinary map.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::Slots;

#[derive(Clone, Debug)]
enum Step {
    Reserve(u32),
    Put(u32, u64),
    Take(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0u32..40).prop_map(Step::Reserve),
        ((0u32..40), any::<u64>()).prop_map(|(number, thing)| Step::Put(number, thing)),
        (0u32..40).prop_map(Step::Take),
    ];
    prop::collection::vec(step, 0..100)
}

proptest! {
    #![proptest_config(super::cases(200))]

    #[test]
    fn it_holds_what_was_put_where_room_was_made(steps in steps()) {
        let mut slots = Slots::new();
        let mut model = BTreeMap::new();
        let mut room = 0;
        for step in steps {
            match step {
                Step::Reserve(number) => {
                    prop_assert!(slots.reserve(number));
                    room = room.max(number + 1);
                }
                Step::Put(number, thing) => {
                    let before = (number < room).then(|| model.insert(number, thing)).flatten();
                    prop_assert_eq!(slots.put(number, thing), before);
                }
                Step::Take(number) => prop_assert_eq!(slots.take(number), model.remove(&number)),
            }
            let found: BTreeMap<u32, u64> = slots.iter().map(|(number, thing)| (number, *thing)).collect();
            prop_assert_eq!(&found, &model);
            prop_assert_eq!(slots.numbers(), 0..room);
            let free = (0..).find(|number| !model.contains_key(number));
            prop_assert_eq!(Some(slots.lowest_free()), free);
        }
    }
}

/// Otherwise it might move to memory that was taken for guests, and stay there when they go.
#[test]
fn a_table_of_what_guests_consist_of_does_not_move_while_dozens_come() {
    let mut slots = Slots::<[u64; 20]>::new();
    assert!(slots.reserve_for_many(0));
    slots.put(0, [1; 20]);
    let place = core::ptr::from_ref(slots.get(0).unwrap());
    for number in 1..128 {
        assert!(slots.reserve_for_many(number));
        slots.put(number, [2; 20]);
    }
    assert!(core::ptr::eq(slots.get(0).unwrap(), place));
    assert_eq!(slots.iter().count(), 128);
}
