//! `GNTTABOP_swap_grant_ref`: two entries of the caller's own table change places.

use core::mem::offset_of;

use vocabulary::GrantRef;
use xen_abi::grant_table::GnttabSwapGrantRef as Request;

use super::{each, status_of};
use crate::guest;
use crate::hypercall::{Answer, Arguments};
use crate::vcpu::Vcpu;

const STATUS: u64 = offset_of!(Request, status) as u64;

/// Swaps for each structure.
pub fn run(vcpu: &Vcpu, arguments: &mut Arguments, count: u32) -> Answer {
    let table = &vcpu.domain.grants.table;
    each::<Request>(arguments, count, |at| {
        let request = guest::read::<Request>(at)?;
        let swapped = table.swap(GrantRef(request.ref_a), GrantRef(request.ref_b));
        let status = status_of(vcpu, "swap", &swapped);
        guest::write(at.wrapping_add(STATUS), &status)
    })
}
