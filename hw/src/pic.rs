//! The two 8259 interrupt controllers of a PC: out of the way, since the I/O APICs do their work.

use crate::ports;

const FIRST_COMMAND: u16 = 0x20;
const FIRST_DATA: u16 = 0x21;
const SECOND_COMMAND: u16 = 0xa0;
const SECOND_DATA: u16 = 0xa1;

/// Begin initialisation, with the fourth word to come (Intel 8259A data sheet).
const INITIALISE: u8 = 0x11;
/// The first one's line 2 leads to the second.
const CASCADE_MASK: u8 = 1 << 2;
const CASCADE_LINE: u8 = 2;
/// 8086 mode.
const MODE_8086: u8 = 0x01;
const ALL: u8 = 0xff;

/// Masks every line. Should one of them raise a spurious interrupt all the same, it comes at `vector` to `vector` + 15
/// (a multiple of 8), away from the exceptions' vectors where a BIOS leaves them.
pub fn disable(vector: u8) {
    let steps = [
        (FIRST_DATA, ALL),
        (SECOND_DATA, ALL),
        (FIRST_COMMAND, INITIALISE),
        (SECOND_COMMAND, INITIALISE),
        (FIRST_DATA, vector),
        (SECOND_DATA, vector.wrapping_add(8)),
        (FIRST_DATA, CASCADE_MASK),
        (SECOND_DATA, CASCADE_LINE),
        (FIRST_DATA, MODE_8086),
        (SECOND_DATA, MODE_8086),
        (FIRST_DATA, ALL),
        (SECOND_DATA, ALL),
    ];
    for (port, value) in steps {
        // SAFETY: the controllers only raise interrupts, and these writes only stop them.
        unsafe { ports::write_u8(port, value) };
    }
}
