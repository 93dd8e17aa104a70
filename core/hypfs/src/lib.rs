//! The hypervisor's file system (`hypfs_op`): a tree of names, whose leaves' values the caller supplies, and the way
//! entries are written down.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod listing;
mod path;
mod tree;

#[cfg(test)]
mod tests;

pub use listing::{describe, Answer};
pub use path::{path_of, MOST_PATH};
pub use tree::{find, Found, Node, Value};
