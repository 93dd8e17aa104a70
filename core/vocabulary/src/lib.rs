//! The words every crate speaks: numbers with types, and the answer "no, because".
#![cfg_attr(not(test), no_std)]

mod deadlines;
mod numbers;
mod refusal;

pub use deadlines::earlier;
pub use numbers::{
    DomainId, Gfn, GrantRef, MachineAddr, Mfn, Nanos, Pfn, Port, VcpuId, VirtAddr, PAGE_SHIFT,
    PAGE_SIZE,
};
pub use refusal::{refuse, Refusal, Refused};
pub use xen_abi::Errno;
