//! Scheduling policy as pure logic: which virtual CPU runs on which physical CPU, and until when.
//!
//! A scheduler here never touches hardware. The hypervisor tells it what happened (a vCPU woke, blocked,
//! yielded; a timer fired) through [`Scheduler`], asks for a [`Decision`] on each physical CPU, and pokes
//! the physical CPUs that the scheduler names. All of one scheduler lives under one lock of the caller.
//!
//! [`FairScheduler`] stands for the policies `credit2` and `credit`, [`DeadlineScheduler`] for `rtds`,
//! [`NullScheduler`] for `null`. [`GangScheduler`] makes one of them choose for whole cores. [`Pools`] has one for each
//! pool of CPUs.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod cpu_set;
mod deadline;
mod fair;
mod gang;
mod groups;
mod null;
mod parameters;
mod policy;
mod pools;
mod slots;
#[cfg(test)]
mod tests;
mod waiting;

pub use cpu_set::{CpuId, CpuSet, MAX_CPUS};
pub use deadline::DeadlineScheduler;
pub use fair::FairScheduler;
pub use gang::GangScheduler;
pub use groups::{Granularity, Groups};
pub use null::NullScheduler;
pub use parameters::{Parameters, Server, Share, Tuning, DEFAULT_WEIGHT};
pub use policy::{Decision, DomainKey, Poke, Policy, Scheduler, VcpuKey, VcpuParameters};
pub use pools::{PoolId, PoolInfo, Pools, FIRST_POOL};
pub use slots::Slots;
pub use waiting::{CpuView, Order, Standing, SHOWN};
