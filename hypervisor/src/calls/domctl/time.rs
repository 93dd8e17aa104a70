//! A domain's time of day and time-stamp counter.

use core::sync::atomic::Ordering::Relaxed;

use memory::Attempt;
use vocabulary::{refuse, Errno};
use xen_abi::domctl::{Settimeoffset, TscInfo};

use super::held::HeldDomain;
use super::Request;
use crate::{clock, time_stamps};

/// `XEN_DOMCTL_settimeoffset`.
pub fn set_offset(request: &mut Request<'_>) -> Attempt<u64> {
    let part: Settimeoffset = request.part()?;
    let offset = &request.domain.settings.time_offset;
    offset.store(part.time_offset_seconds, Relaxed);
    clock::publish_wall(&request.domain);
    Ok(0)
}

/// `XEN_DOMCTL_settscinfo`. EINVAL: the caller's own domain, or a mode or a rate that is none.
pub fn set_time_stamps(request: &mut Request<'_>) -> Attempt<u64> {
    let part: TscInfo = request.part()?;
    if request.is_own() {
        return Ok(refuse(
            Errno::EINVAL,
            "a domain does not do this to itself",
        )?);
    }
    // Processors take up whether reads trap when they load a vCPU.
    let _held = HeldDomain::new(&request.domain);
    time_stamps::set(&request.domain, &part)?;
    Ok(0)
}

/// `XEN_DOMCTL_gettscinfo`. EINVAL: the caller's own domain.
pub fn time_stamps(request: &mut Request<'_>) -> Attempt<u64> {
    if request.is_own() {
        return Ok(refuse(
            Errno::EINVAL,
            "a domain does not do this to itself",
        )?);
    }
    let info = request.domain.settings.time_stamps.info();
    request.answer(&info)?;
    Ok(0)
}
