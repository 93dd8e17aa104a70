//! Tests of the table against itself.
