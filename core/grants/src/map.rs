//! Mapping an entry: from a request to a handle, in two phases.

use vocabulary::{DomainId, Gfn, GrantRef, Mfn, VcpuId};

use crate::access::{Pin, Usage};
use crate::active::Kinds;
use crate::denied::{deny, Granted, Status};
use crate::entry::Lent;
use crate::maptrack::{GrantHandle, Mapping, Maptrack, Reserved};
use crate::table::GrantTable;
use crate::SharedPage;

/// What a borrower asks for (`GNTTABOP_map_grant_ref`), its flags taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapRequest {
    /// The entry.
    pub reference: GrantRef,
    /// `GNTMAP_host_map`: into the processor's page tables.
    pub host: bool,
    /// `GNTMAP_device_map`: for devices.
    pub device: bool,
    /// `GNTMAP_readonly`.
    pub readonly: bool,
    /// `GNTMAP_contains_pte`: the host address is a page-table entry's. Only remembered, for the unmap.
    pub by_entry: bool,
}

/// What is lent: the decision that the caller turns into a page reference and page-table entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who lends, and so must own the page.
    pub owner: DomainId,
    /// The frame, in the lender's numbering, as the lender alleges it.
    pub frame: Gfn,
    /// The machine frame an earlier mapping of the entry found and that must be used again, if there is one.
    pub machine: Option<Mfn>,
    /// Whether the borrower may write.
    pub writable: bool,
    /// Cache attributes the lender asks for (`GTF_PWT`, `GTF_PCD`, `GTF_PAT`).
    pub cache: u16,
}

/// A mapping about to be made: the entry is pinned and a handle reserved. Dropping it undoes both.
#[must_use = "a pending mapping is undone when dropped"]
pub struct PendingMap<'a, F: SharedPage> {
    pin: Pin<'a, F>,
    handle: Reserved<'a, F>,
    grant: Grant,
    by_entry: bool,
}

impl<F: SharedPage> GrantTable<F> {
    /// Begins `GNTTABOP_map_grant_ref`: this is the lender's table, `maptrack` the borrower's. `vcpu` is the
    /// borrower's vCPU that asks; it only chooses a list of free handles.
    ///
    /// # Errors
    /// `BadReference`: no such entry, or neither host nor device asked for. `NoSpace`: no handle left, or
    /// held too often. `General`: the entry does not lend that to the borrower. `Again`: the lender
    /// changes its table's version.
    #[inline(always)]
    pub fn begin_map<'a>(
        &'a self,
        maptrack: &'a Maptrack<F>,
        vcpu: VcpuId,
        request: MapRequest,
    ) -> Granted<PendingMap<'a, F>> {
        let kinds = Kinds {
            host: request.host,
            device: request.device,
        };
        if kinds == Kinds::default() {
            return deny(
                Status::BadReference,
                "a grant is mapped for the host or for devices",
            );
        }
        let handle = maptrack.reserve(vcpu)?;
        let write = !request.readonly;
        let pin = self.pin(
            maptrack.domain(),
            request.reference,
            kinds,
            write,
            Usage::Map,
        )?;
        let Lent::Frame(frame) = pin.terms.lent else {
            return deny(Status::General, "only whole frames are mapped");
        };
        let grant = Grant {
            owner: self.domain(),
            frame,
            machine: pin.machine(),
            writable: write,
            cache: pin.terms.cache,
        };
        Ok(PendingMap {
            pin,
            handle,
            grant,
            by_entry: request.by_entry,
        })
    }
}

impl<F: SharedPage> PendingMap<'_, F> {
    /// What is lent.
    pub fn grant(&self) -> Grant {
        self.grant
    }

    /// The mapping was made, of machine frame `machine`: it counts from now on. Answers its handle.
    pub fn commit(self, machine: Mfn) -> GrantHandle {
        let Self {
            pin,
            handle,
            by_entry,
            ..
        } = self;
        let Kinds { host, device } = pin.kinds();
        let mapping = Mapping {
            lender: pin.table().domain(),
            reference: pin.reference(),
            frame: machine,
            host,
            device,
            writable: pin.is_write(),
            by_entry,
        };
        pin.into_mapping(machine);
        handle.commit(mapping)
    }

    /// The mapping could not be made: unpins the entry and frees the handle, as dropping does.
    pub fn abort(self) {}
}
