//! What the boot loader and the firmware tell about the machine, read from memory they left.
//!
//! Everything here works on checked slices: a broken table or a lying length gives an error that names it, never a
//! crash. (Crates for these formats exist; those looked at trust lengths that the firmware wrote, or assert on them.)
#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod acpi;
pub mod boot;
pub mod clock;
mod memory;

pub use memory::FirmwareMemory;
