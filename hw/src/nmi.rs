//! Why the board raised a non-maskable interrupt: port 61h, and how its sources are silenced.

use crate::ports;

const PORT: u16 = 0x61;
/// System error (PCI SERR#, on old boards memory parity).
const SYSTEM_ERROR: u8 = 1 << 7;
/// A card's error (I/O channel check).
const CARD_ERROR: u8 = 1 << 6;
const DISABLE_SYSTEM_ERROR: u8 = 1 << 2;
const DISABLE_CARD_ERROR: u8 = 1 << 3;
/// Bits that may be written back (the upper half only tells).
const WRITABLE: u8 = 0x0f;

/// What the board says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// A bus or memory reported an error that nobody could handle.
    pub system_error: bool,
    /// A card reported an error.
    pub card_error: bool,
}

/// Asks the board.
pub fn reason() -> Reason {
    // SAFETY: reading the port tells and changes nothing.
    let value = unsafe { ports::read_u8(PORT) };
    Reason {
        system_error: value & SYSTEM_ERROR != 0,
        card_error: value & CARD_ERROR != 0,
    }
}

/// Forgets the reason, so that the next one can be told.
pub fn acknowledge(reason: Reason) {
    let mut disable = 0;
    if reason.system_error {
        disable |= DISABLE_SYSTEM_ERROR;
    }
    if reason.card_error {
        disable |= DISABLE_CARD_ERROR;
    }
    if disable == 0 {
        return;
    }
    // SAFETY: the bits only let errors become NMIs or not; timer gate and speaker keep their values.
    unsafe {
        let kept = ports::read_u8(PORT) & WRITABLE;
        ports::write_u8(PORT, kept | disable);
        ports::write_u8(PORT, kept & !disable);
    }
}
