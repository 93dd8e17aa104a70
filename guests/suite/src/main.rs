//! The suite: every case asserts one documented behaviour of Xen's interface, and passes on
//! Debian's Xen as well as on Xenolith.
#![no_std]
#![no_main]

mod calls;
mod channels;
mod clocks;
mod control;
mod control_answers;
mod crashes;
mod descriptors;
mod emulated;
mod emulated_writes;
mod fifo;
mod grant_copies;
mod grant_details;
mod granting;
mod interrupts;
mod machine_control;
mod mmu_entries;
mod other;
mod other_domain;
mod pointers;
mod processors;
mod registers;
mod reservations;
mod scheduling;
mod tables;
mod traps;
mod user_mode;
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
    user_mode::GROUP,
    channels::GROUP,
    fifo::GROUP,
    granting::GROUP,
    grant_copies::GROUP,
    grant_details::GROUP,
    reservations::GROUP,
    scheduling::GROUP,
    clocks::GROUP,
    processors::GROUP,
    interrupts::GROUP,
    calls::GROUP,
    pointers::GROUP,
    other_domain::GROUP,
    control::GROUP,
    machine_control::GROUP,
    crashes::GROUP,
];

fn main() {
    run_suite(GROUPS);
}
