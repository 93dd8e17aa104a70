//! The processor and the board: the one crate of the hypervisor where `unsafe` may appear.
#![no_std]

pub mod acpi;
pub mod apic;
pub mod backtrace;
pub mod boot;
pub mod console;
pub mod heap;
pub mod ioapic;
pub mod layout;
pub mod mmio;
pub mod panic;
pub mod pic;
pub(crate) mod ports;
pub mod power;
pub mod serial;
pub mod smp;
pub mod time;
pub mod vga;
