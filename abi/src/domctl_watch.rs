//! `domctl.h`: requests of debuggers, monitors and tracers.

constants! {}

structures! {
    /// Request of `XEN_DOMCTL_debug_op`.
    struct DebugOp = "struct xen_domctl_debug_op" {
        /// In: a `XEN_DOMCTL_DEBUG_OP_…` operation.
        op: u32,
        /// In: which vCPU.
        vcpu: u32,
    }

    /// Request of `XEN_DOMCTL_gdbsx_guestmemio`.
    struct GdbsxMemio = "struct xen_domctl_gdbsx_memio" {
        /// In: 0, or the third-level entry above `gva`.
        pgd3val: u64,
        /// In: virtual address in the guest.
        gva: u64,
        /// In: virtual address in the caller.
        uva: u64,
        /// In: bytes.
        len: u32,
        /// In: 0 to read from the guest, 1 to write.
        gwr: u8,
        /// No meaning.
        _padding: [u8; 3],
        /// Out: bytes that were not copied.
        remain: u32,
        /// No meaning.
        _padding2: u32,
    }

    /// Request of `XEN_DOMCTL_gdbsx_pausevcpu` and `XEN_DOMCTL_gdbsx_unpausevcpu`.
    struct GdbsxPauseunpVcpu = "struct xen_domctl_gdbsx_pauseunp_vcpu" {
        /// In: which.
        vcpu: u32,
    }

    /// Answer of `XEN_DOMCTL_gdbsx_domstatus`.
    struct GdbsxDomstatus = "struct xen_domctl_gdbsx_domstatus" {
        /// 1 if the debugger paused it.
        paused: u8,
        /// No meaning.
        _padding: [u8; 3],
        /// The vCPU that met an event, or all ones.
        vcpu_id: u32,
        /// That event.
        vcpu_ev: u32,
    }

    /// Request of `XEN_DOMCTL_vm_event_op`.
    struct VmEventOp = "struct xen_domctl_vm_event_op" {
        /// In: a `XEN_VM_EVENT_…` operation.
        op: u32,
        /// In: a `XEN_DOMCTL_VM_EVENT_OP_…` ring.
        mode: u32,
        /// Out: the ring's event channel, or the interface's version.
        u: u32,
    }

    /// Request of `XEN_DOMCTL_mem_sharing_op`.
    struct MemSharingOp = "struct xen_domctl_mem_sharing_op" {
        /// In: `XEN_DOMCTL_MEM_SHARING_CONTROL`.
        op: u8,
        /// In: not 0 to share.
        u: u8,
    }

    /// Request of `XEN_DOMCTL_monitor_op`.
    struct MonitorOp = "struct xen_domctl_monitor_op" {
        /// In: a `XEN_DOMCTL_MONITOR_OP_…` operation.
        op: u32,
        /// In: a `XEN_DOMCTL_MONITOR_EVENT_…` number. Out of a query of capabilities: a bit for each.
        event: u32,
        /// By event.
        u: [u64; 2],
    }

    /// Request of `XEN_DOMCTL_vmtrace_op`.
    struct VmtraceOp = "struct xen_domctl_vmtrace_op" {
        /// In: a `XEN_DOMCTL_vmtrace_…` operation.
        cmd: u32,
        /// In: which vCPU.
        vcpu: u32,
        /// In: by operation.
        key: u64,
        /// In or out: by operation.
        value: u64,
    }
}
