//! A page of words that a guest and the hypervisor share, as event channels and grant tables use it.
//!
//! The guest writes to it at any moment, so that every value read is untrusted: it decides what *that* guest gets
//! and nothing else.
#![cfg_attr(not(test), no_std)]

#[cfg(feature = "simulated")]
extern crate alloc;
#[cfg(feature = "simulated")]
pub mod simulated;

pub use spin::RelaxStrategy;

/// A frame that the hypervisor keeps referenced, writable and mapped for as long as this lives; dropping it gives the
/// frame back.
///
/// `offset` is a byte offset below 4096, a multiple of 4; an implementer answers 0 for any other. All operations are
/// atomic, read-modify-write ones full barriers (as `lock`-prefixed instructions are), and none waits for another
/// processor.
pub trait SharedPage {
    /// How a processor waits for a lock of the tables that such pages belong to: where interrupts are off, it
    /// answers other processors' requests for TLB flushes meanwhile.
    type Relax: RelaxStrategy;

    /// Reads a word.
    fn load(&self, offset: usize) -> u32;
    /// Writes a word.
    fn store(&self, offset: usize, value: u32);
    /// Writes `new` if the word is `current`; else answers what it is.
    ///
    /// # Errors
    /// The word's value where it differs from `current`.
    fn compare_exchange(&self, offset: usize, current: u32, new: u32) -> Result<u32, u32>;
    /// Sets `bits`; answers the word before.
    fn fetch_or(&self, offset: usize, bits: u32) -> u32;
    /// Keeps only `bits`; answers the word before.
    fn fetch_and(&self, offset: usize, bits: u32) -> u32;
}
