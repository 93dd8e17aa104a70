//! Tests of grant tables: one behaviour each, against a plain model, with hostile memory, with threads.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a test may fail"
)]

mod copies;
mod hostile;
mod mappings;
mod mock;
mod model;
mod threads;
mod versions;
