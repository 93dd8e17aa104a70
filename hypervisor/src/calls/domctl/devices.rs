//! Devices that are given to domains. `xen-pciback` gives a device's ports, frames and interrupts (see `permissions.rs`);
//! there is no I/O MMU that keeps the device from others' memory, so whoever gets one is trusted like the first domain.

use memory::Attempt;
use vocabulary::{refuse, DomainId, Errno};
use xen_abi::domctl::{
    Domctl, XEN_DOMCTL_CDF_iommu, XEN_DOMCTL_assign_device, XEN_DOMCTL_deassign_device,
};
use xen_abi::domctl_device::{AssignDevice, XEN_DOMCTL_DEV_PCI};
use zerocopy::{FromBytes, IntoBytes};

use super::Request;

/// `XEN_DOMCTL_assign_device` and `…_deassign_device`: for a domain that was made to have devices there is nothing to do
/// but to say what it means. EOPNOTSUPP: another domain, or no PCI device.
pub fn assign(request: &mut Request<'_>) -> Attempt<u64> {
    let part: AssignDevice = request.part()?;
    let may_have = request.domain.config.flags & XEN_DOMCTL_CDF_iommu != 0;
    if !may_have || part.dev != XEN_DOMCTL_DEV_PCI {
        return test();
    }
    crate::log!(
        Warning,
        "domain {} has to do with PCI device {:06x}, which reaches all memory: there is no I/O MMU",
        request.domain.id,
        part.u.first().map_or(0, |word| *word as u32) & 0xff_ffff
    );
    Ok(0)
}

/// Whether a request gives a device to nobody, or takes it from there: to `DOMID_IO`, where tools keep devices that no
/// domain has yet.
pub fn is_about_nobody(frame: &Domctl) -> bool {
    frame.domain == DomainId::IO.0
        && [XEN_DOMCTL_assign_device, XEN_DOMCTL_deassign_device].contains(&frame.cmd)
}

/// The same for nobody. Nothing is kept of who has a device, so there is nothing to do. EOPNOTSUPP: no PCI device.
pub fn assign_nobody(frame: &Domctl) -> Attempt<u64> {
    match AssignDevice::read_from_prefix(frame.u.as_bytes()) {
        Ok((part, _)) if part.dev == XEN_DOMCTL_DEV_PCI => Ok(0),
        _ => test(),
    }
}

/// `XEN_DOMCTL_test_assign_device` and `…_get_device_group`, which ask the I/O MMU. EOPNOTSUPP.
pub fn test() -> Attempt<u64> {
    Ok(refuse(Errno::EOPNOTSUPP, "no I/O MMU is in use")?)
}

/// `XEN_DOMCTL_bind_pt_irq` and `…_unbind_pt_irq`, which are for guests with emulated interrupt controllers. EINVAL.
pub fn bind_interrupt(_: &mut Request<'_>) -> Attempt<u64> {
    Ok(refuse(
        Errno::EINVAL,
        "a PV guest binds its interrupts itself",
    )?)
}
