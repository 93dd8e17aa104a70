//! Guest time: properties and models, by subject.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used
)]

mod calibration;
mod clocks;
mod discipline;
mod emulated;
mod records;
mod timers;
