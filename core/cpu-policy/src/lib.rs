//! What CPUID tells a para-virtualized guest, from one table of features ([`rows`]).
//!
//! A [`Policy`] is made once per kind of guest from the host's own answers and the hypervisor's abilities ([`Offer`]), and
//! then answers [`Policy::cpuid`] without asking the processor again. Leaves that are not named in this crate read as zero.
#![cfg_attr(not(test), no_std)]

mod hypervisor;
mod leaves;
mod policy;
mod records;
mod table;
mod xstate;

#[cfg(test)]
mod tests;

pub use hypervisor::{Platform, TscMode, FIRST_LEAF};
pub use leaves::{Entry, Leaf, MOST_ENTRIES};
pub use policy::{GuestKind, GuestView, Offer, Policy, Vendor};
pub use records::{check_register, of_host, PolicyError, Records, MOST_RECORDS, MSRS};
pub use table::{
    feature, rows, Feature, FeatureSet, Need, Output, Row, Show, WordPlace, PLACES, WORDS,
};
pub use xstate::{component, XState};
