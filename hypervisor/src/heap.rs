//! The hypervisor's own heap as it grows and shrinks: by a megabyte where the domains at hand need more than it has.

use alloc::vec::Vec;

use arrayvec::ArrayVec;
use grants::{Denied, Status};
use hw::heap::Lent;
use hw::sync::SpinLock;
use memory::Stop;
use vocabulary::{Errno, Mfn, Refusal, Refused};

use crate::{levels, machine};

/// Frames that it grows by at a time (256, a megabyte).
const GROWTH: u32 = 8;

/// The most parts by which it grows.
const MOST_PARTS: usize = 64;
/// By what it has grown.
static PARTS: SpinLock<ArrayVec<Lent, MOST_PARTS>, { levels::HEAP_PARTS }> =
    SpinLock::new(ArrayVec::new_const());

/// Heap in one piece that a guest's call may need at most: what it is told of 512 grants.
const PIECE_OF_CALL: usize = 64 << 10;

/// Sees to it that there is room for `bytes`, growing the heap by whole megabytes where there is none. ENOMEM.
pub fn make_room(bytes: usize) -> Refused<()> {
    if has_room(bytes) || (grow(order_of(bytes).max(GROWTH)) && has_room(bytes)) {
        return Ok(());
    }
    vocabulary::refuse(Errno::ENOMEM, "the hypervisor's heap cannot grow")
}

/// Why an attempt failed, as far as the heap is concerned.
pub trait Failure {
    /// Whether for want of memory, in which case nothing was done that another attempt would do again.
    fn wants_memory(&self) -> bool;
}

impl Failure for Refusal {
    fn wants_memory(&self) -> bool {
        self.errno == Errno::ENOMEM
    }
}

impl Failure for Stop {
    fn wants_memory(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.wants_memory())
    }
}

impl Failure for Denied {
    fn wants_memory(&self) -> bool {
        self.status == Status::NoSpace
    }
}

/// What `attempt` answers, made again for as long as it finds no memory and the heap has grown for it. With no lock
/// held. What a guest can make the heap hold is limited by its numbers of grants, handles and ports.
pub fn growing<T, E: Failure>(mut attempt: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    loop {
        match attempt() {
            Err(failure) if failure.wants_memory() && has_grown() => {}
            answer => return answer,
        }
    }
}

/// Where there was no memory: whether that was the heap's, which has grown since.
#[cold]
fn has_grown() -> bool {
    !has_room(PIECE_OF_CALL) && grow(GROWTH)
}

/// Whether the heap has so many bytes in one piece.
fn has_room(bytes: usize) -> bool {
    let mut probe = Vec::<u8>::new();
    let has_room = probe.try_reserve_exact(bytes).is_ok();
    // A compiler may leave out an allocation that nothing uses, and then answer that there was room.
    core::hint::black_box(probe);
    has_room
}

fn grow(order: u32) -> bool {
    let mut parts = PARTS.lock();
    if parts.is_full() {
        return false;
    }
    let lent = add_block(order, hw::heap::lend);
    let has_grown = lent.is_some();
    parts.extend(lent);
    has_grown
}

/// Gives it so many bytes more for as long as the hypervisor runs: for what outlives the domains that made it needed.
pub fn grow_for_good(bytes: usize) -> bool {
    let give = |first, order| hw::heap::give(first, order).then_some(());
    add_block(order_of(bytes), give).is_some()
}

/// Adds 2^`order` of the machine's frames to it, which `add` does; they go back where that cannot be.
fn add_block<T>(order: u32, add: impl FnOnce(Mfn, u32) -> Option<T>) -> Option<T> {
    let first = machine::take_own(order)?;
    let added = add(first, order);
    if added.is_none() {
        machine::give_back_own_block(first, order);
    }
    added
}

/// The order of frames that hold so many bytes and what the heap keeps beside them.
const fn order_of(bytes: usize) -> u32 {
    (bytes.div_ceil(4096) + 1).next_power_of_two().ilog2()
}

/// Takes back what it has grown by, as far as nothing lies in it any more.
pub fn shrink() {
    let mut parts = PARTS.lock();
    let mut kept = ArrayVec::<Lent, MOST_PARTS>::new();
    for lent in parts.drain(..) {
        match hw::heap::take_back(lent) {
            Ok((first, order)) => machine::give_back_own_block(first, order),
            Err(lent) => kept.push(lent),
        }
    }
    *parts = kept;
}
