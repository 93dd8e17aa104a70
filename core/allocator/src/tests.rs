//! The allocator against a plain model: one flag a frame for "given out" and one for "has old contents".
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used
)]

mod low;
mod model;
mod nodes;

use proptest::prelude::*;
use vocabulary::{Errno, Mfn, Refused};

use self::model::{Machine, Table, FRAMES};
use crate::*;

fn errno<T: core::fmt::Debug>(answer: Refused<T>) -> Errno {
    answer.unwrap_err().errno
}

#[derive(Clone, Debug)]
enum Step {
    Allocate(Request),
    Contiguous(Request, u64),
    Free(usize, bool),
    FreePart(usize, u64),
    Reserve(u64, u64),
    Scrub(u8, u8, usize),
}

fn requests() -> impl Strategy<Value = Request> {
    let node = prop_oneof![
        Just(NodeChoice::Any),
        (0..2u8, 0..4u64).prop_map(|(first, nodes)| NodeChoice::Prefer {
            first,
            nodes: NodeSet(nodes)
        }),
        (0..2u8).prop_map(NodeChoice::Only),
    ];
    let bits = prop_oneof![Just(64u8), 20..26u8];
    let contents = prop_oneof![Just(Contents::Zeroed), Just(Contents::Overwritten)];
    (0..10u8, bits, node, contents).prop_map(|(order, max_address_bits, node, contents)| Request {
        order,
        max_address_bits,
        node,
        contents,
    })
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => requests().prop_map(Step::Allocate),
        1 => (requests(), 1..300u64).prop_map(|(request, count)| {
            Step::Contiguous(Request { order: 0, ..request }, count)
        }),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(piece, clean)| Step::Free(piece, clean)),
        1 => (any::<usize>(), any::<u64>()).prop_map(|(piece, cut)| Step::FreePart(piece, cut)),
        1 => (0..FRAMES as u64, 1..200u64).prop_map(|(first, count)| Step::Reserve(first, count)),
        2 => (0..2u8, 0..6u8, 0..40usize).prop_map(|(node, order, count)| Step::Scrub(node, order, count)),
    ]
}

impl Machine {
    fn step(&mut self, step: Step) {
        match step {
            Step::Allocate(request) => match self.allocator.allocate(&self.table, request) {
                Ok(allocation) => self.gave(&allocation, request, 1 << request.order),
                Err(refusal) => assert_eq!(refusal.errno, Errno::ENOMEM),
            },
            Step::Contiguous(request, count) => {
                let claim = &mut Claim::none();
                let answer = self
                    .allocator
                    .allocate_contiguous(&self.table, count, request, claim);
                if let Ok(allocation) = answer {
                    self.gave(&allocation, request, count);
                }
            }
            Step::Free(_, _) | Step::FreePart(_, _) if self.pieces.is_empty() => {}
            Step::Free(piece, clean) => self.free(piece % self.pieces.len(), clean),
            Step::FreePart(piece, cut) => {
                // Cut a piece in two and free the first.
                let piece = piece % self.pieces.len();
                let (first, count) = self.pieces[piece];
                let cut = cut % count;
                if cut > 0 {
                    self.pieces[piece] = (first, cut);
                    self.pieces.push((first + cut, count - cut));
                    self.free(piece, false);
                }
            }
            Step::Reserve(first, count) => self.reserve(first, count),
            Step::Scrub(node, order, count) => {
                let Some(mut work) = self.allocator.scrub_take(&self.table, node, order) else {
                    assert_eq!(self.allocator.dirty_frames(), 0);
                    return;
                };
                assert!(work.left() <= 1 << order);
                assert_eq!(self.allocator.free_frames(), self.free_in_model());
                for frame in work.by_ref().take(count) {
                    assert!(!self.used[frame.0 as usize]);
                    self.dirty[frame.0 as usize] = false;
                }
                self.allocator.scrub_done(&self.table, work);
            }
        }
    }

    fn reserve(&mut self, first: u64, count: u64) {
        let end = ((first + count) as usize).min(FRAMES);
        let count = end as u64 - first;
        let free = self.used[first as usize..end].iter().all(|used| !used);
        let answer = self.allocator.reserve(&self.table, Mfn(first), count);
        assert_eq!(answer.is_ok(), free);
        if free {
            self.used[first as usize..end].fill(true);
            self.dirty[first as usize..end].fill(true);
            // Pieces do not cross nodes, as one `free_range` cannot.
            let mut start = first;
            for frame in first + 1..=end as u64 {
                if frame == end as u64 || Self::node(frame) != Self::node(start) {
                    self.pieces.push((start, frame - start));
                    start = frame;
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn agrees_with_the_model(clean in any::<bool>(), sequence in prop::collection::vec(steps(), 1..120)) {
        let mut machine = Machine::new(clean);
        machine.check();
        let at_first = machine.table.blocks();
        for step in sequence {
            machine.step(step);
        }
        machine.check();
        while !machine.pieces.is_empty() {
            machine.free(0, false);
        }
        machine.check();
        prop_assert_eq!(machine.table.blocks(), at_first);
        let table = &machine.table;
        while machine.allocator.scrub_step(table, 0, 5, |_| {}) != 0 {}
        prop_assert_eq!(machine.allocator.dirty_frames(), 0);
    }
}

#[test]
fn a_double_free_is_refused_and_changes_nothing() {
    let mut machine = Machine::new(true);
    let given = machine
        .allocator
        .allocate(&machine.table, Request::of_order(3))
        .unwrap();
    let table = &machine.table;
    machine
        .allocator
        .free(table, given.first, 3, false)
        .unwrap();
    let free = machine.allocator.free_frames();
    for order in [0, 3] {
        let again = machine.allocator.free(table, given.first, order, false);
        assert_eq!(errno(again), Errno::EBADF);
    }
    // Part free, part in use.
    let pair = machine
        .allocator
        .allocate(table, Request::of_order(1))
        .unwrap();
    machine
        .allocator
        .free(table, Mfn(pair.first.0 + 1), 0, false)
        .unwrap();
    let both = machine.allocator.free(table, pair.first, 1, false);
    assert_eq!(errno(both), Errno::EBADF);
    assert_eq!(machine.allocator.free_frames(), free - 1);
    machine.used[pair.first.0 as usize] = true;
    machine.check();
}

#[test]
fn nonsense_is_refused() {
    let mut machine = Machine::new(true);
    let table = &machine.table;
    let allocator = &mut machine.allocator;
    let ask = |order, max_address_bits, node| Request {
        order,
        max_address_bits,
        node,
        contents: Contents::Zeroed,
    };
    for request in [
        ask(MAX_ORDER + 1, 64, NodeChoice::Any),
        ask(255, 64, NodeChoice::Any),
        ask(0, 19, NodeChoice::Any),
        ask(0, 64, NodeChoice::Only(2)),
        ask(
            0,
            64,
            NodeChoice::Prefer {
                first: 200,
                nodes: NodeSet::EMPTY,
            },
        ),
    ] {
        assert_eq!(errno(allocator.allocate(table, request)), Errno::EINVAL);
    }
    let big = Request::of_order(MAX_ORDER);
    assert_eq!(errno(allocator.allocate(table, big)), Errno::ENOMEM);
    for frame in [0, 0x90 + 0x10, 0x1002, 0x1600, u64::MAX, 1 << 32] {
        let answer = allocator.free(table, Mfn(frame), 0, false);
        assert_eq!(errno(answer), Errno::ENOENT);
        assert!(allocator.reserve(table, Mfn(frame), 1).is_err());
        assert!(!allocator.is_free(table, Mfn(frame)));
    }
    assert_eq!(
        errno(allocator.free(table, Mfn(0x11), 1, false)),
        Errno::EINVAL
    );
    let overlap = allocator.add_region(table, Mfn(0x50), 4, 0, true);
    assert_eq!(errno(overlap), Errno::EEXIST);
    let beyond = allocator.add_region(table, Mfn(1 << 32), 4, 0, true);
    assert_eq!(errno(beyond), Errno::EINVAL);
    let no_node = allocator.add_region(table, Mfn(0xa0), 4, 2, true);
    assert_eq!(errno(no_node), Errno::EINVAL);
    for count in [0, (1 << 18) + 1, u64::MAX] {
        let claim = &mut Claim::none();
        let answer = allocator.allocate_contiguous(table, count, Request::of_order(0), claim);
        assert_eq!(errno(answer), Errno::EINVAL);
    }
}

#[test]
fn low_memory_is_used_last() {
    let mut machine = Machine::new(true);
    machine.allocator.protect_below(23);
    let one = Request {
        node: NodeChoice::Prefer {
            first: 0,
            nodes: NodeSet::EMPTY,
        },
        ..Request::of_order(0)
    };
    let mut previous_was_low = false;
    while let Ok(given) = machine.allocator.allocate(&machine.table, one) {
        let low = given.first.0 < 0x800;
        assert!(low || !previous_was_low, "went back up");
        previous_was_low = low;
    }
    assert!(previous_was_low);
    assert_eq!(machine.allocator.free_frames(), 0);
}

#[test]
fn regions_that_touch_join() {
    let table = Table::new(0x2000);
    let mut allocator = FrameAllocator::<1>::new();
    allocator
        .add_region(&table, Mfn(0x1000), 0x400, 0, true)
        .unwrap();
    allocator
        .add_region(&table, Mfn(0x1800), 0x800, 0, true)
        .unwrap();
    allocator
        .add_region(&table, Mfn(0x1400), 0x400, 0, true)
        .unwrap();
    assert_eq!(table.blocks(), [(0x1000, 12)]);
    allocator
        .reserve(&table, Mfn(0x1234), 0x1000 - 0x234)
        .unwrap();
    allocator
        .free_range(&table, Mfn(0x1234), 0x1000 - 0x234, true)
        .unwrap();
    assert_eq!(table.blocks(), [(0x1000, 12)]);
}

#[test]
fn claims_keep_memory_for_their_holder() {
    let mut machine = Machine::new(true);
    let table = &machine.table;
    let allocator = &mut machine.allocator;
    let total = allocator.free_frames();
    let (mut ours, mut theirs) = (Claim::none(), Claim::none());
    allocator.claim(&mut ours, total - 8).unwrap();
    assert_eq!(errno(allocator.claim(&mut ours, 1)), Errno::EBUSY);
    assert_eq!(errno(allocator.claim(&mut theirs, 9)), Errno::ENOMEM);
    let sixteen = Request::of_order(4);
    assert_eq!(errno(allocator.allocate(table, sixteen)), Errno::ENOMEM);
    let _mine = allocator
        .allocate_claimed(table, sixteen, &mut ours)
        .unwrap();
    assert_eq!(ours.outstanding(), total - 24);
    let _eight = allocator.allocate(table, Request::of_order(3)).unwrap();
    assert_eq!(
        errno(allocator.allocate(table, Request::of_order(0))),
        Errno::ENOMEM
    );
    allocator.cancel_claim(&mut ours);
    assert_eq!((ours.outstanding(), allocator.claimed_frames()), (0, 0));
    let _one = allocator.allocate(table, Request::of_order(0)).unwrap();
}

#[test]
fn a_retired_frame_never_comes_back() {
    let mut machine = Machine::new(true);
    let table = &machine.table;
    let allocator = &mut machine.allocator;
    allocator.reserve(table, Mfn(0x900), 1).unwrap();
    allocator.retire(table, Mfn(0x900)).unwrap();
    assert_eq!(
        errno(allocator.free(table, Mfn(0x900), 0, false)),
        Errno::EBADF
    );
    assert_eq!(errno(allocator.retire(table, Mfn(0x900))), Errno::EBADF);
    while let Ok(given) = allocator.allocate(table, Request::of_order(0)) {
        assert_ne!(given.first, Mfn(0x900));
    }
}

#[test]
fn a_cache_keeps_frames_and_what_is_known_of_them() {
    let mut machine = Machine::new(true);
    let table = &machine.table;
    let allocator = &mut machine.allocator;
    let total = allocator.free_frames();
    let mut cache = FrameCache::<8>::new();
    assert!(cache.take(table).is_none());
    cache
        .refill(allocator, table, Request::of_order(0))
        .unwrap();
    assert_eq!((cache.len(), allocator.free_frames()), (4, total - 4));
    let (frame, dirty) = cache.take(table).unwrap();
    assert!(!dirty);
    assert!(cache.put(table, frame, false).unwrap());
    assert_eq!(errno(cache.put(table, frame, false)), Errno::EBADF);
    assert_eq!(errno(allocator.free(table, frame, 0, false)), Errno::EBADF);
    assert_eq!(cache.take(table), Some((frame, true)));
    assert!(cache.put(table, frame, false).unwrap());
    while cache.len() < 8 {
        let more = allocator.allocate(table, Request::of_order(0)).unwrap();
        assert!(cache.put(table, more.first, true).unwrap());
    }
    let more = allocator.allocate(table, Request::of_order(0)).unwrap();
    assert!(!cache.put(table, more.first, true).unwrap());
    allocator.free(table, more.first, 0, true).unwrap();
    cache.drain(allocator, table, 0).unwrap();
    assert_eq!(
        (allocator.free_frames(), allocator.dirty_frames()),
        (total, 1)
    );
    machine.check();
}

#[test]
fn the_crate_stays_compact() {
    assert!(core::mem::size_of::<FrameAllocator<8>>() < 40 * 1024);
}
