//! Work in known amounts.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};
use guest_kit::time::{now, scale, snapshot, tsc};

/// How often a piece of known length is timed; the least counts, so that being interrupted does not.
const TRIES: u64 = 50;
/// Pieces that are timed together.
const TIMED: u64 = 100;

/// Picoseconds that a piece takes.
static PIECE: AtomicU64 = AtomicU64::new(0);

/// A thousand instructions that do nothing, which an emulator does quickly however it counts them.
fn piece() {
    unsafe {
        asm!(
            ".rept 1000",
            "nop",
            ".endr",
            options(nomem, nostack, preserves_flags)
        )
    }
}

/// Finds out how long a piece takes, if nobody did.
fn picoseconds() -> u64 {
    let known = PIECE.load(Ordering::Relaxed);
    if known != 0 {
        return known;
    }
    let once = |_| {
        let start = tsc();
        (0..TIMED).for_each(|_| piece());
        tsc() - start
    };
    let ticks = (0..TRIES).map(once).min().unwrap_or(0);
    let found = (scale(ticks, &snapshot()) * 1000 / TIMED).max(1);
    PIECE.store(found, Ordering::Relaxed);
    found
}

/// How many pieces are so many nanoseconds of processor time.
pub fn pieces(nanoseconds: u64) -> u64 {
    nanoseconds * 1000 / picoseconds()
}

/// Does so many.
pub fn spend(pieces: u64) {
    (0..pieces).for_each(|_| piece());
}

/// Works until then.
pub fn until(time: u64) {
    while now() < time {
        spend(10);
    }
}
