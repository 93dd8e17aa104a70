//! The suite: every case asserts one documented behaviour of Xen's interface, and passes on
//! Debian's Xen as well as on Xenolith.
#![no_std]
#![no_main]

mod version;

use guest_kit::case::{run_suite, Group};

guest_kit::guest_main!(main);

const GROUPS: &[Group] = &[version::GROUP];

fn main() {
    run_suite(GROUPS);
}
