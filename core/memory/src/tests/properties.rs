//! Random guests against the model: the same steps are accepted, and every count is what a recount gives.

use proptest::prelude::*;

use super::machine::*;
use super::model::Model;
use super::operations::*;
use crate::entry::{PRESENT, SUPERPAGE_OR_PAT, WRITE};
use crate::page_info::Level;
use crate::paging::Paging;

/// What the model keeps of an entry.
const KEPT: u64 = crate::entry::ADDRESS | PRESENT | WRITE | SUPERPAGE_OR_PAT;

/// Asserts that each frame's counts, type and contents are the model's.
pub fn compare(machine: &Machine, model: &mut Model) {
    let uses = model.uses();
    for mfn in 1..=*OTHER_FRAMES.end() {
        let page = machine.page(mfn);
        let (types, references) = uses
            .get(&mfn)
            .map_or((0, 0), |this| (this.types, this.references));
        machine.assert_counts(mfn, references + 1, types);
        if let Some(this) = uses.get(&mfn).filter(|this| this.types > 0) {
            assert_eq!(page.page_type(), this.page_type, "frame {mfn}");
            assert!(page.is_validated(), "frame {mfn}");
        }
        assert!(!page.is_partial(), "frame {mfn}");
        for index in INDICES {
            model.adopt(mfn, index, machine.peek(mfn, index));
            assert_eq!(
                machine.peek(mfn, index) & KEPT,
                model.entry(mfn, index) & KEPT,
                "entry {index} of frame {mfn}"
            );
        }
    }
    machine.check_tlb();
}

/// Does one step to both, in pieces, and compares the answers.
pub fn step(
    machine: &Machine,
    paging: &mut Paging,
    model: &mut Model,
    operation: Operation,
    piece: u32,
) {
    match operation {
        Operation::Poke { mfn, index, entry } => {
            if model.level(mfn).is_some() || !GUEST_FRAMES.contains(&mfn) {
                return;
            }
            machine.poke(mfn, index, entry);
        }
        Operation::Touch { mfn } if model.level(mfn) == Some(Level::L4) => {
            machine.touch(mfn, Level::L4);
        }
        Operation::ReleaseBase { mfn } if !model.has_base(mfn) => return,
        _ => {}
    }
    let accepted = perform_in_pieces(machine, paging, operation, piece);
    assert_eq!(accepted, model.step(operation), "{operation:?}");
    compare(machine, model);
}

fn run(operations: &[Operation], piece: u32) -> Machine {
    let machine = Machine::new();
    let mut paging = Paging::new(GUEST);
    let mut model = Model::default();
    for &operation in operations {
        step(&machine, &mut paging, &mut model, operation, piece);
    }
    machine
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn counts_are_what_a_recount_gives(
        operations in proptest::collection::vec(operation(), 1..150),
    ) {
        run(&operations, u32::MAX);
    }

    #[test]
    fn interrupted_work_ends_in_the_same_state(
        operations in proptest::collection::vec(operation(), 1..150),
        piece in 1_u32..4,
    ) {
        let whole = run(&operations, u32::MAX);
        let pieces = run(&operations, piece);
        for mfn in 0..FRAMES {
            let (one, other) = (whole.page(mfn), pieces.page(mfn));
            prop_assert_eq!(one.state(), other.state());
            prop_assert_eq!(one.page_type(), other.page_type());
            prop_assert_eq!(one.is_pinned(), other.is_pinned());
        }
    }
}
