//! The timer queue against a list.

use proptest::prelude::*;
use vocabulary::Nanos;

use crate::*;

#[derive(Clone, Debug)]
enum Step {
    Register,
    Unregister(usize),
    Arm(usize, u64),
    Disarm(usize),
    Advance(u64),
    Stale(u64),
}

fn steps() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>().prop_map(|index| index.index(1 << 16));
    prop_oneof![
        2 => Just(Step::Register),
        1 => index.clone().prop_map(Step::Unregister),
        5 => (index.clone(), 0..1_000u64).prop_map(|(timer, after)| Step::Arm(timer, after)),
        2 => index.prop_map(Step::Disarm),
        2 => (0..600u64).prop_map(Step::Advance),
        1 => (0..1_000u64).prop_map(Step::Stale),
    ]
}

/// A registered timer in the model.
#[derive(Debug)]
struct Known {
    timer: TimerHandle,
    payload: u32,
    due: Option<u64>,
}

proptest! {
    #[test]
    fn behaves_like_a_list(sequence in prop::collection::vec(steps(), 1..200)) {
        let mut queue = TimerQueue::new();
        let mut known: Vec<Known> = Vec::new();
        let mut stale = Vec::new();
        let (mut now, mut next_payload) = (0u64, 0u32);
        for step in sequence {
            let count = known.len().max(1);
            match step {
                Step::Register => {
                    let timer = queue.register(next_payload).unwrap();
                    prop_assert!(!stale.contains(&timer));
                    known.push(Known { timer, payload: next_payload, due: None });
                    next_payload += 1;
                }
                Step::Advance(by) => {
                    now += by;
                    let mut last = Nanos(0);
                    while let Some(expired) = queue.pop_expired(Nanos(now)) {
                        prop_assert!(expired.deadline >= last && expired.deadline.0 <= now);
                        last = expired.deadline;
                        let entry = known.iter_mut().find(|k| k.timer == expired.timer).unwrap();
                        prop_assert_eq!(entry.payload, expired.payload);
                        prop_assert_eq!(entry.due.take(), Some(expired.deadline.0));
                    }
                    prop_assert!(known.iter().all(|k| k.due.is_none_or(|due| due > now)));
                }
                Step::Stale(deadline) => {
                    for timer in &stale {
                        prop_assert!(!queue.arm(*timer, Nanos(deadline)));
                        prop_assert_eq!(queue.disarm(*timer), None);
                        prop_assert_eq!(queue.deadline(*timer), None);
                        prop_assert_eq!(queue.unregister(*timer), None);
                    }
                }
                _ if known.is_empty() => {}
                Step::Unregister(index) => {
                    let gone = known.swap_remove(index % count);
                    prop_assert_eq!(queue.unregister(gone.timer), Some(gone.payload));
                    stale.push(gone.timer);
                }
                Step::Arm(index, after) => {
                    let entry = &mut known[index % count];
                    entry.due = Some(now + after);
                    let first = queue.arm(entry.timer, Nanos(now + after));
                    if first {
                        prop_assert_eq!(queue.next_deadline(), Some(Nanos(now + after)));
                    }
                }
                Step::Disarm(index) => {
                    let entry = &mut known[index % count];
                    let due = entry.due.take();
                    prop_assert_eq!(queue.disarm(entry.timer), due.map(Nanos));
                }
            }
            let next = known.iter().filter_map(|k| k.due).min();
            prop_assert_eq!(queue.next_deadline(), next.map(Nanos));
            prop_assert_eq!(queue.armed(), known.iter().filter(|k| k.due.is_some()).count());
            for entry in &known {
                prop_assert_eq!(queue.deadline(entry.timer), entry.due.map(Nanos));
            }
        }
    }
}

proptest! {
    /// What a processor's queue lives through: timers come and go, never more at once than room was made for.
    #[test]
    fn nothing_grows_once_room_was_made(
        total in 1..40usize,
        sequence in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), 0..1_000u64), 1..300),
    ) {
        let mut queue = TimerQueue::new();
        queue.reserve(total).unwrap();
        let room = queue.room();
        prop_assert!(room >= total);
        let mut known = Vec::new();
        for (index, comes, deadline) in sequence {
            if comes && known.len() < total {
                let timer = queue.register(()).unwrap();
                queue.arm(timer, Nanos(deadline));
                known.push(timer);
            } else if !known.is_empty() {
                let timer = known.swap_remove(index.index(known.len()));
                prop_assert_eq!(queue.unregister(timer), Some(()));
            }
            prop_assert_eq!(queue.armed(), known.len(), "none was left out for want of room");
            prop_assert_eq!(queue.room(), room);
        }
    }
}

#[test]
fn more_room_is_made_for_more() {
    let mut queue = TimerQueue::new();
    for total in [3, 6, 9, 200] {
        queue.reserve(total).unwrap();
        assert!(queue.room() >= total);
        while queue.armed() < total {
            let timer = queue.register(()).unwrap();
            queue.arm(timer, Nanos(1));
        }
    }
    let room = queue.room();
    queue.reserve(10).unwrap();
    assert_eq!(queue.room(), room, "less than there is");
}

#[test]
fn reserving_makes_registering_free_of_allocation() {
    let mut queue = TimerQueue::new();
    queue.reserve(100).unwrap();
    let timers: Vec<_> = (0..100u32)
        .map(|payload| queue.register(payload).unwrap())
        .collect();
    for (timer, deadline) in timers.iter().zip((0..100).rev()) {
        assert!(
            queue.arm(*timer, Nanos(deadline)),
            "each is the earliest yet"
        );
    }
    assert_eq!(queue.armed(), 100);
    // Arming one that is armed moves it.
    assert!(!queue.arm(timers[99], Nanos(500)));
    assert_eq!(queue.armed(), 100);
    assert_eq!(queue.next_deadline(), Some(Nanos(1)));
}
