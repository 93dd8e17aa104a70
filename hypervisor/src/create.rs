//! Making a domain.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicU8};

use allocator::Claim;
use events::EventTable;
use hw::sync::SpinLock;
use hw::tlb::CpuSet;
use memory::{DomainPages, Paging};
use spin::Once;
use vocabulary::{DomainId, Errno, Refusal, Refused};
use xen_abi::domctl::{Createdomain, XEN_DOMCTL_GRANT_version_mask};

use crate::domain::{life, Domain, RUNNING};
use crate::grants::{DomainGrants, GrantFrame, Limits};
use crate::{irq, schedule};

impl Domain {
    /// A domain without frames and vCPUs, as `config` asks, that may have `most_pages` frames. What `config` says was
    /// checked. ESRCH: there is no such pool of processors; ENOMEM.
    pub fn create(
        id: DomainId,
        privileged: bool,
        config: &Createdomain,
        most_pages: u64,
    ) -> Refused<Arc<Self>> {
        let shared =
            GrantFrame::share(id).ok_or(Refusal::new(Errno::ENOMEM, "no memory for the domain"))?;
        let vcpus = config.max_vcpus;
        let limits = Limits {
            frames: u32::try_from(config.max_grant_frames).unwrap_or(Limits::DEFAULT.frames),
            maptrack_frames: u32::try_from(config.max_maptrack_frames)
                .unwrap_or(Limits::DEFAULT.maptrack_frames),
            version: config.grant_opts & XEN_DOMCTL_GRANT_version_mask,
        };
        let mut pages = DomainPages::new(id);
        pages.set_max(most_pages);
        Ok(Arc::new(Self {
            id,
            privileged,
            handle: SpinLock::new(config.handle),
            config: *config,
            life: AtomicU8::new(life::ALIVE),
            pauses: AtomicU32::new(0),
            vcpus: Once::new(),
            paging: SpinLock::new(Paging::new(id)),
            pages: SpinLock::new(pages),
            claim: SpinLock::new(Claim::none()),
            shared_info: shared.number(),
            _shared: shared,
            events: EventTable::new(id, vcpus, config.max_evtchn_port)?,
            grants: DomainGrants::within(id, vcpus, limits)?,
            interrupts: irq::DomainInterrupts::new(privileged),
            dirty: CpuSet::new(),
            // Linux asks for writable page tables; they are always emulated.
            assists: AtomicU64::new(0),
            shutdown_code: AtomicU8::new(RUNNING),
            is_shut_down: AtomicBool::new(false),
            shutdown_told: AtomicBool::new(false),
            memory_map: SpinLock::new(Vec::new()),
            cpuid: crate::cpuid::DomainPolicy::new(),
            output: SpinLock::new(conring::GuestLine::new()),
            settings: crate::settings::Settings::new(),
            // Last, since whatever fails after it would have to be undone.
            scheduled_as: schedule::settings::join(config.cpupool_id)?,
        }))
    }
}
