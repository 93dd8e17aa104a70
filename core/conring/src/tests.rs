//! The ring against a plain list of all that was ever printed; lines; the limit.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used
)]

use proptest::prelude::*;
use vocabulary::Nanos;

use crate::*;

#[test]
fn sizes_are_powers_of_two_within_bounds() {
    assert_eq!(bytes_for(None, 1), 16 << 10);
    assert_eq!(bytes_for(None, 5), 16 << 10);
    assert_eq!(bytes_for(None, 64), 256 << 10);
    assert_eq!(bytes_for(Some(1), 64), 16 << 10);
    assert_eq!(bytes_for(Some(100_000), 1), 64 << 10);
    assert_eq!(bytes_for(Some(u64::MAX), 1), 16 << 20);
}

#[test]
fn a_ring_that_grows_keeps_what_it_has() {
    let mut ring = ConsoleRing::new();
    ring.put(&[b'x'; FIRST_BYTES]);
    ring.put(b"end");
    ring.grow(vec![0; FIRST_BYTES * 4]);
    ring.grow(vec![0; 100]);
    assert_eq!(ring.size(), FIRST_BYTES * 4);
    let mut all = vec![0; FIRST_BYTES * 4];
    let from = ring.start(None);
    let count = ring.read(from, &mut all);
    assert_eq!(count, FIRST_BYTES);
    assert_eq!(&all[count - 4..count], b"xend");
}

#[derive(Clone, Debug)]
enum Step {
    Put(Vec<u8>),
    ReadOn(usize),
    ReadAll,
    Forget,
    Grow,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bytes = prop::collection::vec(any::<u8>(), 0..9000);
    let step = prop_oneof![
        4 => bytes.prop_map(Step::Put),
        2 => (0usize..20000).prop_map(Step::ReadOn),
        1 => Just(Step::ReadAll),
        1 => Just(Step::Forget),
        1 => Just(Step::Grow),
    ];
    prop::collection::vec(step, 1..30)
}

proptest! {
    #[test]
    fn it_shows_the_end_of_all_that_was_printed(steps in steps()) {
        let mut ring = ConsoleRing::new();
        let mut printed = Vec::new();
        let (mut shown_from, mut reader, mut grown) = (0usize, 0usize, 0);
        for step in steps {
            match step {
                Step::Put(bytes) => {
                    ring.put(&bytes);
                    printed.extend(bytes);
                }
                Step::ReadOn(room) => {
                    let start = ring.start(Some(reader as u32)) as usize;
                    prop_assert_eq!(start, reader.max(shown_from));
                    let mut to = vec![0; room];
                    let count = ring.read(start as u32, &mut to);
                    prop_assert_eq!(count, room.min(printed.len() - start));
                    prop_assert_eq!(&to[..count], &printed[start..start + count]);
                    reader = start + count;
                }
                Step::ReadAll => {
                    let mut to = vec![0; ring.size()];
                    let start = ring.start(None);
                    prop_assert_eq!(start as usize, shown_from);
                    let count = ring.read(start, &mut to);
                    prop_assert_eq!(&to[..count], &printed[shown_from..]);
                }
                Step::Forget => {
                    ring.forget(reader as u32);
                    shown_from = shown_from.max(reader);
                }
                Step::Grow => {
                    grown += 1;
                    ring.grow(vec![0; FIRST_BYTES << grown]);
                }
            }
            shown_from = shown_from.max(printed.len().saturating_sub(ring.size()));
        }
    }

    #[test]
    fn lines_are_short_and_visible(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8)) {
        let mut line = GuestLine::new();
        let mut shown = Vec::new();
        for piece in &pieces {
            line.take(piece, |text| shown.push(text.to_owned()));
        }
        let all: Vec<u8> = pieces.concat();
        let mut expected = Vec::new();
        let mut current = String::new();
        for byte in all {
            if byte == b'\t' || (b' '..=b'~').contains(&byte) {
                current.push(char::from(byte));
            }
            if byte == b'\n' || current.len() == LINE_BYTES {
                expected.push(core::mem::take(&mut current));
            }
        }
        prop_assert_eq!(shown, expected);
    }
}

#[test]
fn a_burst_and_then_one_at_a_time() {
    let mut limit = RateLimit::new();
    for _ in 0..10 {
        assert_eq!(limit.ask(Nanos(1)), Allowed::Yes { missed: 0 });
    }
    assert_eq!(limit.ask(Nanos(2)), Allowed::No);
    assert_eq!(limit.ask(Nanos(4_000_000_000)), Allowed::No);
    assert_eq!(limit.ask(Nanos(5_000_000_002)), Allowed::Yes { missed: 2 });
    // A clock that goes back neither helps nor hurts.
    assert_eq!(limit.ask(Nanos(0)), Allowed::No);
    for _ in 0..10 {
        let later = Nanos(u64::MAX);
        assert!(matches!(limit.ask(later), Allowed::Yes { .. }));
    }
    assert_eq!(limit.ask(Nanos(u64::MAX)), Allowed::No);
}
