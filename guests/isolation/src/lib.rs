//! Guests that try to break out of, or break, what the hypervisor keeps apart, and one that
//! notices: each is a program of its own under `bin/`. Shared here: how long they run, on how
//! many vCPUs, and what they lend.
#![no_std]

pub mod lending;
pub mod schedule;
