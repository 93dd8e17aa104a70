//! Xenolith: a para-virtualizing hypervisor with Xen's public interface.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    reason = "guests' numbers are checked where they come in"
)]

extern crate alloc;

mod authority;
mod bases;
mod bitmap;
mod boot;
mod boot_memory;
mod calls;
mod clock;
mod console;
mod contexts;
mod counters;
mod cpuid;
mod crash;
mod create;
mod current;
mod debug_keys;
mod devices;
mod dom0;
mod domain;
mod domains;
mod event_pages;
mod events;
mod flush;
mod grants;
mod guest;
mod heap;
mod hypercall;
mod idle_time;
mod inject;
mod irq;
mod levels;
mod local_table;
mod log;
mod machine;
mod msrs;
mod nmi;
mod nodes;
mod ownership;
mod placement;
mod power;
mod privileged;
mod processors;
mod refusals;
mod registers;
mod schedule;
mod settings;
mod shared_page;
mod switcher;
mod table_writes;
mod teardown;
mod time_stamps;
mod timers;
mod topology;
mod trace;
mod traps;
mod vcpu;
mod vcpu_time;
mod vcpus;
mod virtual_nodes;
mod watchdog;
mod work;

#[cfg(target_os = "none")]
hw::entry!(boot::start);

/// On a host the program is only linted, never run.
#[cfg(not(target_os = "none"))]
fn main() {
    let _: fn(&'static hw::boot::BootInfo) -> ! = boot::start;
}
