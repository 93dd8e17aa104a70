//! Tests of the rules: one by one, against a plain model, interrupted at every point, and from many threads.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used
)]

mod holders;
mod interruption;
mod lists;
mod machine;
mod model;
mod operations;
mod properties;
mod references;
mod rules;
mod stress;
mod teardown;
mod tree;
