//! The wall clock in `shared_info`: said whenever it changes, with the time of day now.

use core::ptr::read_volatile;
use core::sync::atomic::{fence, Ordering::SeqCst};
use guest_kit::command_line::number;
use guest_kit::pages::shared_info_address;
use guest_kit::say;
use guest_kit::time::{now, SECOND};

use crate::sleep_until;

/// Offsets of `wc_version`, `wc_sec`, `wc_nsec` and `wc_sec_hi` in `shared_info` (public `xen.h`).
const VERSION: u64 = 3072;
const SECONDS: u64 = 3076;
const NANOSECONDS: u64 = 3080;
const SECONDS_HIGH: u64 = 3084;

fn word(offset: u64) -> u32 {
    unsafe { read_volatile((shared_info_address() + offset) as *const u32) }
}

/// The version, and the time at which system time was 0: seconds after 1970 and nanoseconds.
fn read() -> (u32, u64, u32) {
    loop {
        let before = word(VERSION);
        fence(SeqCst);
        let seconds = u64::from(word(SECONDS)) | u64::from(word(SECONDS_HIGH)) << 32;
        let nanoseconds = word(NANOSECONDS);
        fence(SeqCst);
        if before & 1 == 0 && word(VERSION) == before {
            return (before, seconds, nanoseconds);
        }
    }
}

pub fn watch() {
    let end = now() + number("seconds").unwrap_or(60) * SECOND;
    let mut last = None;
    while now() < end {
        let (version, seconds, nanoseconds) = read();
        assert!(u64::from(nanoseconds) < SECOND);
        if last != Some((version, seconds, nanoseconds)) {
            let day = seconds + (now() + u64::from(nanoseconds)) / SECOND;
            say!("CLOCK wall {day} version {version} offset {seconds}.{nanoseconds:09}");
            last = Some((version, seconds, nanoseconds));
        }
        sleep_until(now() + SECOND / 20);
    }
}
