//! Several interrupted operations at once: other steps happen between the pieces of one, as on several CPUs.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::machine::*;
use super::operations::*;
use super::teardown::{list, relinquish};
use crate::budget::{Budget, Stop};
use crate::entry::{frame, is_hypervisor_slot, PRESENT, WRITE};
use crate::kind::Holder;
use crate::page_info::{Level, PageType};
use crate::paging::Paging;

/// References and type references of each frame.
type Counts = BTreeMap<u64, (u32, u32)>;

/// How many entries of a frame hold references, by its own word, if it is a table.
fn counted_entries(machine: &Machine, mfn: u64) -> Option<(Level, usize)> {
    let page = machine.page(mfn);
    let level = page
        .page_type()
        .level()
        .filter(|_| page.type_references() > 0)?;
    if page.is_partial() {
        return Some((level, page.progress().entries));
    }
    assert!(
        page.is_validated(),
        "frame {mfn} is neither whole nor partial"
    );
    Some((level, 512))
}

fn add(counts: &mut Counts, mfn: u64, types: u32) {
    if mfn <= *OTHER_FRAMES.end() && mfn != 0 {
        let count = counts.entry(mfn).or_insert((0, 0));
        count.0 += 1;
        count.1 += types;
    }
}

/// Counts anew what every table, pin, base and leftover holds.
fn recount(machine: &Machine, paging: &Paging, bases: &[u64]) -> Counts {
    let mut counts = Counts::new();
    for mfn in 1..=*OTHER_FRAMES.end() {
        add(&mut counts, mfn, 0);
        let page = machine.page(mfn);
        if page.is_pinned() {
            add(&mut counts, mfn, 1);
        }
        if page.is_partial() && page.progress().holder != Holder::Held {
            add(&mut counts, mfn, 1);
        }
        let Some((level, entries)) = counted_entries(machine, mfn) else {
            continue;
        };
        for index in 0..entries {
            let entry = machine.peek(mfn, index);
            let own = level == Level::L4 && is_hypervisor_slot(index);
            if entry & PRESENT != 0 && !own {
                let typed = level != Level::L1 || entry & WRITE != 0;
                add(&mut counts, frame(entry).0, u32::from(typed));
            }
        }
    }
    for &mfn in bases {
        add(&mut counts, mfn, 1);
    }
    if let Some(leftover) = paging.leftover {
        add(&mut counts, leftover.0, 1);
    }
    counts
}

fn check(machine: &Machine, paging: &Paging, bases: &[u64]) {
    for (mfn, (references, types)) in recount(machine, paging, bases) {
        machine.assert_counts(mfn, references, types);
    }
    machine.check_tlb();
}

fn poke(machine: &Machine, mfn: u64, index: usize, entry: u64) {
    let page = machine.page(mfn);
    let plain = page.type_references() == 0 || page.page_type() == PageType::Writable;
    if GUEST_FRAMES.contains(&mfn) && plain {
        machine.poke(mfn, index, entry);
    }
}

/// Gives a step one piece of work; `false` where it must go on later.
fn attempt(
    machine: &Machine,
    paging: &mut Paging,
    bases: &mut Vec<u64>,
    operation: Operation,
    piece: u32,
) -> bool {
    if let Operation::Poke { mfn, index, entry } = operation {
        poke(machine, mfn, index, entry);
        return true;
    }
    if let Operation::ReleaseBase { mfn } = operation {
        if !bases.contains(&mfn) {
            return true;
        }
    }
    let result = perform(machine, paging, operation, &mut Budget::new(piece));
    match (result, operation) {
        (Err(Stop::Again), _) => return false,
        (Ok(()), Operation::TakeBase { mfn }) => bases.push(mfn),
        (Ok(()), Operation::ReleaseBase { mfn }) => {
            let place = bases.iter().position(|base| *base == mfn).unwrap();
            bases.swap_remove(place);
        }
        _ => {}
    }
    true
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn counts_are_right_between_the_pieces(
        steps in proptest::collection::vec((operation(), any::<bool>(), any::<prop::sample::Index>()), 1..200),
        piece in 1_u32..4,
    ) {
        let machine = Machine::new();
        let mut paging = Paging::new(GUEST);
        let mut pages = list(&machine);
        let mut bases = Vec::new();
        let mut pending: Vec<Operation> = Vec::new();
        for (operation, fresh, which) in steps {
            let operation = if fresh || pending.is_empty() {
                operation
            } else {
                pending.swap_remove(which.index(pending.len()))
            };
            if !attempt(&machine, &mut paging, &mut bases, operation, piece) {
                pending.push(operation);
            }
            check(&machine, &paging, &bases);
        }
        while let Some(mfn) = bases.pop() {
            let release = Operation::ReleaseBase { mfn };
            while perform(&machine, &mut paging, release, &mut Budget::new(piece)).is_err() {}
            check(&machine, &paging, &bases);
        }
        relinquish(&machine, &mut paging, &mut pages, piece);
    }
}
