//! From the bytes of boot module 0 to a kernel that can be loaded as a para-virtualized dom0.
//!
//! Two steps. [`recognise`] finds out what the file is (a bzImage, a compressed ELF file, a bare ELF file) and
//! [`Container::unpack`] decompresses it straight into a buffer of the caller's. [`examine`] then reads the ELF file: its
//! segments, its Xen notes, and whether this hypervisor can run it. The bytes are not trusted: every error is a value whose
//! `Display` is one line that says what is wrong and what would be right.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod container;
mod error;
mod features;
mod kernel;
mod lzma;
mod notes;
mod unpack;
mod xz;

#[cfg(test)]
mod tests;

pub use container::{recognise, Compression, Container};
pub use error::{CorruptData, ImageError};
pub use features::Features;
pub use kernel::{examine, Kernel, Segment, MOST_SEGMENTS};
pub use notes::Notes;
