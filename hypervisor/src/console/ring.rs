//! What was printed, for `xl dmesg`.

use alloc::vec::Vec;
use core::sync::atomic::{
    AtomicBool,
    Ordering::{AcqRel, Acquire, Release},
};

use conring::ConsoleRing;
use hw::sync::SpinLock;
use xen_abi::xen::VIRQ_CON_RING;

use crate::{events, levels, processors, work};

static RING: SpinLock<ConsoleRing, { levels::CONSOLE }> = SpinLock::new(ConsoleRing::new());
/// There is a guest that may be told of new output.
static IS_ANNOUNCED: AtomicBool = AtomicBool::new(false);
/// New output that nobody was told of yet.
static IS_NEW: AtomicBool = AtomicBool::new(false);

/// Puts bytes in. The telling is left to the way out to a guest: here any lock may be held.
pub fn keep(bytes: &[u8]) {
    RING.lock().put(bytes);
    if IS_ANNOUNCED.load(Acquire) && !IS_NEW.swap(true, AcqRel) {
        work::raise_here(work::CONSOLE);
    }
}

/// Gives the ring its size, and has dom0 told of what is put in from now on.
pub fn grow(asked: Option<u64>) {
    let size = conring::bytes_for(asked, processors::count());
    let mut bytes = Vec::new();
    if size > conring::FIRST_BYTES {
        if bytes.try_reserve_exact(size).is_ok() {
            bytes.resize(size, 0);
            RING.lock().grow(bytes);
        } else {
            crate::log!(Warning, "no memory for a console ring of {size} bytes");
        }
    }
    IS_ANNOUNCED.store(true, Release);
}

/// Tells dom0 of new output.
pub fn announce() {
    if IS_NEW.swap(false, AcqRel) {
        events::send_global_virq(VIRQ_CON_RING);
    }
}

/// Where a reader begins that read as far as `reads_on`, or that reads from the beginning.
pub fn start(reads_on: Option<u32>) -> u32 {
    RING.lock().start(reads_on)
}

/// Copies bytes from position `from` on; answers how many.
pub fn read_from(from: u32, to: &mut [u8]) -> usize {
    RING.lock().read(from, to)
}

/// Shows nothing before position `until` any more.
pub fn clear(until: u32) {
    RING.lock().forget(until);
}
