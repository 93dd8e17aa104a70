//! Xen 4.17's public interface as Rust types and constants: layouts and numbers, no logic.
//!
//! One module a header. Constants keep the header's own spelling; structures have the header's fields
//! and the 64-bit guest's layout, and are plain bytes (`zerocopy`), so that safe code can copy them in
//! and out of guest memory: `T::new_zeroed()`, `value.as_bytes()`, `T::read_from_prefix(bytes)`.
//! A C union is an array of words in the structure that holds it, and one structure a variant.
//! `tests/layout.rs` compares all of it with the C headers of Debian's `libxen-dev`.
#![cfg_attr(not(test), no_std)]

#[macro_use]
pub mod layout;

pub mod arch_x86;
pub mod callback;
pub mod errno;
pub mod event_channel;
pub mod features;
pub mod grant_table;
pub mod memory;
pub mod nmi;
pub mod physdev;
pub mod platform;
pub mod platform_firmware;
pub mod platform_power;
pub mod sched;
pub mod start_info;
pub mod vcpu;
pub mod version;
pub mod xen;

pub use errno::Errno;
