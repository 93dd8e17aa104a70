//! `XEN_DOMCTL_getdomaininfo`: what a domain is and does.

use alloc::sync::Arc;
use core::sync::atomic::Ordering::Acquire;

use vocabulary::{DomainId, Errno};
use xen_abi::domctl::{
    Domctl, Getdomaininfo, XEN_DOMCTL_CDF_xs_domain, XEN_DOMINF_blocked, XEN_DOMINF_dying,
    XEN_DOMINF_paused, XEN_DOMINF_running, XEN_DOMINF_shutdown, XEN_DOMINF_shutdownshift,
    XEN_DOMINF_xs_domain, XEN_INVALID_MAX_VCPU_ID,
};
use xen_abi::vcpu::RUNSTATE_running;
use zerocopy::{FromZeros, IntoBytes};

use crate::domain::{life, Domain, RUNNING};
use crate::domains::{self, FIRST_RESERVED};
use crate::hypercall::{refuse, Answer};
use crate::{guest, schedule};

/// The CPUID leaf whose lowest byte is the width of machine addresses.
const ADDRESS_WIDTH: u32 = 0x8000_0008;

/// Answers for the domain that the request names (`named`) or, where there is none, the next higher. EINVAL: the
/// number is not a domain's; ESRCH: there is none so high.
pub fn get(structure: u64, mut frame: Domctl, named: Option<Arc<Domain>>) -> Answer {
    let found = match named {
        Some(domain) => Some(domain),
        None if frame.domain >= FIRST_RESERVED => {
            return refuse(Errno::EINVAL, "the number is not a domain's");
        }
        None => domains::next(DomainId(frame.domain)),
    };
    let Some(domain) = found else {
        return refuse(
            Errno::ESRCH,
            "there is no domain of that or a higher number",
        );
    };
    frame.domain = domain.id.0;
    if of(&domain).write_to_prefix(frame.u.as_mut_bytes()).is_err() {
        return refuse(Errno::EINVAL, "the request has no room for the answer");
    }
    guest::write(structure, &frame)?;
    Ok(0)
}

/// What is to be told of a domain.
pub fn of(domain: &Domain) -> Getdomaininfo {
    let mut info = Getdomaininfo::new_zeroed();
    info.domain = domain.id.0;
    info.max_vcpu_id = XEN_INVALID_MAX_VCPU_ID;
    info.flags = flags_of_vcpus(domain, &mut info) | flags_of_domain(domain);
    let pages = domain.pages.lock();
    info.tot_pages = pages.total();
    info.max_pages = pages.max();
    drop(pages);
    info.outstanding_pages = domain.claim.lock().outstanding();
    info.shared_info_frame = domain.shared_info.0;
    info.ssidref = domain.config.ssidref;
    info.handle = *domain.handle.lock();
    info.cpupool = schedule::settings::pool(domain);
    info.gpaddr_bits = hw::cpu::cpuid(ADDRESS_WIDTH, 0)[0] as u8;
    info.arch_config = domain.config.arch;
    info
}

fn flags_of_vcpus(domain: &Domain, info: &mut Getdomaininfo) -> u32 {
    let mut flags = XEN_DOMINF_blocked;
    for vcpu in domain.vcpus() {
        let [ran, ..] = schedule::runstate(&vcpu).time;
        info.cpu_time = info.cpu_time.saturating_add(ran);
        info.max_vcpu_id = vcpu.id.0;
        if !vcpu.is_up.load(Acquire) {
            continue;
        }
        info.nr_online_vcpus += 1;
        if !vcpu.waiting.is_on() {
            flags &= !XEN_DOMINF_blocked;
        }
        if vcpu.is_running.load(Acquire) {
            flags |= XEN_DOMINF_running;
        }
    }
    if info.nr_online_vcpus == 0 {
        return 0;
    }
    flags
}

fn flags_of_domain(domain: &Domain) -> u32 {
    let code = domain.shutdown_code.load(Acquire);
    // The upper half of a domain that runs is all ones.
    let reason = if code == RUNNING {
        u32::MAX
    } else {
        u32::from(code)
    };
    let mut flags = reason << XEN_DOMINF_shutdownshift;
    let states = [
        (domain.life.load(Acquire) == life::DEAD, XEN_DOMINF_dying),
        (domain.shutdown_told.load(Acquire), XEN_DOMINF_shutdown),
        (domain.pauses.load(Acquire) != 0, XEN_DOMINF_paused),
        (
            domain.config.flags & XEN_DOMCTL_CDF_xs_domain != 0,
            XEN_DOMINF_xs_domain,
        ),
    ];
    for (holds, flag) in states {
        if holds {
            flags |= flag;
        }
    }
    flags
}
const _: () = assert!(RUNSTATE_running == 0);
