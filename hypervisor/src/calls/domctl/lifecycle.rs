//! Small operations of `domctl` on a domain's life: pausing, resuming after a suspend, its vCPUs, its limits, its name.

use core::sync::atomic::Ordering::{AcqRel, Acquire, Release};

use memory::Attempt;
use vocabulary::{refuse, Errno, Refused};
use xen_abi::domctl::{MaxMem, MaxVcpus, Setdomainhandle};

use super::Request;
use crate::domain::Domain;
use crate::{heap, schedule, vcpus};

/// The most pauses of the toolstack's that are counted.
const MOST_PAUSES: u32 = i32::MAX as u32;
/// The most frames a domain can be allowed (the count has 32 bits).
const MOST_FRAMES: u64 = u32::MAX as u64 - 1;

fn not_own(request: &Request<'_>) -> Refused<()> {
    if request.is_own() {
        refuse(Errno::EINVAL, "a domain does not do this to itself")
    } else {
        Ok(())
    }
}

/// Waits until no vCPU of a domain runs, which something keeps from running.
pub fn wait_until_stopped(domain: &Domain) {
    schedule::review_domain(domain);
    for vcpu in domain.vcpus() {
        schedule::wait_until_stopped(&vcpu);
    }
}

/// `XEN_DOMCTL_pausedomain`: returns when no vCPU runs any more. EINVAL: the caller's own; EOVERFLOW: too often.
pub fn pause(request: &mut Request<'_>) -> Attempt<u64> {
    not_own(request)?;
    let pauses = &request.domain.pauses;
    let more = |count: u32| (count < MOST_PAUSES).then(|| count + 1);
    if pauses.fetch_update(AcqRel, Acquire, more).is_err() {
        return Ok(refuse(Errno::EOVERFLOW, "the domain was paused too often")?);
    }
    wait_until_stopped(&request.domain);
    Ok(0)
}

/// `XEN_DOMCTL_unpausedomain`. EINVAL: it is not paused.
pub fn unpause(request: &mut Request<'_>) -> Attempt<u64> {
    let less = |count: u32| count.checked_sub(1);
    if request
        .domain
        .pauses
        .fetch_update(AcqRel, Acquire, less)
        .is_err()
    {
        return Ok(refuse(Errno::EINVAL, "the domain is not paused")?);
    }
    request.domain.settings.has_run.store(true, Release);
    schedule::review_domain(&request.domain);
    Ok(0)
}

/// `XEN_DOMCTL_resumedomain`: a domain that shut down (to be suspended) runs on. EINVAL: the caller's own.
pub fn resume(request: &mut Request<'_>) -> Attempt<u64> {
    not_own(request)?;
    request.domain.revive();
    schedule::review_domain(&request.domain);
    Ok(0)
}

/// `XEN_DOMCTL_max_vcpus`: makes the vCPUs, as many as were announced. EINVAL: another number, or the caller's own.
/// ENOMEM.
pub fn make_vcpus(request: &mut Request<'_>) -> Attempt<u64> {
    not_own(request)?;
    let MaxVcpus { max } = request.part()?;
    if max != request.domain.config.max_vcpus {
        return Ok(refuse(
            Errno::EINVAL,
            "the domain was made for another number of vCPUs",
        )?);
    }
    if request.domain.is_dying() {
        return Ok(refuse(Errno::EINVAL, "the domain is dying")?);
    }
    if request.domain.vcpu_count() == 0 {
        heap::make_room(max as usize * vcpus::HEAP_BYTES)?;
        vcpus::create_all(&request.domain, max)?;
        crate::placement::follow(&request.domain);
    }
    Ok(0)
}

/// `XEN_DOMCTL_max_mem`: what it has beyond the new limit stays.
pub fn limit_memory(request: &mut Request<'_>) -> Attempt<u64> {
    let MaxMem { max_memkb } = request.part()?;
    let frames = (max_memkb >> 2).min(MOST_FRAMES);
    request.domain.pages.lock().set_max(frames);
    Ok(0)
}

/// `XEN_DOMCTL_setdomainhandle`.
pub fn set_handle(request: &mut Request<'_>) -> Attempt<u64> {
    let Setdomainhandle { handle } = request.part()?;
    *request.domain.handle.lock() = handle;
    Ok(0)
}
