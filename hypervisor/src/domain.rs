//! A domain: what it owns and what it may do.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{
    AtomicBool, AtomicU64, AtomicU8,
    Ordering::{Acquire, Relaxed, Release},
};

use allocator::Claim;
use events::EventTable;
use hw::sync::SpinLock;
use hw::tlb::CpuSet;
use memory::{DomainPages, Paging};
use spin::Once;
use vocabulary::{DomainId, Mfn, VcpuId};
use xen_abi::memory::E820Entry;

use crate::event_pages::EventPage;
use crate::levels;
use crate::vcpu::Vcpu;

/// A domain.
pub struct Domain {
    /// Its number.
    pub id: DomainId,
    /// Whether it is the hardware and control domain.
    pub privileged: bool,
    /// Its virtual processors, given once.
    pub vcpus: Once<Vec<Arc<Vcpu>>>,
    /// Page-table state; holding the lock is what lets tables change.
    pub paging: SpinLock<Paging, { levels::PAGING }>,
    /// Its frames and how many it may have.
    pub pages: SpinLock<DomainPages, { levels::PAGE_LIST }>,
    /// Free frames that are set aside for it (`XENMEM_claim_pages`).
    pub claim: SpinLock<Claim, { levels::CLAIM }>,
    /// The frame of `shared_info`.
    pub shared_info: Mfn,
    /// Event channels.
    pub events: EventTable<EventPage>,
    /// Grant table.
    pub grants: crate::grants::DomainGrants,
    /// Physical interrupts bound to it.
    pub interrupts: crate::irq::DomainInterrupts,
    /// Processors that may hold translations of its tables.
    pub dirty: CpuSet,
    /// `vm_assist` bits in force.
    pub assists: AtomicU64,
    /// Why it shut down (`SHUTDOWN_*`), or 0xff while it runs.
    pub shutdown_code: AtomicU8,
    /// It is shut down or crashed: its vCPUs run no more.
    pub is_shut_down: AtomicBool,
    /// The map of its memory that `XENMEM_set_memory_map` gave it; empty without one.
    pub memory_map: SpinLock<Vec<E820Entry>, { levels::VCPU }>,
    /// What CPUID tells it.
    pub cpuid: crate::cpuid::DomainPolicy,
    /// What else the toolstack set.
    pub settings: crate::settings::Settings,
}

/// `shutdown_code` of a domain that runs.
pub const RUNNING: u8 = 0xff;

impl Domain {
    /// Its vCPUs; empty before they are given.
    #[inline]
    pub fn vcpus(&self) -> &[Arc<Vcpu>] {
        self.vcpus.get().map_or(&[], Vec::as_slice)
    }

    /// One of its vCPUs.
    #[inline]
    pub fn vcpu(&self, id: VcpuId) -> Option<&Arc<Vcpu>> {
        self.vcpus().get(id.0 as usize)
    }

    /// Whether an assist (`VMASST_TYPE_*`) is on.
    #[inline]
    pub fn assists(&self, kind: u32) -> bool {
        self.assists.load(Relaxed) >> kind & 1 != 0
    }

    /// Stops the domain for good with a reason (`SHUTDOWN_*`). Says whether it ran until now.
    pub fn mark_shut_down(&self, code: u8) -> bool {
        if self.is_shut_down.swap(true, Release) {
            return false;
        }
        self.shutdown_code.store(code, Release);
        true
    }

    /// Whether the domain is shut down.
    #[inline]
    pub fn is_shut_down(&self) -> bool {
        self.is_shut_down.load(Acquire)
    }
}
