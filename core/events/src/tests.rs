//! Tests of event channels: one behaviour each, against a plain model, with hostile memory, with threads.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a test may fail"
)]

mod fifo;
mod hostile;
mod mock;
mod model;
mod ports;
mod threads;
