//! The CMOS clock: the date and time of day that the board keeps.

use firmware::clock::{Date, Format};

use crate::ports;

const INDEX: u16 = 0x70;
const DATA: u16 = 0x71;

const SECONDS: u8 = 0x00;
const MINUTES: u8 = 0x02;
const HOURS: u8 = 0x04;
const DAY: u8 = 0x07;
const MONTH: u8 = 0x08;
const YEAR: u8 = 0x09;
const STATUS_A: u8 = 0x0a;
const STATUS_B: u8 = 0x0b;
const UPDATING: u8 = 1 << 7;

/// Looks at a clock that is being updated (which takes 2 ms at most) before it is believed to be broken.
const PATIENCE: u32 = 1_000_000;

/// Seconds since 1970 in UTC, taking the clock to keep UTC; `None` where it keeps no sensible date. `century` is the
/// register the FADT names, or 0. Another processor must not use the clock's ports meanwhile.
pub fn wall_clock(century: u8) -> Option<u64> {
    // Two equal readings, none of which was taken during an update, make one right reading.
    let mut last = read_when_quiet(century)?;
    for _ in 0..10 {
        let again = read_when_quiet(century)?;
        if again == last {
            return last.seconds(Format::from_status(read(STATUS_B)));
        }
        last = again;
    }
    None
}

fn read_when_quiet(century: u8) -> Option<Date> {
    let quiet = (0..PATIENCE).any(|_| read(STATUS_A) & UPDATING == 0);
    quiet.then(|| Date {
        second: read(SECONDS),
        minute: read(MINUTES),
        hour: read(HOURS),
        day: read(DAY),
        month: read(MONTH),
        year: read(YEAR),
        century: (century != 0).then(|| read(century)),
    })
}

fn read(register: u8) -> u8 {
    // SAFETY: the clock's registers only keep time; the index's top bit stays 0, so that NMIs stay enabled.
    unsafe {
        ports::write_u8(INDEX, register & 0x7f);
        ports::read_u8(DATA)
    }
}
