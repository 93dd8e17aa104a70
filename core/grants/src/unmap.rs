//! Destroying a mapping, in two phases.

use vocabulary::VcpuId;

use crate::active::Kinds;
use crate::denied::Granted;
use crate::maptrack::{GrantHandle, Mapping, Maptrack, Place};
use crate::table::GrantTable;
use crate::SharedPage;

/// A mapping about to be destroyed, out of anybody else's reach. Dropping it leaves the mapping as it was.
#[must_use = "the mapping stays unless finished"]
pub struct Unmapping<'a, F: SharedPage> {
    maptrack: &'a Maptrack<F>,
    place: Place<'a, F>,
    vcpu: VcpuId,
    mapping: Mapping,
    kinds: Kinds,
}

impl<F: SharedPage> Maptrack<F> {
    /// Begins `GNTTABOP_unmap_grant_ref` or `unmap_and_replace`: for the processor if `host` (a host
    /// address was given), for devices if `device`. What is not mapped so is ignored. `vcpu` is the
    /// borrower's vCPU that asks.
    ///
    /// # Errors
    /// `BadHandle`: no such mapping, not any more, or somebody destroys it right now.
    #[inline(always)]
    pub fn begin_unmap(
        &self,
        vcpu: VcpuId,
        handle: GrantHandle,
        host: bool,
        device: bool,
    ) -> Granted<Unmapping<'_, F>> {
        let (place, mapping) = self.take(handle)?;
        let kinds = Kinds {
            host: host && mapping.host,
            device: device && mapping.device,
        };
        Ok(Unmapping {
            maptrack: self,
            place,
            vcpu,
            mapping,
            kinds,
        })
    }
}

impl<F: SharedPage> Unmapping<'_, F> {
    /// The mapping as it was made.
    pub fn mapping(&self) -> Mapping {
        self.mapping
    }

    /// Whether the processor's mapping is to be destroyed.
    pub fn host(&self) -> bool {
        self.kinds.host
    }

    /// Whether the devices' mapping is to be destroyed.
    pub fn device(&self) -> bool {
        self.kinds.device
    }

    /// The mappings are gone, from TLBs too: gives the pins back to the lender's table (nothing, if the
    /// lender's table is gone) and the handle back, if nothing of the mapping remains.
    #[inline(always)]
    pub fn finish(self, lender: Option<&GrantTable<F>>) {
        let Self { mapping, kinds, .. } = self;
        if let Some(table) = lender {
            table.unpin(mapping.reference, kinds, mapping.writable);
        }
        let rest = Mapping {
            host: mapping.host && !kinds.host,
            device: mapping.device && !kinds.device,
            ..mapping
        };
        let rest = (rest.host || rest.device).then_some(rest);
        self.maptrack.put(&self.place, rest, self.vcpu);
        core::mem::forget(self);
    }

    /// The mappings could not be destroyed: all stays, as when dropped.
    pub fn abort(self) {}
}

impl<F: SharedPage> Drop for Unmapping<'_, F> {
    #[cold]
    fn drop(&mut self) {
        self.maptrack
            .put(&self.place, Some(self.mapping), self.vcpu);
    }
}
