//! Devices that are given to domains whole: for that an I/O MMU must keep them from the memory of others, and none is in
//! use. (`xen-pciback` gives a device's ports, frames and interrupts; see `permissions.rs`.)

use memory::Attempt;
use vocabulary::{refuse, Errno};

use super::Request;

/// `XEN_DOMCTL_assign_device`, `…_test_assign_device`, `…_deassign_device` and `…_get_device_group`. EOPNOTSUPP.
pub fn assign() -> Attempt<u64> {
    Ok(refuse(Errno::EOPNOTSUPP, "no I/O MMU is in use")?)
}

/// `XEN_DOMCTL_bind_pt_irq` and `…_unbind_pt_irq`, which are for guests with emulated interrupt controllers. EINVAL.
pub fn bind_interrupt(_: &mut Request<'_>) -> Attempt<u64> {
    Ok(refuse(
        Errno::EINVAL,
        "a PV guest binds its interrupts itself",
    )?)
}
