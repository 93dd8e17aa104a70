//! What a domain may touch of the machine: ports, device memory, interrupts.

use memory::Attempt;
use ranges::RangeSet;
use vocabulary::{refuse, Errno, Mfn, Refused};
use xen_abi::domctl_device::{
    IomemPermission, IoportMapping, IoportPermission, IrqPermission, MemoryMapping,
};

use super::Request;
use crate::{devices, irq};

/// I/O ports there are.
const PORTS: u32 = 1 << 16;

/// Grants a range or takes it back.
fn change(set: &mut RangeSet, first: u64, last: u64, allow: u8) -> Refused<()> {
    if allow != 0 {
        set.insert(first, last)
    } else {
        set.remove(first, last)
    }
}

/// The first domain has what the hypervisor does not keep: that is not changed.
fn not_first(request: &Request<'_>) -> Refused<()> {
    if request.domain.privileged {
        return refuse(
            Errno::EPERM,
            "the first domain's devices are not granted to it",
        );
    }
    Ok(())
}

/// `XEN_DOMCTL_ioport_permission`. EINVAL: no such ports; EPERM: the caller has not got them itself.
pub fn ports(request: &mut Request<'_>) -> Attempt<u64> {
    let part: IoportPermission = request.part()?;
    let end = part.first_port.checked_add(part.nr_ports);
    let Some(end) = end.filter(|&end| part.nr_ports != 0 && end <= PORTS) else {
        return Ok(refuse(Errno::EINVAL, "there are 65536 ports")?);
    };
    let last = end - 1;
    let own = &request.vcpu.domain;
    if !devices::has_ports(own, part.first_port as u16, last as u16) {
        return Ok(refuse(Errno::EPERM, "the caller has not got these ports")?);
    }
    not_first(request)?;
    let mut access = request.domain.settings.access.lock();
    change(
        &mut access.ports,
        u64::from(part.first_port),
        u64::from(last),
        part.allow_access,
    )?;
    Ok(0)
}

/// The last of `count` frames from `first`. EINVAL: there are none, or not so many.
fn last_frame(first: u64, count: u64) -> Refused<u64> {
    let last = first.checked_add(count.wrapping_sub(1));
    match last.filter(|_| count != 0) {
        Some(last) => Ok(last),
        None => refuse(Errno::EINVAL, "no address reaches these frames"),
    }
}

/// `XEN_DOMCTL_iomem_permission`. EINVAL: no such frames; EPERM: the caller has not got them itself.
pub fn frames(request: &mut Request<'_>) -> Attempt<u64> {
    let part: IomemPermission = request.part()?;
    let last = last_frame(part.first_mfn, part.nr_mfns)?;
    if !devices::has_frames(&request.vcpu.domain, Mfn(part.first_mfn), Mfn(last)) {
        return Ok(refuse(Errno::EPERM, "the caller has not got these frames")?);
    }
    not_first(request)?;
    let mut access = request.domain.settings.access.lock();
    change(&mut access.frames, part.first_mfn, last, part.allow_access)?;
    drop(access);
    if part.allow_access != 0 {
        // Device memory is mapped uncached.
        request.domain.paging.lock().allow_cache_control(true);
    }
    Ok(0)
}

/// `XEN_DOMCTL_irq_permission`. EINVAL: no such number; EPERM: the caller has no interrupt of that number.
pub fn interrupts(request: &mut Request<'_>) -> Attempt<u64> {
    let part: IrqPermission = request.part()?;
    let own = &request.vcpu.domain;
    irq::check_number(own, part.pirq)?;
    if !irq::has(own, part.pirq) {
        return Ok(refuse(Errno::EPERM, "the caller has no such interrupt")?);
    }
    not_first(request)?;
    let mut access = request.domain.settings.access.lock();
    let number = u64::from(part.pirq);
    change(&mut access.interrupts, number, number, part.allow_access)?;
    Ok(0)
}

/// `XEN_DOMCTL_memory_mapping`: a PV guest maps machine frames itself, so there is nothing to do. EINVAL.
pub fn map_frames(request: &mut Request<'_>) -> Attempt<u64> {
    let part: MemoryMapping = request.part()?;
    let last = last_frame(part.first_mfn, part.nr_mfns)?;
    let end = devices::end_of_frames();
    if last >= end || part.first_gfn.checked_add(part.nr_mfns).is_none() {
        return Ok(refuse(Errno::EINVAL, "no address reaches these frames")?);
    }
    Ok(0)
}

/// `XEN_DOMCTL_ioport_mapping` is for guests with ports of their own. EOPNOTSUPP.
pub fn map_ports(request: &mut Request<'_>) -> Attempt<u64> {
    let _: IoportMapping = request.part()?;
    Ok(refuse(
        Errno::EOPNOTSUPP,
        "a PV guest has the machine's ports, not some of its own",
    )?)
}
