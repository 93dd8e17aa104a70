//! Guests that try to break out of, or break, what the hypervisor keeps apart, and one that
//! notices: each is a program of its own under `bin/`. Shared here: how long they run and on how
//! many vCPUs.
#![no_std]

pub mod schedule;
