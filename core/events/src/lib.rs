//! A domain's event channels: ports, what they are bound to, and how an event reaches the guest.
//!
//! One [`EventTable`] a domain holds the port state machine and both delivery ABIs (two-level bitmaps and
//! FIFO queues). It owns no guest memory: the hypervisor passes the domain's [`SharedInfo`] to every
//! operation that delivers, and gives the FIFO ABI's pages as [`SharedPage`] guards, which the table keeps
//! and drops. What has to happen outside the table comes back as [`Effect`]s.
//!
//! # Locks
//!
//! Every operation takes `&self`; the caller holds no lock of its own and needs none. Inside, from the
//! outermost to the innermost:
//!
//! 1. the table's *control* lock: binding, closing, FIFO set-up. Never taken by a send. It is held while
//!    memory is allocated, never while a page guard is dropped.
//! 2. a *port's* lock, one bit in the word that is the port's whole state. No two are ever held at once.
//! 3. an array page's reader count (FIFO only), then the *queue* locks of at most two vCPUs of one domain,
//!    in the order of their numbers.
//!
//! A send reads its own port's word without a lock and locks one port, of the receiving domain. No holder
//! of any of these waits for another processor, so spinning on them needs no attention to shoot-downs.
//!
//! # Two domains
//!
//! No operation locks two tables. A connection's two ends each name the other, and a receiver checks that
//! its end names the sender before it takes an event; so between the two halves of a bind or a close, when
//! one end is stale, events on it are dropped, which is what a closed port does. The halves are ordered so
//! that an end that lets events pass always has a living other end.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod bind;
mod channel;
mod close;
mod effects;
mod fifo;
mod number;
mod poll;
mod send;
mod shared;
#[cfg(any(test, feature = "simulated"))]
pub mod simulated;
mod slot;
mod table;
mod two_level;
mod waiting;
mod word;

#[cfg(test)]
mod tests;

pub use bind::virq_is_per_vcpu;
pub use channel::{Binding, Channel, Consumer};
pub use close::{Closed, Closer, HangUp};
pub use effects::{Effect, Effects, Forward};
pub use fifo::Expanded;
pub use number::*;
pub use poll::Polling;
pub use send::Sent;
pub use shared::{Bitmap, SharedInfo, BITMAP_WORDS};
pub use shared_page::SharedPage;
pub use table::EventTable;
pub use waiting::Waiting;
