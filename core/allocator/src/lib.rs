//! (being written)
#![cfg_attr(not(test), no_std)]
mod links;
pub use links::{FrameLinks, FrameState, FrameUse, FreeLink, NO_FRAME};
