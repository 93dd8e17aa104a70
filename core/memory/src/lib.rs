//! The frames of the machine: whose they are, what they are used as, and the rules that keep a guest's page
//! tables harmless although the processor uses them as they stand.
//!
//! - [`FrameTable`] says of each frame who owns it and counts **general references**: while there is one, the
//!   frame goes to nobody else. [`PageRef`] is the guard of one.
//! - Each frame has at most one **type** at a time ([`PageType`]), with a count. A frame becomes a table when every
//!   entry in it was checked and each present entry holds references to what it names (promotion); it stops
//!   being one when the last type reference goes (demotion). So no frame is ever a table and writable by a guest.
//! - [`Mmu`] has the operations: [`update_entry`](Mmu::update_entry), [`pin`](Mmu::pin), base pointers,
//!   descriptor frames, grant mappings, [`relinquish`](Mmu::relinquish).
//!
//! # Locks
//!
//! The crate has none. General references ([`FrameTable::take`], [`PageRef`]) and writable type references
//! ([`PageRef::writable`]) are lock-free and work on any frame from any CPU. Whatever takes a [`Paging`] needs
//! the paging lock of the domain that **owns the tables**; the `Paging` lives inside it. [`DomainPages`] lives
//! inside the domain's page-list lock, which nests inside paging locks ([`Host::free`] takes it).
//!
//! # Stale translations
//!
//! A guest asks for the TLB flushes that it needs. The hypervisor flushes for its own safety only: when the last
//! type reference goes, or the frame is freed, the frame remembers the time ([`Host::tlb_clock`]); when it becomes
//! another type, or another owner's, CPUs that have not flushed since do ([`Host::flush_stale`]).
//!
//! # Interrupted work
//!
//! Operations on tables of level 2 to 4 spend a [`Budget`] and answer [`Stop::Again`] at its end; the same call
//! goes on. What remains after an operation has done its part (a demotion) is left over in [`Paging`];
//! [`Mmu::finish`] does it.
#![cfg_attr(not(test), no_std)]

mod base;
mod budget;
mod demotion;
mod descriptor;
mod domain_pages;
pub mod entry;
mod environment;
mod frame_table;
mod grant_entry;
mod kind;
mod page_info;
mod paging;
mod promotion;
mod reference;
mod teardown;
mod update;
mod walk;

pub use budget::{Attempt, Budget, Exhausted, Stop};
pub use descriptor::{check_descriptor, GUEST_GDT_FRAMES};
pub use domain_pages::{DomainPages, Frames};
pub use environment::{Host, IoAccess, Stale, Table, TableMemory};
pub use frame_table::{FrameTable, Freed, Sharing};
pub use page_info::{Level, PageInfo, PageType};
pub use paging::{Mmu, Paging};
pub use reference::{PageRef, WritableRef};
pub use update::{index_of, permits, EntryUpdate, Mode, Updated};
pub use walk::L1Slot;

#[cfg(test)]
mod tests;
