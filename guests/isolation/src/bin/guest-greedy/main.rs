//! A guest that takes all memory it can get, to the last page, asks for one more, gives everything back, and again.
//!
//! Words: `rounds=N` (3). `hold=SECONDS` keeps what it has for so long each time (0). `limit=domain` says that it is its own
//! maximum that ends it, and no memory of the machine: then what it gets is known exactly.
//!
//! Says `GREEDY full N` when it has N pages more than at its start and was refused another one, `GREEDY back N` when it has
//! given them back, and `GREEDY-END ok`, or what was not as it should be; then it powers off.
#![no_std]
#![no_main]

use guest_kit::command_line::{self, number};
use guest_kit::hypercall::{at, memory_op, sched_op, shutdown, DOMID_SELF};
use guest_kit::pages::{Page, POOL_PAGES};
use guest_kit::time::{self, SECOND};

guest_kit::guest_main!(main);

/// Operations of `memory_op` (public/memory.h).
const INCREASE: u64 = 0;
const DECREASE: u64 = 1;
const CURRENT: u64 = 3;
const MAXIMUM: u64 = 4;
const POPULATE: u64 = 6;

/// Numbers of frames in a page.
const BATCH: usize = 512;
/// Pages that lists of frames may take: enough for 4 GiB.
const LISTS: usize = 2048;
const _: () = assert!(LISTS + 64 < POOL_PAGES);

fn main() {
    let lists = Page::take_run(LISTS);
    let at_first = count(CURRENT);
    let room = count(MAXIMUM) - at_first;
    for round in 0..number("rounds").unwrap_or(3) {
        let operation = if round % 2 == 0 { POPULATE } else { INCREASE };
        let taken = take_all(lists, operation);
        guest_kit::say!("GREEDY full {taken}");
        let holds = [CURRENT, MAXIMUM].map(count);
        let known = command_line::value("limit") == Some("domain");
        if holds[0] != at_first + taken || (known && taken != room) {
            return fail("pages at most", holds[0], at_first + room);
        }
        let end = time::now() + number("hold").unwrap_or(0) * SECOND;
        while time::now() < end {
            sched_op(0, 0);
        }
        let returned = return_all(lists, taken);
        guest_kit::say!("GREEDY back {returned}");
        if returned != taken || count(CURRENT) != at_first {
            return fail("pages at the end", count(CURRENT), at_first);
        }
    }
    guest_kit::say!("GREEDY-END ok");
    shutdown(0);
}

fn fail(what: &str, found: i64, expected: i64) {
    guest_kit::say!("GREEDY FAIL: {what}: {found}, not {expected}");
}

/// An operation on this domain as a whole.
fn count(operation: u64) -> i64 {
    memory_op(operation, at(&(DOMID_SELF as u16)))
}

/// An operation on single pages; gives how many were done.
fn reserve(operation: u64, frames: &mut [u64]) -> i64 {
    // extent_start, nr_extents, extent_order and mem_flags, domid
    let argument = [
        frames.as_mut_ptr() as u64,
        frames.len() as u64,
        0,
        DOMID_SELF,
    ];
    memory_op(operation, at(&argument))
}

/// Takes pages until one is refused, and then three more times one; gives how many there were. Their numbers stand in the
/// lists in the order in which they came.
fn take_all(lists: Page, operation: u64) -> i64 {
    let mut taken = 0;
    for list in 0..LISTS as u64 {
        let frames = lists.next(list).words();
        // No page of the guest's has these places: nothing is mapped there.
        for (place, frame) in (0x10_0000 + taken as u64..).zip(frames.iter_mut()) {
            *frame = place;
        }
        let done = reserve(operation, frames);
        taken += done;
        if done < BATCH as i64 {
            break;
        }
    }
    for _ in 0..3 {
        let more = reserve(operation, &mut [0x10_0000]);
        assert_eq!(more, 0, "after {taken} pages there was one more");
    }
    taken
}

/// Gives `taken` pages back; gives how many were accepted.
fn return_all(lists: Page, taken: i64) -> i64 {
    let mut returned = 0;
    for list in 0..LISTS as u64 {
        let left = (taken as usize).saturating_sub(list as usize * BATCH);
        let frames = &mut lists.next(list).words()[..left.min(BATCH)];
        if frames.is_empty() {
            break;
        }
        returned += reserve(DECREASE, frames);
    }
    returned
}
