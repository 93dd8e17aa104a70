//! Guest time: properties and models, by subject.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used
)]

mod clocks;
mod records;
mod timers;
