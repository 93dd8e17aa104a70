//! The suite: every case asserts one documented behaviour of Xen's interface, and passes on
//! Debian's Xen as well as on Xenolith.
#![no_std]
#![no_main]

mod descriptors;
mod emulated;
mod emulated_writes;
mod mmu_entries;
mod registers;
mod tables;
mod traps;
mod version;

use guest_kit::case::{run_suite, Group};

guest_kit::guest_main!(main);

const GROUPS: &[Group] = &[
    version::GROUP,
    mmu_entries::GROUP,
    tables::GROUP,
    emulated_writes::GROUP,
    descriptors::GROUP,
    traps::GROUP,
    emulated::GROUP,
    registers::GROUP,
];

fn main() {
    run_suite(GROUPS);
}
