//! What a guest may do in the random tests, and how to do it to a machine with any budget.

use proptest::prelude::*;
use vocabulary::{DomainId, Mfn};

use super::machine::*;
use crate::budget::{Budget, Stop};
use crate::entry::*;
use crate::page_info::Level;
use crate::paging::Paging;
use crate::update::{EntryUpdate, Mode};

/// One step of a guest.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    /// A write through a writable mapping; skipped where the frame is a table.
    Poke {
        mfn: u64,
        index: usize,
        entry: u64,
    },
    /// A table update.
    Update {
        mfn: u64,
        index: usize,
        entry: u64,
        owner: DomainId,
    },
    Pin {
        mfn: u64,
        level: Level,
    },
    Unpin {
        mfn: u64,
    },
    TakeBase {
        mfn: u64,
    },
    /// Skipped where the model has no base there.
    ReleaseBase {
        mfn: u64,
    },
    /// The processor uses a base.
    Touch {
        mfn: u64,
    },
}

/// Frames that the random trees use at each level, from L4 down, then data frames.
const GROUPS: [(u64, u64); 5] = [(1, 2), (3, 5), (6, 9), (10, 15), (16, 24)];
pub const INDICES: [usize; 10] = [0, 1, 7, 8, 100, 255, 256, 271, 272, 511];

fn group(number: usize) -> impl Strategy<Value = u64> {
    let (first, last) = GROUPS[number];
    first..=last
}

fn level_of(number: usize) -> Level {
    [Level::L4, Level::L3, Level::L2, Level::L1][number & 3]
}

fn flags() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => Just(PRESENT | WRITE | USER),
        3 => Just(PRESENT | USER),
        2 => Just(PRESENT | WRITE),
        1 => Just(PRESENT | WRITE | NO_EXECUTE),
        1 => Just(PRESENT | SUPERPAGE_OR_PAT),
        3 => Just(0),
    ]
}

/// A frame and an entry that suits it, mostly.
fn place_and_entry() -> impl Strategy<Value = (u64, usize, u64)> {
    let suited = (0_usize..4)
        .prop_flat_map(|number| (group(number), group(number + 1)))
        .boxed();
    let places = prop_oneof![
        12 => suited,
        1 => (1_u64..FRAMES, 0_u64..FRAMES),
    ];
    (places, 0..INDICES.len(), flags())
        .prop_map(|((mfn, child), index, flags)| (mfn, INDICES[index], map(child, flags)))
}

fn root() -> impl Strategy<Value = (u64, Level)> {
    prop_oneof![
        8 => (0_usize..4).prop_flat_map(|number| (group(number), Just(level_of(number)))),
        1 => (1_u64..FRAMES, (0_usize..4).prop_map(level_of)),
    ]
}

fn owner() -> impl Strategy<Value = DomainId> {
    prop_oneof![6 => Just(GUEST), 1 => Just(OTHER), 1 => Just(DomainId::IO)]
}

pub fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => place_and_entry().prop_map(|(mfn, index, entry)| Operation::Poke { mfn, index, entry }),
        8 => (place_and_entry(), owner()).prop_map(|((mfn, index, entry), owner)| {
            Operation::Update { mfn, index, entry, owner }
        }),
        4 => root().prop_map(|(mfn, level)| Operation::Pin { mfn, level }),
        3 => root().prop_map(|(mfn, _)| Operation::Unpin { mfn }),
        2 => group(0).prop_map(|mfn| Operation::TakeBase { mfn }),
        2 => group(0).prop_map(|mfn| Operation::ReleaseBase { mfn }),
        2 => group(0).prop_map(|mfn| Operation::Touch { mfn }),
    ]
}

/// Does a step with a budget; `Poke` and `Touch` are not the hypervisor's to do.
pub fn perform(
    machine: &Machine,
    paging: &mut Paging,
    operation: Operation,
    budget: &mut Budget,
) -> Result<(), Stop> {
    let mmu = machine.mmu();
    match operation {
        Operation::Update {
            mfn,
            index,
            entry,
            owner,
        } => {
            let update = EntryUpdate {
                table: Mfn(mfn),
                index,
                value: entry,
                mode: Mode::Normal,
                page_owner: owner,
            };
            mmu.update_entry(paging, &update, budget).map(|_| ())
        }
        Operation::Pin { mfn, level } => mmu.pin(paging, Mfn(mfn), level, budget),
        Operation::Unpin { mfn } => mmu.unpin(paging, Mfn(mfn), budget),
        Operation::TakeBase { mfn } => mmu.take_base(paging, Mfn(mfn), budget),
        Operation::ReleaseBase { mfn } => mmu.release_base(paging, Mfn(mfn), budget),
        Operation::Poke { .. } | Operation::Touch { .. } => Ok(()),
    }
}

/// Does a step to its end, in pieces of at most `piece` entries. Gives whether it was accepted.
pub fn perform_in_pieces(
    machine: &Machine,
    paging: &mut Paging,
    operation: Operation,
    piece: u32,
) -> bool {
    let accepted = loop {
        match perform(machine, paging, operation, &mut Budget::new(piece)) {
            Ok(()) => break true,
            Err(Stop::Refused(_)) => break false,
            Err(Stop::Again) => {}
        }
    };
    while machine
        .mmu()
        .finish(paging, &mut Budget::new(piece))
        .is_err()
    {}
    accepted
}
