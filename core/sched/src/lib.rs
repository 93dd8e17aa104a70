//! Scheduling policy as pure logic: which virtual CPU runs on which physical CPU, and until when.
//!
//! A scheduler here never touches hardware. The hypervisor tells it what happened (a vCPU woke, blocked,
//! yielded; a timer fired) through [`Scheduler`], asks for a [`Decision`] on each physical CPU, and pokes
//! the physical CPUs that the scheduler names. All of one scheduler lives under one lock of the caller.
//!
//! [`FairScheduler`] is the policy in use.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod balance;
mod cpu_set;
mod fair;
mod members;
mod placement;
mod policy;
#[cfg(test)]
mod tests;
mod virtual_time;

pub use cpu_set::{CpuId, CpuSet, MAX_CPUS};
pub use fair::FairScheduler;
pub use policy::{Decision, Poke, Scheduler, VcpuKey, VcpuParameters, DEFAULT_WEIGHT};
