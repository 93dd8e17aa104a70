//! A domain: what it owns and what it may do.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64, AtomicU8,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

use allocator::Claim;
use conring::GuestLine;
use events::EventTable;
use hw::sync::SpinLock;
use hw::tlb::CpuSet;
use hw::vcpu::VcpuContext;
use memory::{DomainPages, Paging};
use sched::DomainKey;
use spin::Once;
use vocabulary::{DomainId, Mfn, VcpuId};
use xen_abi::domctl::Createdomain;
use xen_abi::memory::E820Entry;
use xen_abi::xen::VMASST_TYPE_architectural_iopl;

use crate::event_pages::EventPage;
use crate::grants::GrantFrame;
use crate::levels;
use crate::vcpu::Vcpu;

/// A domain's way to one of its vCPUs. The scheduler owns vCPUs and a vCPU owns its domain; this reference is weak,
/// so that the three do not keep each other alive.
pub struct VcpuLink {
    /// What a sender of events touches, without a count of references.
    pub context: Arc<VcpuContext>,
    /// The vCPU.
    pub vcpu: Weak<Vcpu>,
}

/// Where a domain is in its life (`Domain::life`).
pub mod life {
    /// It lives.
    pub const ALIVE: u8 = 0;
    /// It is being destroyed.
    pub const DYING: u8 = 1;
    /// It is destroyed, and only waits for others to let go of its frames.
    pub const DEAD: u8 = 2;
}

/// A domain.
pub struct Domain {
    /// Its number.
    pub id: DomainId,
    /// Whether it is the hardware and control domain.
    pub privileged: bool,
    /// What its creator asked for.
    pub config: Createdomain,
    /// The toolstack's name for it.
    pub handle: SpinLock<[u8; 16], { levels::VCPU }>,
    /// Its name in the scheduler.
    pub scheduled_as: DomainKey,
    /// Where it is in its life ([`life`]).
    pub life: AtomicU8,
    /// How many of the toolstack's pauses are in force.
    pub pauses: AtomicU32,
    /// Its virtual processors, given once.
    pub vcpus: Once<Vec<VcpuLink>>,
    /// Page-table state; holding the lock is what lets tables change.
    pub paging: SpinLock<Paging, { levels::PAGING }>,
    /// Its frames and how many it may have.
    pub pages: SpinLock<DomainPages, { levels::PAGE_LIST }>,
    /// Free frames that are set aside for it (`XENMEM_claim_pages`).
    pub claim: SpinLock<Claim, { levels::CLAIM }>,
    /// The frame of `shared_info`.
    pub shared_info: Mfn,
    /// What keeps that frame.
    pub _shared: GrantFrame,
    /// Event channels.
    pub events: EventTable<EventPage>,
    /// Grant table.
    pub grants: crate::grants::DomainGrants,
    /// Physical interrupts bound to it.
    pub interrupts: crate::irq::DomainInterrupts,
    /// Processors that may hold translations of its tables.
    pub dirty: CpuSet,
    /// `vm_assist` bits in force; changed by [`Domain::set_assists`].
    pub assists: AtomicU64,
    /// Why it shut down (`SHUTDOWN_*`), or 0xff while it runs.
    pub shutdown_code: AtomicU8,
    /// It is shut down or crashed: its vCPUs run no more.
    pub is_shut_down: AtomicBool,
    /// Its shutdown is complete (no vCPU runs any more) and was told to the control domain.
    pub shutdown_told: AtomicBool,
    /// The map of its memory that `XENMEM_set_memory_map` gave it; empty without one.
    pub memory_map: SpinLock<Vec<E820Entry>, { levels::VCPU }>,
    /// What CPUID tells it.
    pub cpuid: crate::cpuid::DomainPolicy,
    /// The line of console output that it has begun.
    pub output: SpinLock<GuestLine, { levels::VCPU }>,
    /// What else the toolstack set.
    pub settings: crate::settings::Settings,
}

/// `shutdown_code` of a domain that runs.
pub const RUNNING: u8 = 0xff;

impl Domain {
    #[inline]
    fn links(&self) -> &[VcpuLink] {
        self.vcpus.get().map_or(&[], Vec::as_slice)
    }

    /// Its vCPUs by rising number; none before they are given.
    pub fn vcpus(&self) -> impl Iterator<Item = Arc<Vcpu>> + '_ {
        self.links().iter().filter_map(|link| link.vcpu.upgrade())
    }

    /// One of its vCPUs.
    #[inline]
    pub fn vcpu(&self, id: VcpuId) -> Option<Arc<Vcpu>> {
        self.links().get(id.0 as usize)?.vcpu.upgrade()
    }

    /// What the entry code and senders of events know of one of its vCPUs.
    #[inline]
    pub fn context(&self, id: VcpuId) -> Option<&VcpuContext> {
        Some(&self.links().get(id.0 as usize)?.context)
    }

    /// How many vCPUs it was given.
    pub fn vcpu_count(&self) -> usize {
        self.links().len()
    }

    /// Whether its destruction has begun.
    #[inline]
    pub fn is_dying(&self) -> bool {
        self.life.load(Acquire) != life::ALIVE
    }

    /// Whether the whole of it may not run, whatever its vCPUs want.
    #[inline]
    pub fn is_held(&self) -> bool {
        self.is_shut_down() || self.pauses.load(Acquire) != 0 || self.is_dying()
    }

    /// Whether an assist (`VMASST_TYPE_*`) is on.
    #[inline]
    pub fn assists(&self, kind: u32) -> bool {
        self.assists.load(Relaxed) >> kind & 1 != 0
    }

    /// Sets which assists are on: those of `set`, and of the others those that are not in `clear`.
    pub fn set_assists(&self, set: u64, clear: u64) {
        self.assists.fetch_and(!clear, AcqRel);
        self.assists.fetch_or(set, AcqRel);
        // What the entry code knows of them.
        let sets_iopl = u8::from(self.assists(VMASST_TYPE_architectural_iopl));
        for link in self.links() {
            link.context.iret_sets_iopl.store(sets_iopl, Relaxed);
        }
    }

    /// Stops the domain for good with a reason (`SHUTDOWN_*`). Says whether it ran until now.
    pub fn mark_shut_down(&self, code: u8) -> bool {
        // A reason that the domain gave before (`SCHEDOP_shutdown_code`) is the one that counts.
        let _ = self
            .shutdown_code
            .compare_exchange(RUNNING, code, AcqRel, Relaxed);
        !self.is_shut_down.swap(true, AcqRel)
    }

    /// It is shut down no more: it was only suspended.
    pub fn revive(&self) {
        self.shutdown_code.store(RUNNING, Release);
        self.shutdown_told.store(false, Release);
        self.is_shut_down.store(false, Release);
    }

    /// Whether the domain is shut down.
    #[inline]
    pub fn is_shut_down(&self) -> bool {
        self.is_shut_down.load(Acquire)
    }
}
