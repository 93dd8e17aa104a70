//! What is printed, kept: the ring behind `xl dmesg`, guests' output put into lines, and limits on how fast messages
//! come.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod limit;
mod line;
mod ring;

#[cfg(test)]
mod tests;

pub use limit::{Allowed, RateLimit};
pub use line::{GuestLine, LINE_BYTES};
pub use ring::{bytes_for, ConsoleRing, FIRST_BYTES};
