//! The console of a guest that is not dom0: the ring shared with dom0's console daemon.
//!
//! The page holds 1024 bytes of input, 2048 of output, and four indices: input consumed and
//! produced, output consumed and produced (public/io/console.h). Indices only grow; an index
//! modulo the ring's size is a place.

use crate::hypercall::sched_op;
use crate::pages::va_of;
use crate::start::start_info;
use core::sync::atomic::{fence, AtomicBool, AtomicU32, Ordering};

/// Bytes of the ring for output.
const OUTPUT: u32 = 2048;
/// Where in the page the output begins, and the four indices.
const OUTPUT_AT: u64 = 1024;
/// Index of the input consumed, the first of four.
const INDICES_AT: u64 = 3072;
/// How often a writer looks for room, giving the processor away between, before it drops the rest.
const LOOKS: u32 = 200_000;

static LOCK: AtomicBool = AtomicBool::new(false);

/// The four indices in the console page.
#[derive(Clone, Copy)]
pub enum Index {
    /// Input this guest has read.
    InputConsumed = 0,
    /// Input the daemon has written.
    InputProduced = 1,
    /// Output the daemon has read.
    OutputConsumed = 2,
    /// Output this guest has written.
    OutputProduced = 3,
}

/// The address of the console page.
pub fn page() -> u64 {
    va_of(start_info().console_mfn)
}

/// One of the indices, as both sides see it.
pub fn index(which: Index) -> &'static AtomicU32 {
    unsafe { &*((page() + INDICES_AT + 4 * which as u64) as *const AtomicU32) }
}

/// Tells the daemon to look.
pub fn notify() -> i64 {
    crate::events::send(start_info().console_evtchn)
}

/// Writes text, waiting for room; what finds none for very long is dropped, since a daemon that is
/// gone must not stop a test.
pub fn write(bytes: &[u8]) {
    lock();
    let mut left = bytes;
    let mut looks = 0;
    while !left.is_empty() && looks < LOOKS {
        let taken = put(left);
        left = &left[taken..];
        if taken > 0 {
            notify();
        } else {
            looks += 1;
            sched_op(0, 0);
        }
    }
    LOCK.store(false, Ordering::Release);
}

/// Waits until the daemon has read everything, for some time at most.
pub fn drain() {
    for look in 0..LOOKS {
        let produced = index(Index::OutputProduced).load(Ordering::SeqCst);
        if index(Index::OutputConsumed).load(Ordering::SeqCst) == produced {
            return;
        }
        // The daemon stops listening for a while to a guest that notifies too often.
        if look % 1024 == 0 {
            notify();
        }
        sched_op(0, 0);
    }
}

/// Another vCPU's line goes first, unless that vCPU has died with the lock.
fn lock() {
    for _ in 0..LOOKS {
        if !LOCK.swap(true, Ordering::Acquire) {
            return;
        }
        sched_op(0, 0);
    }
}

/// Puts as many bytes as there is room for; gives how many.
fn put(bytes: &[u8]) -> usize {
    let produced = index(Index::OutputProduced).load(Ordering::SeqCst);
    let consumed = index(Index::OutputConsumed).load(Ordering::SeqCst);
    let room = OUTPUT.saturating_sub(produced.wrapping_sub(consumed));
    let taken = bytes.len().min(room as usize);
    for (offset, byte) in bytes[..taken].iter().enumerate() {
        let place = produced.wrapping_add(offset as u32) % OUTPUT;
        unsafe { ((page() + OUTPUT_AT + place as u64) as *mut u8).write_volatile(*byte) };
    }
    fence(Ordering::SeqCst);
    index(Index::OutputProduced).store(produced.wrapping_add(taken as u32), Ordering::SeqCst);
    taken
}
