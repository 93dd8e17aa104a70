//! The parts of `memory_op`.

pub mod claims;
pub mod exchange;
pub mod maps;
pub mod reservation;
pub mod resources;
pub mod translated;
