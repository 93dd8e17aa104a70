//! Instructions that a guest may trap on, decoded into plans: what is to be done, without doing it.
//!
//! Two families: writes to a page table of the guest's own ([`page_table_write`]), and the privileged instructions of a
//! guest kernel ([`privileged()`]). Nothing here touches guest memory or a register: the caller fetches the bytes, hands in
//! the registers through [`Registers`], carries out the plan and moves the instruction pointer by its length.
//! The bytes are whatever the guest left there and may be anything at all.
#![cfg_attr(not(test), no_std)]

mod decode;
mod exchange;
mod fast;
mod operand;
mod plan;
mod privileged;
mod registers;

#[cfg(test)]
mod tests;

pub use decode::page_table_write;
pub use exchange::{quadword_exchange, Exchange};
pub use plan::{FlagChange, Operation, Outcome, PageTableWrite};
pub use privileged::{
    privileged, DescriptorRegister, Place, Privileged, PrivilegedInstruction, StringPort,
};
pub use registers::{CodeSize, RegisterPart, RegisterWrite, Registers, Segment, Width};

/// The longest instruction the processor takes, in bytes (Intel SDM volume 2, section 2.3.11).
pub const LONGEST_INSTRUCTION: usize = 15;

/// Why an instruction is not emulated. The guest gets the fault that trapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecodable {
    /// The bytes are no instruction, or end before it does.
    Invalid,
    /// The instruction is none that is emulated here.
    NotEmulated,
    /// The memory operand is not where the fault was: another processor changed the bytes meanwhile, or the fault has
    /// another cause.
    AnotherAddress,
    /// The write does not lie within one page-table entry.
    CrossesEntry,
}
