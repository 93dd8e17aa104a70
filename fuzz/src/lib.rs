//! Fuzz targets for everything in `core/` that takes what a guest wrote.
//!
//! A target is a plain function of bytes that must not panic, loop, or break the invariant it
//! states; [`TARGETS`] lists them. `cargo test -p xenolith-fuzz` runs each for a moment on its seeds
//! and on bytes from a generator that repeats; `fuzz/libfuzzer` runs one for as long as you like
//! with coverage to guide it.
// A test program: it panics at what it finds.
#![allow(clippy::indexing_slicing, clippy::panic)]

pub mod bytes;
mod decoding;
mod event_channels;
mod granting;
mod images;
mod page;
mod page_tables;
mod policies;
mod settings;

/// One thing to fuzz.
pub struct Target {
    /// Its name, as the command line of the fuzzer takes it.
    pub name: &'static str,
    /// What is run; it panics if an invariant does not hold.
    pub run: fn(&[u8]),
    /// Inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    decoding::PAGE_TABLE_WRITE,
    decoding::PRIVILEGED,
    event_channels::TARGET,
    granting::TARGET,
    images::TARGET,
    page_tables::TARGET,
    page_tables::DESCRIPTORS,
    policies::TARGET,
    settings::TARGET,
];

/// The target of a name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
