//! Many threads on the same frames: the lock-free counts come out even, and exclusion holds at every moment.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;

use vocabulary::Mfn;

use super::machine::*;
use crate::budget::Budget;
use crate::page_info::Level;
use crate::paging::Paging;
use crate::reference::PageRef;

const ROUNDS: usize = 20_000;

/// Takes and drops writable references to frame 1, as other domains and CPUs do.
fn write_now_and_then(machine: &Machine, writers: &AtomicI64, table: &AtomicBool) {
    for _ in 0..ROUNDS {
        let Ok(reference) = PageRef::acquire_foreign(machine.frames(), machine, Mfn(1), GUEST)
        else {
            continue;
        };
        if let Ok(writable) = reference.writable() {
            writers.fetch_add(1, Ordering::SeqCst);
            assert!(!table.load(Ordering::SeqCst), "writable while a table");
            writers.fetch_sub(1, Ordering::SeqCst);
            drop(writable);
        }
    }
}

#[test]
fn a_frame_is_never_a_table_and_writable() {
    let machine = Machine::new();
    let mut paging = Paging::new(GUEST);
    let writers = AtomicI64::new(0);
    let table = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| write_now_and_then(&machine, &writers, &table));
        }
        let mmu = machine.mmu();
        let mut budget = Budget::unlimited();
        for _ in 0..ROUNDS {
            if mmu.pin(&mut paging, Mfn(1), Level::L1, &mut budget).is_ok() {
                table.store(true, Ordering::SeqCst);
                assert_eq!(writers.load(Ordering::SeqCst), 0, "a table while writable");
                table.store(false, Ordering::SeqCst);
                mmu.unpin(&mut paging, Mfn(1), &mut budget).unwrap();
            }
        }
    });
    machine.assert_counts(1, 1, 0);
}

#[test]
fn the_last_reference_frees_once() {
    for round in 0..300 {
        let machine = Machine::new();
        let mfn = Mfn(1);
        let guards: Vec<_> = (0..4)
            .map(|_| PageRef::acquire(machine.frames(), &machine, mfn, GUEST).unwrap())
            .collect();
        thread::scope(|scope| {
            for guard in guards {
                scope.spawn(move || drop(guard));
            }
            let own = machine
                .frames()
                .release_allocation(mfn, GUEST, || round)
                .unwrap();
            if let Some(freed) = own {
                machine.freed.lock().unwrap().push(freed);
            }
        });
        assert_eq!(machine.freed.lock().unwrap().len(), 1);
    }
}
