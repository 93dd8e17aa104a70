//! `domctl.h`: requests about devices, and about the ports, frames and interrupts a domain may use.

use crate::xen::GuestHandle;

constants! {
    u32, "Kind of device in [`AssignDevice::dev`]." {
        XEN_DOMCTL_DEV_PCI = 0,
        /// Of a device tree.
        XEN_DOMCTL_DEV_DT = 1,
    }

    u32, "Flag of [`AssignDevice::flags`]." {
        XEN_DOMCTL_DEV_RDM_RELAXED = 1,
    }

    u32, "Direction of [`MemoryMapping::add_mapping`] and [`IoportMapping::add_mapping`]." {
        DPCI_ADD_MAPPING = 1,
        DPCI_REMOVE_MAPPING = 0,
    }
}

structures! {
    /// Request of `XEN_DOMCTL_irq_permission`.
    struct IrqPermission = "struct xen_domctl_irq_permission" {
        /// In: the caller's own number for the interrupt.
        pirq: u32,
        /// In: not 0 to allow.
        allow_access: u8,
        /// No meaning.
        pad: [u8; 3],
    }

    /// Request of `XEN_DOMCTL_iomem_permission`.
    struct IomemPermission = "struct xen_domctl_iomem_permission" {
        /// In: first frame.
        first_mfn: u64,
        /// In: frames, at least 1.
        nr_mfns: u64,
        /// In: not 0 to allow.
        allow_access: u8,
        /// No meaning.
        _padding: [u8; 7],
    }

    /// Request of `XEN_DOMCTL_ioport_permission`.
    struct IoportPermission = "struct xen_domctl_ioport_permission" {
        /// In: first port.
        first_port: u32,
        /// In: ports.
        nr_ports: u32,
        /// In: not 0 to allow.
        allow_access: u8,
        /// No meaning.
        _padding: [u8; 3],
    }

    /// Request of `XEN_DOMCTL_assign_device`, `…_test_assign_device` and `…_deassign_device`.
    struct AssignDevice = "struct xen_domctl_assign_device" {
        /// In: a `XEN_DOMCTL_DEV_…` kind.
        dev: u32,
        /// In: [`XEN_DOMCTL_DEV_RDM_RELAXED`] or zero.
        flags: u32,
        /// By kind: a PCI device's segment, bus, device and function in the first four bytes. (The third word
        /// is there in the hypervisor's view of the header only.)
        u: [u64; 3],
    }

    /// Request of `XEN_DOMCTL_get_device_group`.
    struct GetDeviceGroup = "struct xen_domctl_get_device_group" {
        /// In: segment, bus, device and function.
        machine_sbdf: u32,
        /// In: elements there is room for.
        max_sdevs: u32,
        /// Out: elements.
        num_sdevs: u32,
        /// No meaning.
        _padding: u32,
        /// In: address of an array of u32.
        sdev_array: GuestHandle,
    }

    /// Request of `XEN_DOMCTL_bind_pt_irq` and `XEN_DOMCTL_unbind_pt_irq`.
    struct BindPtIrq = "struct xen_domctl_bind_pt_irq" {
        /// In: the interrupt.
        machine_irq: u32,
        /// In: its kind.
        irq_type: u32,
        /// By kind.
        u: [u64; 2],
    }

    /// Request of `XEN_DOMCTL_memory_mapping`.
    struct MemoryMapping = "struct xen_domctl_memory_mapping" {
        /// In: first frame as the guest sees it.
        first_gfn: u64,
        /// In: first machine frame.
        first_mfn: u64,
        /// In: frames, at least 1.
        nr_mfns: u64,
        /// In: [`DPCI_ADD_MAPPING`] or [`DPCI_REMOVE_MAPPING`].
        add_mapping: u32,
        /// No meaning.
        padding: u32,
    }

    /// Request of `XEN_DOMCTL_ioport_mapping`.
    struct IoportMapping = "struct xen_domctl_ioport_mapping" {
        /// In: first port as the guest sees it.
        first_gport: u32,
        /// In: first port of the machine.
        first_mport: u32,
        /// In: ports.
        nr_ports: u32,
        /// In: [`DPCI_ADD_MAPPING`] or [`DPCI_REMOVE_MAPPING`].
        add_mapping: u32,
    }

    /// Request of `XEN_DOMCTL_psr_cmt_op`.
    struct PsrCmtOp = "struct xen_domctl_psr_cmt_op" {
        /// In: a `XEN_DOMCTL_PSR_CMT_OP_…` operation.
        cmd: u32,
        /// In or out: the monitoring number.
        data: u32,
    }

    /// Request of `XEN_DOMCTL_psr_alloc`.
    struct PsrAlloc = "struct xen_domctl_psr_alloc" {
        /// In: a `XEN_DOMCTL_PSR_…` operation.
        cmd: u32,
        /// In: the socket.
        target: u32,
        /// In or out: mask or rate.
        data: u64,
    }
}
