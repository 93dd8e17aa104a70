//! Where memory comes from on a machine of several nodes.

use std::collections::BTreeSet;

use proptest::prelude::*;
use vocabulary::Mfn;

use super::model::Table;
use crate::{FrameAllocator, NodeChoice, NodeSet, Request};

/// Four nodes of 16 frames.
fn four() -> (Table, FrameAllocator<4>) {
    let table = Table::new(0x200);
    let mut allocator = FrameAllocator::new();
    for node in 0..4u8 {
        let first = Mfn(0x100 + u64::from(node) * 16);
        allocator.add_region(&table, first, 16, node, true).unwrap();
    }
    (table, allocator)
}

/// The nodes that single frames come from until there is none.
fn until_empty(choice: impl Fn(u8) -> NodeChoice) -> Vec<u8> {
    let (table, mut allocator) = four();
    let mut from = Vec::new();
    loop {
        let node = choice(*from.last().unwrap_or(&3));
        let request = Request {
            node,
            ..Request::of_order(0)
        };
        match allocator.allocate(&table, request) {
            Ok(given) => from.push(allocator.node_of(given.first).unwrap()),
            Err(_) => return from,
        }
    }
}

#[test]
fn one_node_first_then_its_companions_then_the_rest() {
    let from = until_empty(|_| NodeChoice::Prefer {
        first: 2,
        nodes: NodeSet(0b0110),
    });
    let expected: Vec<u8> = [[2u8; 16], [1; 16], [3; 16], [0; 16]].concat();
    assert_eq!(from, expected);
}

#[test]
fn a_node_outside_the_set_may_come_first() {
    let from = until_empty(|_| NodeChoice::Prefer {
        first: 0,
        nodes: NodeSet(0b1000),
    });
    assert_eq!(from, [[0u8; 16], [3; 16], [1; 16], [2; 16]].concat());
}

#[test]
fn only_one_node_is_only_that() {
    assert_eq!(until_empty(|_| NodeChoice::Only(1)), [1; 16]);
}

#[test]
fn in_turn_over_the_set_spreads_evenly_and_then_falls_back() {
    let nodes = NodeSet(0b1010);
    let from = until_empty(|last| NodeChoice::Prefer {
        first: nodes.after(last).unwrap(),
        nodes,
    });
    assert_eq!(from.len(), 64);
    assert_eq!(from[..32], [1, 3].repeat(16));
    assert!(from[32..]
        .iter()
        .all(|node| !nodes.contains((*node).into())));
}

proptest! {
    #[test]
    fn every_node_is_looked_at_once(first in 0..8u8, set in 0..256u64, others in any::<bool>()) {
        let nodes = NodeSet(set);
        let order: Vec<usize> = nodes.in_turn(first, 8, others).collect();
        let distinct: BTreeSet<usize> = order.iter().copied().collect();
        prop_assert_eq!(distinct.len(), order.len());
        prop_assert_eq!(order[0], usize::from(first));
        let inside = |node: &usize| nodes.contains(*node);
        // None of the set comes after one that is not in it.
        let begins = order[1..].iter().position(|node| !inside(node));
        prop_assert!(begins.is_none_or(|at| !order[1 + at..].iter().any(inside)));
        let expected = (0..8).filter(|node| others || inside(node) || *node == usize::from(first));
        prop_assert_eq!(distinct, expected.collect());
    }

    #[test]
    fn turns_go_round(set in any::<u64>(), last in 0..64u8) {
        let nodes = NodeSet(set);
        let mut seen = BTreeSet::new();
        let mut at = last;
        for _ in 0..set.count_ones() {
            at = nodes.after(at).unwrap();
            seen.insert(at);
        }
        prop_assert_eq!(seen.len(), set.count_ones() as usize);
        prop_assert!(seen.iter().all(|node| nodes.contains(usize::from(*node))));
    }
}
