//! Trace buffers in Xen's format (`public/trace.h`): records of what the hypervisor did, one ring a processor, which
//! a program in the control domain reads while they are written.
//!
//! [`Ring`] writes one processor's ring, [`Mask`] says which events are wanted, [`directory`] lays out the page by
//! which the reader finds the rings, [`event`] has the events' numbers.
//!
//! The reader has the rings mapped and may write to them. Nothing that is read from there is trusted: where the writer
//! stands is kept beside the ring, and a reader's position that cannot be counts as "has read nothing".
#![cfg_attr(not(test), no_std)]

pub mod directory;
pub mod event;
mod mask;
mod record;
mod ring;

#[cfg(test)]
mod tests;

pub use mask::Mask;
pub use record::{Record, MOST_WORDS};
pub use ring::{Added, Ring, RingMemory, HEADER_BYTES};
