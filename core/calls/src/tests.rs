//! Tests of the table against itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeSet;

use vocabulary::{Errno, Refusal};

use crate::coverage::Totals;
use crate::{
    hypercall, write_markdown, DomctlOp, MemoryOp, MmuextOp, NotDone, Operation, State, HYPERCALLS,
};

/// Calls `visit` with every operation, its parent's state and its siblings.
fn every_operation(visit: &mut impl FnMut(&Operation, State)) {
    fn walk(operations: &[Operation], parent: State, visit: &mut impl FnMut(&Operation, State)) {
        for operation in operations {
            visit(operation, parent);
            walk(operation.operations, operation.state, visit);
        }
    }
    for row in HYPERCALLS {
        walk(row.operations, row.state, visit);
    }
}

#[test]
fn numbers_of_hypercalls_are_those_of_the_abi() {
    for row in HYPERCALLS {
        let name = format!("__HYPERVISOR_{}", row.name);
        let constant = xen_abi::HEADERS
            .iter()
            .flat_map(|header| header.constants)
            .find(|constant| constant.name == name)
            .unwrap_or_else(|| panic!("the abi has no {name}"));
        assert_eq!(u64::from(row.number), constant.value, "{name}");
    }
}

#[test]
fn hypercalls_are_sorted_and_found_by_number() {
    for pair in HYPERCALLS.windows(2) {
        assert!(pair[0].number < pair[1].number, "{}", pair[1].name);
    }
    for row in HYPERCALLS {
        assert_eq!(hypercall(row.number).unwrap().name, row.name);
    }
    assert!(hypercall(11).is_none());
    assert!(hypercall(u32::MAX).is_none());
}

#[test]
fn operations_of_one_kind_have_different_numbers_and_names() {
    fn check(operations: &[Operation]) {
        let numbers: BTreeSet<u32> = operations.iter().map(|row| row.number).collect();
        let names: BTreeSet<&str> = operations.iter().map(|row| row.name).collect();
        assert_eq!(numbers.len(), operations.len(), "{:?}", names);
        assert_eq!(names.len(), operations.len(), "{:?}", names);
        for row in operations {
            check(row.operations);
        }
    }
    for row in HYPERCALLS {
        check(row.operations);
    }
}

#[test]
fn nothing_is_done_below_what_is_not() {
    every_operation(&mut |operation, parent| {
        if operation.state == State::Done {
            assert_eq!(parent, State::Done, "{} is out of reach", operation.name);
        }
    });
}

#[test]
fn what_is_refused_says_why() {
    for row in HYPERCALLS {
        if row.state == State::Refused {
            assert!(!row.note.is_empty(), "{}", row.name);
        }
    }
    every_operation(&mut |operation, parent| {
        if operation.state == State::Refused && parent != State::Refused {
            assert!(!operation.note.is_empty(), "{}", operation.name);
        }
    });
}

#[test]
fn an_enum_knows_exactly_the_operations_that_are_done() {
    for row in MemoryOp::OPERATIONS {
        match MemoryOp::from_number(row.number) {
            Ok(operation) => {
                assert_eq!(row.state, State::Done);
                assert_eq!(operation.number(), row.number);
                assert_eq!(operation.name(), row.name);
            }
            Err(not_done) => {
                assert_ne!(row.state, State::Done);
                assert_eq!(not_done.name, Some(row.name));
                assert_eq!(not_done.state, Some(row.state));
            }
        }
    }
    assert_eq!(MmuextOp::from_number(13), Ok(MmuextOp::SetLdt));
}

#[test]
fn what_is_not_done_is_refused_with_enosys_and_its_reason() {
    let unknown = MmuextOp::from_number(14).unwrap_err();
    assert_eq!(
        unknown,
        NotDone {
            number: 14,
            name: None,
            state: None
        }
    );
    let refusal = Refusal::from(unknown);
    assert_eq!(refusal.errno, Errno::ENOSYS);
    assert!(refusal.rule.contains("no such operation"));
    assert_eq!(unknown.to_string(), "unknown operation 14");

    let refused = DomctlOp::from_number(xen_abi::domctl::XEN_DOMCTL_real_mode_area).unwrap_err();
    assert!(Refusal::from(refused).rule.contains("on purpose"));
    assert_eq!(refused.to_string(), "XEN_DOMCTL_real_mode_area (26)");
}

macro_rules! numbers_of_done {
    ($($number:literal => $name:ident,)*) => { &[$(($number, stringify!($name))),*] };
}

#[test]
fn the_dispatchers_rows_are_the_done_ones() {
    let rows: &[(u32, &str)] = with_done_rows();
    let done: Vec<(u32, &str)> = HYPERCALLS
        .iter()
        .filter(|row| row.state == State::Done)
        .map(|row| (row.number, row.name))
        .collect();
    assert_eq!(rows, done);
}

fn with_done_rows() -> &'static [(u32, &'static str)] {
    crate::with_done_hypercalls!(numbers_of_done)
}

#[test]
fn the_page_names_everything_and_its_totals_add_up() {
    let mut page = String::new();
    write_markdown(&mut page).unwrap();
    let mut leaves = 0;
    for row in HYPERCALLS {
        assert!(
            page.contains(&format!("| `{}` |", row.name)),
            "{}",
            row.name
        );
        leaves += usize::from(row.operations.is_empty());
    }
    every_operation(&mut |operation, _| {
        assert!(page.contains(&format!("| `{}` |", operation.name)));
        leaves += 1;
    });
    let totals = Totals::of_table();
    assert_eq!(totals.done + totals.refused + totals.missing, leaves);
    assert!(page.contains(&format!("Of {leaves} operations {} are done", totals.done)));
}
