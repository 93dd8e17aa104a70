//! The processor and the board: the one crate of the hypervisor where `unsafe` may appear.
#![no_std]

pub mod acpi;
pub mod apic;
pub mod backtrace;
pub mod boot;
pub mod console;
pub mod copy;
pub mod cpu;
pub mod descriptors;
pub mod entry;
pub mod fpu;
pub mod guest_ports;
pub mod heap;
pub mod ioapic;
pub mod layout;
pub mod m2p;
pub mod machine_check;
pub mod mmio;
mod modes;
pub mod nmi;
pub mod paging;
pub mod panic;
pub mod pci;
pub mod percpu;
pub mod pic;
pub(crate) mod ports;
pub mod power;
pub mod registers;
pub mod serial;
pub mod smp;
pub mod switch;
pub mod sync;
pub mod time;
pub mod tlb;
pub mod vcpu;
pub mod vga;
pub mod window;
