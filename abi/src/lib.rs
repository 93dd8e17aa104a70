//! Xen 4.17's public interface as Rust types and constants: layouts and numbers, no logic.
#![cfg_attr(not(test), no_std)]

pub mod errno;

pub use errno::Errno;
