//! A kit for tiny para-virtualized guests on Xen's interface: start-up, hypercalls, page tables,
//! traps, user mode, event channels, time, vCPUs, grants, the console ring, XenStore, and a small
//! registry of test cases.
//!
//! A guest is a `no_std` binary that calls [`guest_main!`] with its main function; its build script
//! passes `guest.ld` to the linker. The output boots as dom0 of any hypervisor that keeps the
//! interface, Debian's Xen and Xenolith alike, and as a PV guest that Debian's `xl` creates there.
//!
//! Everything here runs on one vCPU unless a case starts another, and gives safe functions where a
//! careful kernel would not: provoking the hypervisor is what these guests are for.
#![no_std]

pub mod case;
pub mod command_line;
pub mod console;
pub mod events;
pub mod grants;
pub mod hypercall;
pub mod mmu;
pub mod pages;
pub mod random;
pub mod ring_console;
pub mod start;
pub mod time;
pub mod trap;
pub mod trap_entry;
pub mod user;
pub mod vcpu;
pub mod vcpus;
pub mod xenstore;
