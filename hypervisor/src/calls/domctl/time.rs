//! A domain's time of day and time-stamp counter.

use core::sync::atomic::Ordering::Relaxed;

use memory::Attempt;
use vocabulary::{refuse, Errno};
use xen_abi::domctl::{Settimeoffset, TscInfo};

use super::Request;
use crate::{clock, cpuid};

/// `XEN_DOMCTL_settimeoffset`.
pub fn set_offset(request: &mut Request<'_>) -> Attempt<u64> {
    let part: Settimeoffset = request.part()?;
    let offset = &request.domain.settings.time_offset;
    offset.store(part.time_offset_seconds, Relaxed);
    clock::publish_wall(&request.domain);
    Ok(0)
}

/// `XEN_DOMCTL_settscinfo`. EINVAL: the caller's own domain, or a mode that is none.
pub fn set_time_stamps(request: &mut Request<'_>) -> Attempt<u64> {
    let part: TscInfo = request.part()?;
    if request.is_own() {
        return Ok(refuse(
            Errno::EINVAL,
            "a domain does not do this to itself",
        )?);
    }
    cpuid::set_time_stamps(&request.domain, part.tsc_mode, part.incarnation)?;
    Ok(0)
}

/// `XEN_DOMCTL_gettscinfo`: the counter is the machine's. EINVAL: the caller's own domain.
pub fn time_stamps(request: &mut Request<'_>) -> Attempt<u64> {
    if request.is_own() {
        return Ok(refuse(
            Errno::EINVAL,
            "a domain does not do this to itself",
        )?);
    }
    let (mode, incarnation) = request.domain.cpuid.time_stamps();
    let rate = clock::tsc_khz();
    let ticks = u128::from(hw::cpu::time_stamp());
    let elapsed = ticks * 1_000_000 / u128::from(rate.max(1));
    request.answer(&TscInfo {
        tsc_mode: mode as u32,
        gtsc_khz: rate as u32,
        incarnation,
        pad: 0,
        elapsed_nsec: elapsed as u64,
    })?;
    Ok(0)
}
