//! A domain's grant table: what it lends to other domains, and (in [`Maptrack`]) what it has borrowed.
//!
//! A lender writes entries into frames that it shares with the hypervisor; a borrower names an entry to
//! map the frame, to copy from or to it, or to give a frame away for good. The hypervisor marks an entry
//! that is in use in the shared word, so that the lender knows when it may take it back. This crate decides
//! and counts; page references, page-table entries and TLB flushes are the caller's.
//!
//! # Two phases
//!
//! [`GrantTable::begin_map`] pins the entry, reserves a handle and says which frame. The caller references
//! the page and writes the page-table entry; then [`PendingMap::commit`] answers the handle. Dropping the
//! guard instead undoes everything. [`Maptrack::begin_unmap`] takes the handle out of use; the caller
//! destroys the mapping and flushes (a batch at once); then [`Unmapping::finish`] gives the pins back.
//! Dropping that guard leaves the mapping as it was. Copies and transfers have guards of the same kind.
//!
//! # Locks
//!
//! Every operation takes `&self` and needs no lock of the caller's. A lookup locks one entry of the
//! lender's table, no more: the frames of a table only ever grow, and are found without a lock. A change
//! of the table's version, which replaces every entry, first stops new pins (they are answered
//! `GNTST_eagain`), then visits each entry's lock once. The borrower's side locks one handle, and one of
//! several lists of free handles, chosen by vCPU. The *control* lock of a table (growth, version) is
//! outside the entries' locks; no operation locks two tables, nor a table and a maptrack, at once. No
//! holder of any of these waits for another processor.
//!
//! # Untrusted memory
//!
//! The lender writes to its shared frames whenever it likes. Each field is read once for each decision,
//! after the in-use flags were set where it matters; retries are counted; a frame number read from there
//! is an allegation that the caller checks by referencing the page as the lender's.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod access;
mod active;
mod copy;
mod denied;
mod entry;
mod map;
mod maptrack;
mod table;
mod transfer;
mod unmap;
mod version;

#[cfg(test)]
mod tests;

pub use access::Usage;
pub use copy::{CopyAccess, CopyPin, TransitivePin};
pub use denied::{Denied, Granted, Status};
pub use map::{Grant, MapRequest, PendingMap};
pub use maptrack::{GrantHandle, Mapping, Maptrack};
pub use shared_page::SharedPage;
pub use table::{GrantTable, Version};
pub use transfer::TransferPin;
pub use unmap::Unmapping;
