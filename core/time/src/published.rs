//! What a vCPU's `vcpu_time_info` says, and the version counter under which records of time are changed.

use vocabulary::Nanos;

use crate::TscScale;

/// `flags` bit: the clock is the same on all vCPUs, so guests need not compare them (public `xen.h`).
pub const TSC_STABLE: u8 = 1 << 0;
/// `flags` bit: the host stopped the guest, so a soft-lockup watchdog should forgive (public `xen.h`).
pub const GUEST_STOPPED: u8 = 1 << 1;

/// The fields of `vcpu_time_info` beside its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeFields {
    /// The TSC, as the guest reads it, at `system_time`.
    pub tsc_timestamp: u64,
    /// Nanoseconds since boot.
    pub system_time: Nanos,
    /// `tsc_to_system_mul` and `tsc_shift`.
    pub scale: TscScale,
    /// [`TSC_STABLE`] and [`GUEST_STOPPED`].
    pub flags: u8,
}

/// A record that guests read while it changes: they retry while its version is odd or has moved.
///
/// Stores must become visible to the guest in the order of the calls (on x86 plain stores do; the
/// implementation must keep the compiler from reordering them).
pub trait VersionedRecord {
    /// The fields beside the version.
    type Fields;
    /// Why a store could not be done.
    type Fault;
    /// Stores the version.
    fn store_version(&mut self, version: u32) -> Result<(), Self::Fault>;
    /// Stores the other fields, in any order.
    fn store_fields(&mut self, fields: &Self::Fields) -> Result<(), Self::Fault>;
}

/// The version counter of one record, kept by the hypervisor: what a guest writes there counts for nothing.
/// It is even between updates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version(u32);

impl Version {
    /// The counter of a record whose version reads `stored` now; an odd number is rounded up.
    pub const fn continuing(stored: u32) -> Self {
        Self(stored.wrapping_add(stored & 1))
    }

    /// The version of the latest complete update.
    pub const fn current(self) -> u32 {
        self.0
    }

    /// Changes a record: odd version, fields, next even version. The version moves on even where a store
    /// fails, so that the next update cannot be mistaken for this one.
    pub fn publish<R: VersionedRecord>(
        &mut self,
        record: &mut R,
        fields: &R::Fields,
    ) -> Result<(), R::Fault> {
        let changing = self.0.wrapping_add(1);
        self.0 = self.0.wrapping_add(2);
        record.store_version(changing)?;
        record.store_fields(fields)?;
        record.store_version(self.0)
    }
}
