//! The machine-to-physical table: which pseudo-physical frame each machine frame is. Guests read it.

use core::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed},
};

use memory::PageInfo;
use vocabulary::{MachineAddr, Mfn};

use crate::paging::{
    bits::{FRAME, LARGE},
    frame_table, walk, M2P_FRAMES, M2P_OWN, NO_FRAME,
};

/// Bytes of the table that one large page maps.
const PIECE: u64 = 0x20_0000;

/// Frames the machine-to-physical table covers.
pub fn frames() -> u64 {
    M2P_FRAMES.load(Acquire)
}

/// Reads the machine-to-physical table.
pub fn get(frame: Mfn) -> u64 {
    entries()
        .get(frame.0 as usize)
        .map_or(NO_FRAME, |entry| entry.load(Relaxed))
}

/// Writes the machine-to-physical table. `frame` must be RAM, which the caller knows from its `PageInfo`.
#[inline]
pub fn set(frame: Mfn, value: u64) {
    debug_assert!(frame_table()
        .get(frame.0 as usize)
        .is_some_and(PageInfo::is_ram));
    if let Some(entry) = entries().get(frame.0 as usize) {
        entry.store(value, Relaxed);
    }
}

fn entries() -> &'static [AtomicU64] {
    let count = M2P_FRAMES.load(Acquire) as usize;
    // SAFETY: `build` backed the range for ever; entries are words that guests read at any time.
    unsafe { core::slice::from_raw_parts(M2P_OWN as *const AtomicU64, count) }
}

/// The frame that holds part of the machine-to-physical table, by 2 MiB piece, where one piece is one page.
pub fn piece(piece: u64) -> Option<Mfn> {
    let address = M2P_OWN + piece * PIECE;
    let (found, level) = walk(address, 2)?;
    (level == 2 && found & LARGE != 0).then(|| MachineAddr(found & FRAME).frame())
}

/// Pieces of the table, 2 MiB each.
pub fn pieces() -> u64 {
    (frames() * 8).div_ceil(PIECE)
}

/// Whether a machine frame is part of the table.
pub fn holds(frame: Mfn) -> bool {
    (0..pieces()).any(|number| {
        piece(number).is_some_and(|first| (first.0..first.0 + PIECE / 4096).contains(&frame.0))
    })
}
