//! Making a domain.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicU8};

use allocator::Claim;
use events::EventTable;
use hw::sync::SpinLock;
use hw::tlb::CpuSet;
use memory::{DomainPages, Paging, Sharing};
use spin::Once;
use vocabulary::{DomainId, Errno, Refusal, Refused};

use crate::domain::{Domain, RUNNING};
use crate::{grants, irq, machine};

/// Event channels a privileged domain may have: all the FIFO ABI has.
const PORTS_PRIVILEGED: u32 = 131_072;
/// Event channels any other domain may have at first.
const PORTS: u32 = 1024;

impl Domain {
    /// A domain without frames and vCPUs that may have `vcpus` vCPUs and `most_pages` frames.
    pub fn create(
        id: DomainId,
        privileged: bool,
        vcpus: u32,
        most_pages: u64,
    ) -> Refused<Arc<Self>> {
        let out_of_memory = Refusal::new(Errno::ENOMEM, "no memory for the domain");
        let shared_info = machine::take_own(0).ok_or(out_of_memory)?;
        machine::frames().share_with_guest(shared_info, id, Sharing::Writable)?;
        let ports = if privileged { PORTS_PRIVILEGED } else { PORTS };
        let mut pages = DomainPages::new(id);
        pages.set_max(most_pages);
        Ok(Arc::new(Self {
            id,
            privileged,
            vcpus: Once::new(),
            paging: SpinLock::new(Paging::new(id)),
            pages: SpinLock::new(pages),
            claim: SpinLock::new(Claim::none()),
            shared_info,
            events: EventTable::new(id, vcpus, ports)?,
            grants: grants::DomainGrants::new(id, vcpus)?,
            interrupts: irq::DomainInterrupts::new(privileged),
            dirty: CpuSet::new(),
            // Linux asks for writable page tables; they are always emulated.
            assists: AtomicU64::new(0),
            shutdown_code: AtomicU8::new(RUNNING),
            is_shut_down: AtomicBool::new(false),
            memory_map: SpinLock::new(Vec::new()),
            cpuid: crate::cpuid::DomainPolicy::new(),
            settings: crate::settings::Settings::new(),
        }))
    }
}
