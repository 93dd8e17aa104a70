//! A machine with one pinned tree of tables, and short names for what the tests do to it.

use vocabulary::{DomainId, Errno, Mfn};

use super::machine::*;
use crate::budget::{Attempt, Budget, Stop};
use crate::entry::*;
use crate::page_info::Level;
use crate::paging::Paging;
use crate::update::{EntryUpdate, Mode, Updated};

pub const L4: u64 = 1;
pub const L3: u64 = 2;
pub const L2: u64 = 3;
pub const L1: u64 = 4;
pub const DATA: u64 = 5;

pub fn budget() -> Budget {
    Budget::unlimited()
}

/// A machine whose frames 1 to 4 are a pinned tree that maps nothing yet.
pub fn tree() -> (Machine, Paging) {
    let machine = Machine::new();
    let mut paging = Paging::new(GUEST);
    machine.poke(L4, 0, map(L3, PRESENT | WRITE));
    machine.poke(L3, 0, map(L2, PRESENT | WRITE));
    machine.poke(L2, 0, map(L1, PRESENT | WRITE));
    machine
        .mmu()
        .pin(&mut paging, Mfn(L4), Level::L4, &mut budget())
        .unwrap();
    (machine, paging)
}

pub fn update_as(
    machine: &Machine,
    paging: &mut Paging,
    table: u64,
    index: usize,
    value: u64,
    page_owner: DomainId,
) -> Attempt<Updated> {
    let update = EntryUpdate {
        table: Mfn(table),
        index,
        value,
        mode: Mode::Normal,
        page_owner,
    };
    machine.mmu().update_entry(paging, &update, &mut budget())
}

pub fn update(
    machine: &Machine,
    paging: &mut Paging,
    table: u64,
    index: usize,
    value: u64,
) -> Attempt<Updated> {
    update_as(machine, paging, table, index, value, GUEST)
}

#[track_caller]
pub fn refused<T: core::fmt::Debug>(result: Attempt<T>, errno: Errno) {
    match result {
        Err(Stop::Refused(refusal)) => assert_eq!(refusal.errno, errno, "{}", refusal.rule),
        other => panic!("not refused: {other:?}"),
    }
}
