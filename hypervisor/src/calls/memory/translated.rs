//! Operations about what translated domains have and para-virtualized ones do not (a guest-physical map, memory
//! populated on demand, virtual nodes), and which answer them so.

use vocabulary::{refuse, DomainId, Errno};
use xen_abi::memory::{
    AddToPhysmap, AddToPhysmapBatch, PodTarget, RemoveFromPhysmap, ReservedDeviceMemoryMap,
    VnumaTopologyInfo, XENMAPSPACE_gmfn_foreign, XENMEM_RDM_ALL,
};

use crate::hypercall::Answer;
use crate::vcpu::Vcpu;
use crate::{authority, guest};

/// What every attempt to change a map is told.
fn no_map() -> Answer {
    Ok(refuse(
        Errno::EACCES,
        "the domain has no guest-physical map of its own",
    )?)
}

/// `XENMEM_add_to_physmap`: a para-virtualized domain has no map to add to.
pub fn add(structure: u64, vcpu: &Vcpu) -> Answer {
    let request = guest::read::<AddToPhysmap>(structure)?;
    if request.space == XENMAPSPACE_gmfn_foreign {
        return Ok(refuse(
            Errno::ENOSYS,
            "foreign frames are added by the batch only",
        )?);
    }
    authority::existing(vcpu, DomainId(request.domid))?;
    no_map()
}

/// `XENMEM_add_to_physmap_batch`.
pub fn add_batch(structure: u64, vcpu: &Vcpu) -> Answer {
    let request = guest::read::<AddToPhysmapBatch>(structure)?;
    authority::existing(vcpu, DomainId(request.domid))?;
    no_map()
}

/// `XENMEM_remove_from_physmap`.
pub fn remove(structure: u64, vcpu: &Vcpu) -> Answer {
    let request = guest::read::<RemoveFromPhysmap>(structure)?;
    authority::target(vcpu, DomainId(request.domid))?;
    no_map()
}

/// `XENMEM_get_pod_target` and `XENMEM_set_pod_target`: nothing of a para-virtualized domain is populated on demand.
pub fn on_demand(structure: u64, vcpu: &Vcpu) -> Answer {
    let request = guest::read::<PodTarget>(structure)?;
    authority::target(vcpu, DomainId(request.domid))?;
    authority::control(vcpu)?;
    Ok(refuse(
        Errno::EINVAL,
        "the domain is not populated on demand",
    )?)
}

/// `XENMEM_get_vnumainfo`. EOPNOTSUPP: the domain has no virtual nodes, so that the guest goes on without.
pub fn virtual_nodes(structure: u64, vcpu: &Vcpu) -> Answer {
    let request = guest::read::<VnumaTopologyInfo>(structure)?;
    if request.pad != 0 {
        return Ok(refuse(Errno::EINVAL, "padding is not zero")?);
    }
    let domain = authority::target(vcpu, DomainId(request.domid))?;
    crate::virtual_nodes::tell(&domain, structure, request)?;
    Ok(0)
}

/// `XENMEM_reserved_device_memory_map`: without an I/O MMU no memory is reserved for devices.
pub fn reserved_for_devices(structure: u64) -> Answer {
    let mut request = guest::read::<ReservedDeviceMemoryMap>(structure)?;
    if request.flags & !XENMEM_RDM_ALL != 0 {
        return Ok(refuse(Errno::EINVAL, "an unknown flag")?);
    }
    request.nr_entries = 0;
    guest::write(structure, &request)?;
    Ok(0)
}
