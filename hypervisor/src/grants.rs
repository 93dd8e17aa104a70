//! A domain's grant table and what it borrowed, with the frames that it shares with the hypervisor.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use grants::{GrantHandle, GrantTable, Granted, Maptrack};
use hw::sync::SpinLock;
use memory::{Attempt, Budget, Host, Sharing};
use vocabulary::{DomainId, Mfn, Refused, VcpuId};

use crate::calls::grants::{Held, Lenders};
use crate::domain::Domain;
use crate::machine::{self, Machine};
use crate::shared_page::{Hold, Words};
use crate::{heap, levels, teardown};

/// How much a domain may lend and borrow, as its creator says.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Frames its grant table may have (`max_grant_frames`).
    pub frames: u32,
    /// Frames of handles it may use, 256 each (`max_maptrack_frames`).
    pub maptrack_frames: u32,
    /// The highest version its table may have, 1 or 2 (`grant_opts`, low four bits).
    pub version: u32,
}

impl Limits {
    /// Xen's defaults.
    pub const DEFAULT: Self = Self {
        frames: 64,
        maptrack_frames: 1024,
        version: 2,
    };
}

/// A frame of a grant table: the hypervisor's own, shared writable with the domain.
pub type GrantFrame = Words<LentFrame>;

/// The hypervisor's hold on such a frame.
#[derive(Debug)]
pub struct LentFrame(Mfn);

impl Hold for LentFrame {
    #[inline]
    fn frame(&self) -> Mfn {
        self.0
    }
}

impl Drop for LentFrame {
    /// The table's domain is gone. Whoever has the frame mapped keeps it until then.
    fn drop(&mut self) {
        if let Some(freed) = machine::frames().end_share(self.0, hw::tlb::stamp()) {
            Machine.free(freed);
        }
    }
}

impl GrantFrame {
    /// Takes a zeroed frame and shares it with `domain`.
    pub fn share(domain: DomainId) -> Option<Self> {
        let frame = machine::take_own(0)?;
        if machine::frames()
            .share_with_guest(frame, domain, Sharing::Writable)
            .is_err()
        {
            machine::give_back_own(frame);
            return None;
        }
        Some(Self(LentFrame(frame)))
    }

    /// Its number. Whoever is told it maps it as the domain's.
    pub fn number(&self) -> Mfn {
        self.0.frame()
    }
}

/// What a domain lends and has borrowed.
pub struct DomainGrants {
    /// What it lends.
    pub table: GrantTable<GrantFrame>,
    /// What it has borrowed.
    pub borrowed: Maptrack<GrantFrame>,
    /// Held around what grows the table or changes its version: frames that are taken meanwhile may wait for other
    /// processors to flush, and one that waits for the table's own lock would not answer.
    shape: SpinLock<(), { levels::GRANT_SHAPE }>,
    /// The highest version that `set_version` may choose.
    pub highest_version: u32,
    /// Numbers of handles that [`release_maps`] has been through.
    released: AtomicU32,
}

impl DomainGrants {
    /// Nothing lent, nothing borrowed, within limits. EINVAL beyond what there are references for, ENOMEM.
    pub fn within(domain: DomainId, vcpus: u32, limits: Limits) -> Refused<Self> {
        Ok(Self {
            table: GrantTable::new(domain, limits.frames)?,
            borrowed: Maptrack::new(domain, vcpus, limits.maptrack_frames)?,
            shape: SpinLock::new(()),
            highest_version: limits.version,
            released: AtomicU32::new(0),
        })
    }

    /// Whether nobody holds anything that the domain lent. Only then may a dying domain's number be used again:
    /// handles of others still name it.
    pub fn is_idle(&self) -> bool {
        self.table.is_idle()
    }

    /// [`GrantTable::grow`] with frames for `domain`, whose table it is.
    pub fn grow(&self, domain: DomainId, frames: u32) -> Granted<()> {
        heap::growing(|| {
            let _shape = self.shape.lock();
            self.table.grow(frames, || GrantFrame::share(domain))
        })
    }

    /// [`GrantTable::set_version`] with frames for `domain`, whose table it is.
    pub fn set_version(&self, domain: DomainId, version: u32) -> Refused<()> {
        heap::growing(|| {
            let _shape = self.shape.lock();
            self.table
                .set_version(version, || GrantFrame::share(domain))
        })
    }
}

/// What a mapping of another's grant takes of the heap.
pub const BYTES_PER_HANDLE: usize = Maptrack::<GrantFrame>::BYTES_PER_HANDLE;

/// Ends everything that a dying domain has borrowed: handles, devices' references, and the marks in the lenders'
/// tables. None of its vCPUs runs any more. References of mappings for the processor belong to its page tables
/// and go with those: call this after [`Mmu::relinquish`](memory::Mmu::relinquish), so that a lender who sees its
/// entry unmarked has the page to itself. [`Stop::Again`](memory::Stop::Again): call again to go on.
pub fn release_maps(domain: &Domain, budget: &mut Budget) -> Attempt<()> {
    let borrowed = &domain.grants.borrowed;
    let mut lenders = Lenders::default();
    for number in domain.grants.released.load(Relaxed)..borrowed.numbers() {
        budget.check()?;
        if let Some(handle) = borrowed.mapping_at(number) {
            release(borrowed, handle, &mut lenders);
            budget.charge(8);
        }
        budget.charge(1);
        domain.grants.released.store(number + 1, Relaxed);
    }
    Ok(())
}

/// Ends one mapping of a domain that runs no more, so that nobody else does.
fn release(borrowed: &Maptrack<GrantFrame>, handle: GrantHandle, lenders: &mut Lenders) {
    let Ok(unmapping) = borrowed.begin_unmap(VcpuId(0), handle, true, true) else {
        return;
    };
    let mapping = unmapping.mapping();
    if unmapping.device() {
        Held::give_back_kept(mapping.frame, mapping.writable);
    }
    let lender = lenders.find(mapping.lender).ok();
    unmapping.finish(lender.map(|lender| &lender.grants.table));
    if let Some(lender) = lender {
        teardown::try_bury(lender);
    }
}
