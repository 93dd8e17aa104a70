//! The parts of `memory_op`.

pub mod exchange;
pub mod maps;
pub mod reservation;
