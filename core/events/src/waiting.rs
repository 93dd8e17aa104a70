//! Whether a vCPU waits for an event, and who ends that.
//!
//! A wait is begun by the vCPU itself and ended by anybody, at any moment, while the vCPU may already be in its
//! next one. Two rules keep every wait from being left without somebody who ends it:
//!
//! - a poll is announced here before it is registered with its ports;
//! - whoever removes the registration ends the wait *afterwards*, and whichever wait is on then.
//!
//! So a registration that was the next poll's costs that poll an early end, which every poller must expect,
//! and never its only alarm.

use core::sync::atomic::{AtomicU32, Ordering::SeqCst};

use vocabulary::VcpuId;

use crate::{EventTable, SharedPage};

/// It does not wait.
const NOT: u32 = 0;
/// It waits for an upcall (`SCHEDOP_block`).
const BLOCKED: u32 = 1;
/// It waits for some ports, an upcall or a time (`SCHEDOP_poll`).
const POLLING: u32 = 2;

/// A vCPU's wait.
#[derive(Debug, Default)]
pub struct Waiting(AtomicU32);

impl Waiting {
    /// Of a vCPU that does not wait.
    pub const fn new() -> Self {
        Self(AtomicU32::new(NOT))
    }

    /// Whether it waits.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.0.load(SeqCst) != NOT
    }

    /// The vCPU waits for an upcall from now on. It must then look for one that came before.
    #[inline]
    pub fn block(&self) {
        self.0.store(BLOCKED, SeqCst);
    }

    /// The vCPU polls from now on. It must then register its ports ([`EventTable::poll_begin`]).
    pub fn poll(&self) {
        self.0.store(POLLING, SeqCst);
    }

    /// The vCPU itself has no reason to wait.
    #[inline]
    pub fn cancel(&self) {
        self.0.store(NOT, SeqCst);
    }

    /// Something came that ends any wait. Says whether there was one: the scheduler must then look.
    #[inline]
    pub fn end<P: SharedPage>(&self, table: &EventTable<P>, vcpu: VcpuId) -> bool {
        match self.0.load(SeqCst) {
            NOT => return false,
            BLOCKED => {}
            _ => {
                table.poll_end(vcpu);
            }
        }
        self.0.swap(NOT, SeqCst) != NOT
    }

    /// A polled event or the poll's deadline came: ends a poll, and no other wait. Says whether there was one:
    /// the scheduler must then look.
    #[inline]
    pub fn end_poll<P: SharedPage>(&self, table: &EventTable<P>, vcpu: VcpuId) -> bool {
        if self.0.load(SeqCst) != POLLING {
            return false;
        }
        // Whoever raised the event took the registration away; a deadline did not.
        if table.polls(vcpu) {
            table.poll_end(vcpu);
        }
        self.0
            .compare_exchange(POLLING, NOT, SeqCst, SeqCst)
            .is_ok()
    }
}
