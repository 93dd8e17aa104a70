//! `XEN_DOMCTL_createdomain`.

use core::sync::atomic::Ordering::Release;

use alloc::sync::Arc;

use vocabulary::{refuse, DomainId, Errno, Refused};
use xen_abi::arch_x86::{XEN_X86_EMU_ALL, XEN_X86_EMU_PIT, XEN_X86_MSR_RELAXED};
use xen_abi::domctl::{
    Createdomain, Domctl, XEN_DOMCTL_CDF_hap, XEN_DOMCTL_CDF_hvm, XEN_DOMCTL_CDF_iommu,
    XEN_DOMCTL_CDF_nested_virt, XEN_DOMCTL_CDF_vpmu, XEN_DOMCTL_GRANT_version_mask,
    XEN_DOMCTL_CDF_MAX, XEN_DOMCTL_IOMMU_MAX,
};
use zerocopy::{FromBytes, IntoBytes};

use crate::domain::Domain;
use crate::grants::Limits;
use crate::hypercall::{refuse as refused, Answer};
use crate::{domains, guest, heap, schedule, time_stamps, trace};

/// vCPUs a para-virtualized domain can have (Xen 4.17's `MAX_VIRT_CPUS`, which the number of event channels' vCPUs
/// follows).
const MOST_VCPUS: u32 = 8192;
/// Heap that a domain needs besides its vCPUs, generously.
const HEAP_BYTES: usize = 64 << 10;
/// Heap that each of its announced vCPUs needs from the beginning (its event queues and list of grant handles).
const HEAP_BYTES_OF_VCPU: usize = 1 << 10;

/// Makes a domain, paused, without memory and vCPUs. The caller holds the control plane's lock.
pub fn create(structure: u64, mut frame: Domctl) -> Answer {
    let Ok((config, _)) = Createdomain::read_from_prefix(frame.u.as_bytes()) else {
        return refused(Errno::EINVAL, "the request is too short");
    };
    let id = domains::free_id(DomainId(frame.domain))?;
    check(&config)?;
    check_grants(&config)?;
    heap::make_room(HEAP_BYTES + config.max_vcpus as usize * HEAP_BYTES_OF_VCPU)?;
    let domain = Domain::create(id, false, &config, 0)?;
    domain.pauses.store(1, Release);
    frame.domain = id.0;
    let told = time_stamps::begin(&domain)
        .and_then(|()| domains::insert(Arc::clone(&domain)))
        .and_then(|()| guest::write(structure, &frame));
    // The toolstack could not name a domain whose number it was not told.
    if let Err(refusal) = told {
        domains::remove(id);
        schedule::settings::leave(id, domain.scheduled_as);
        return Err(refusal.into());
    }
    trace::note(trace::event::DOMAIN_ADDED, &[u32::from(id.0)]);
    Ok(0)
}

/// What Xen 4.17 checks of a para-virtualized domain's configuration, on a machine without its optional parts.
fn check(config: &Createdomain) -> Refused<()> {
    let flags = config.flags;
    if flags & !(XEN_DOMCTL_CDF_MAX | (XEN_DOMCTL_CDF_MAX - 1)) != 0 {
        return refuse(Errno::EINVAL, "the domain's flags are not known");
    }
    if config.grant_opts & !XEN_DOMCTL_GRANT_version_mask != 0 {
        return refuse(Errno::EINVAL, "the grant options are not known");
    }
    if config.max_vcpus < 1 {
        return refuse(Errno::EINVAL, "a domain has a vCPU at least");
    }
    if flags & XEN_DOMCTL_CDF_hvm != 0 {
        return refuse(Errno::EINVAL, "there are para-virtualized domains only yet");
    }
    if flags & (XEN_DOMCTL_CDF_hap | XEN_DOMCTL_CDF_nested_virt) != 0 {
        return refuse(Errno::EINVAL, "nested paging is for HVM domains");
    }
    // A domain that may be given devices. They reach all memory: there is no I/O MMU to keep them from it.
    let may_have_devices = flags & XEN_DOMCTL_CDF_iommu != 0;
    let known = if may_have_devices {
        XEN_DOMCTL_IOMMU_MAX
    } else {
        0
    };
    if config.iommu_opts & !known != 0 {
        return refuse(Errno::EINVAL, "the options of an I/O MMU are not known");
    }
    if config.vmtrace_size != 0 {
        return refuse(Errno::EINVAL, "the processors cannot trace domains");
    }
    if flags & XEN_DOMCTL_CDF_vpmu != 0 {
        return refuse(Errno::EINVAL, "guests have no performance counters");
    }
    if config.max_vcpus > MOST_VCPUS {
        return refuse(Errno::EINVAL, "so many vCPUs no domain can have");
    }
    if config.arch.misc_flags & !XEN_X86_MSR_RELAXED != 0 {
        return refuse(Errno::EINVAL, "the processor's flags are not known");
    }
    let emulated = config.arch.emulation_flags;
    if emulated & !XEN_X86_EMU_ALL != 0 {
        return refuse(Errno::EINVAL, "the emulated devices are not known");
    }
    if emulated != 0 && emulated != XEN_X86_EMU_PIT {
        return refuse(
            Errno::EOPNOTSUPP,
            "a para-virtualized domain has no such emulated devices",
        );
    }
    Ok(())
}

fn check_grants(config: &Createdomain) -> Refused<()> {
    let most = Limits::DEFAULT;
    let version = config.grant_opts & XEN_DOMCTL_GRANT_version_mask;
    if version == 0 || version > most.version {
        return refuse(Errno::EINVAL, "there is no such version of grant tables");
    }
    let is_too_much = |wanted: i32, most: u32| u32::try_from(wanted).is_ok_and(|n| n > most);
    if config.max_grant_frames == 0
        || is_too_much(config.max_grant_frames, most.frames)
        || is_too_much(config.max_maptrack_frames, most.maptrack_frames)
    {
        return refuse(
            Errno::EINVAL,
            "the limits of grants are beyond what the host allows",
        );
    }
    Ok(())
}
