//! A bad back end, and the guest it is the back end of.
//!
//! Words: `role=lender` lends pages and ports to the domain whose number is at `data/peer` in
//! XenStore, looks that they are what they should be, and says `LENDER second N`; it powers off
//! after `seconds=N`. `role=borrower` (the default) takes them from the domain at its own
//! `data/peer` and `do=hold` maps everything and never lets go, `do=die` crashes in the middle of
//! mapping, `do=storm` floods ports and maps, unmaps and copies at random for `seconds=N`.
#![no_std]
#![no_main]

mod borrower;
mod lender;

use guest_kit::command_line::{self, number};
use guest_kit::xenstore;

guest_kit::guest_main!(main);

/// Pages that are lent.
pub const PAGES: u32 = 48;

fn main() {
    let Some(peer) = xenstore::wait_for_number("data/peer", 120) else {
        guest_kit::say!("BACKEND FAIL: no data/peer");
        return;
    };
    let seconds = number("seconds").unwrap_or(10);
    if command_line::value("role") == Some("lender") {
        lender::run(peer as u16, seconds);
    } else {
        borrower::run(peer as u16, seconds);
    }
}
