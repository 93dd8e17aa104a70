//! Each processor's vectors, and the line each leads to.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{
    AtomicU16,
    Ordering::{Acquire, Release},
};

use hw::percpu::{PerCpu, MAX_CPUS};
use hw::sync::SpinLock;
use spin::Once;

use super::{FIRST_LINE_VECTOR, LAST_LINE_VECTOR, SYSTEM_CALL_VECTOR};
use crate::levels;

/// A processor's vectors; each holds a line's number plus one, or zero.
type Table = Box<[AtomicU16]>;

static TABLES: [Once<Table>; MAX_CPUS] = [const { Once::new() }; MAX_CPUS];
/// Held while vectors are taken and given back; arriving interrupts read without it.
static CHANGE: SpinLock<(), { levels::VECTORS }> = SpinLock::new(());

/// A processor's vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The processor.
    pub processor: usize,
    /// The vector.
    pub vector: u8,
}

fn table(processor: usize) -> Option<&'static Table> {
    let table = TABLES.get(processor)?;
    if table.get().is_none() {
        let mut vectors = Vec::new();
        vectors.try_reserve_exact(256).ok()?;
        vectors.extend((0..256).map(|_| AtomicU16::new(0)));
        table.call_once(|| vectors.into_boxed_slice());
    }
    table.get()
}

/// Gives a line a vector of a processor: `wanted` if that is free. `None` where all are taken.
pub fn take(processor: usize, wanted: Option<u8>, line: u16) -> Option<Place> {
    let table = table(processor)?;
    let _changing = CHANGE.lock();
    let free = |vector: &u8| {
        (FIRST_LINE_VECTOR..=LAST_LINE_VECTOR).contains(vector)
            && *vector != SYSTEM_CALL_VECTOR
            && table
                .get(usize::from(*vector))
                .is_some_and(|slot| slot.load(Acquire) == 0)
    };
    let vector = wanted
        .filter(free)
        .or_else(|| (FIRST_LINE_VECTOR..=LAST_LINE_VECTOR).find(free))?;
    table
        .get(usize::from(vector))?
        .store(line.wrapping_add(1), Release);
    Some(Place { processor, vector })
}

/// Takes a vector back.
pub fn give_back(place: Place) {
    let _changing = CHANGE.lock();
    let table = TABLES.get(place.processor).and_then(Once::get);
    if let Some(slot) = table.and_then(|table| table.get(usize::from(place.vector))) {
        slot.store(0, Release);
    }
}

/// The line that a vector of this processor leads to.
#[inline]
pub fn line_here(vector: u8) -> Option<(Place, u16)> {
    let processor = PerCpu::current().index();
    let line = TABLES
        .get(processor)?
        .get()?
        .get(usize::from(vector))?
        .load(Acquire);
    Some((Place { processor, vector }, line.checked_sub(1)?))
}
