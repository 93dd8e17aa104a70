//! The processor and the board: the one crate of the hypervisor where `unsafe` may appear.
#![no_std]

pub mod boot;
pub mod console;
pub mod heap;
pub mod layout;
pub mod mmio;
pub mod panic;
pub(crate) mod ports;
pub mod serial;
pub mod vga;
