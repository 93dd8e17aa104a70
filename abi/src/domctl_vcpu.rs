//! `domctl.h`: requests for one vCPU: contexts, where it may run, scheduling, triggers.

use crate::xen::{GuestHandle, XenctlBitmap};

constants! {
    u32, "Flag of [`VcpuAffinity::flags`]." {
        /// Where it may run.
        XEN_VCPUAFFINITY_HARD = 1 << 0,
        /// Where it is better run.
        XEN_VCPUAFFINITY_SOFT = 1 << 1,
        /// Even if `SCHEDOP_pin_override` pinned it.
        XEN_VCPUAFFINITY_FORCE = 1 << 2,
    }

    u32, "Flag of [`SchedRtds::flags`]." {
        XEN_DOMCTL_SCHEDRT_extra = 1 << 0,
    }
}

structures! {
    /// Request of `XEN_DOMCTL_setvcpucontext` and `XEN_DOMCTL_getvcpucontext`.
    struct VcpuContext = "struct xen_domctl_vcpucontext" {
        /// In: which.
        vcpu: u32,
        /// No meaning.
        _padding: u32,
        /// In: address of a [`crate::arch_x86::VcpuGuestContext`].
        ctxt: GuestHandle,
    }

    /// Request and answer of `XEN_DOMCTL_getvcpuinfo`.
    struct Getvcpuinfo = "struct xen_domctl_getvcpuinfo" {
        /// In: which.
        vcpu: u32,
        /// Out: 1 if it is up.
        online: u8,
        /// Out: 1 if it waits for an event.
        blocked: u8,
        /// Out: 1 if it runs now.
        running: u8,
        /// No meaning.
        _padding: u8,
        /// Out: nanoseconds it ran.
        cpu_time: u64,
        /// Out: its processor.
        cpu: u32,
        /// No meaning.
        _padding2: u32,
    }

    /// Request of `XEN_DOMCTL_setvcpuaffinity` and `XEN_DOMCTL_getvcpuaffinity`.
    struct VcpuAffinity = "struct xen_domctl_vcpuaffinity" {
        /// In: which.
        vcpu: u32,
        /// In: `XEN_VCPUAFFINITY_…` bits.
        flags: u32,
        /// Processors it may run on. Out of a change: those of them that are there.
        cpumap_hard: XenctlBitmap,
        /// Processors it is better run on. Out of a change: those of them that have an effect.
        cpumap_soft: XenctlBitmap,
    }

    /// Parameters of the first credit scheduler.
    struct SchedCredit = "struct xen_domctl_sched_credit" {
        /// Share.
        weight: u16,
        /// Percent of one processor at most; 0 for no bound.
        cap: u16,
    }

    /// Parameters of the second credit scheduler.
    struct SchedCredit2 = "struct xen_domctl_sched_credit2" {
        /// Share.
        weight: u16,
        /// Percent of one processor at most; 0 for no bound.
        cap: u16,
    }

    /// Parameters of the real-time scheduler.
    struct SchedRtds = "struct xen_domctl_sched_rtds" {
        /// Microseconds.
        period: u32,
        /// Microseconds.
        budget: u32,
        /// [`XEN_DOMCTL_SCHEDRT_extra`] or zero.
        flags: u32,
    }

    /// One vCPU's parameters.
    struct SchedparamVcpu = "struct xen_domctl_schedparam_vcpu" {
        /// By scheduler.
        u: [u32; 3],
        /// Which.
        vcpuid: u32,
    }

    /// Request of `XEN_DOMCTL_scheduler_op`.
    struct SchedulerOp = "struct xen_domctl_scheduler_op" {
        /// In: a `XEN_SCHEDULER_…` number.
        sched_id: u32,
        /// In: a `XEN_DOMCTL_SCHEDOP_…` operation.
        cmd: u32,
        /// By scheduler, or [`SchedulerOpVcpus`].
        u: [u64; 2],
    }

    /// [`SchedulerOp::u`] of the operations for single vCPUs.
    struct SchedulerOpVcpus = "__typeof__(((struct xen_domctl_scheduler_op *)0)->u.v)" {
        /// In: address of an array of [`SchedparamVcpu`].
        vcpus: GuestHandle,
        /// In: its elements. Out: those done.
        nr_vcpus: u32,
        /// No meaning.
        padding: u32,
    }

    /// What machine checks a vCPU sees.
    struct VmceVcpu = "struct hvm_vmce_vcpu" {
        /// Its `MCG_CAP`.
        caps: u64,
        /// Its `MCi_CTL2` of bank 0.
        mci_ctl2_bank0: u64,
        /// Its `MCi_CTL2` of bank 1.
        mci_ctl2_bank1: u64,
        /// Its `MCG_EXT_CTL`.
        mcg_ext_ctl: u64,
    }

    /// Request of `XEN_DOMCTL_set_ext_vcpucontext` and `XEN_DOMCTL_get_ext_vcpucontext`.
    struct ExtVcpucontext = "struct xen_domctl_ext_vcpucontext" {
        /// In: which.
        vcpu: u32,
        /// In of a change, out of a query: bytes that have a meaning.
        size: u32,
        /// Handler of `syscall` from a 32-bit program.
        syscall32_callback_eip: u64,
        /// Handler of `sysenter`.
        sysenter_callback_eip: u64,
        /// Selector of the first.
        syscall32_callback_cs: u16,
        /// Selector of the second.
        sysenter_callback_cs: u16,
        /// Not 0 if the first masks events.
        syscall32_disables_events: u8,
        /// Not 0 if the second masks events.
        sysenter_disables_events: u8,
        /// No meaning.
        _padding: u16,
        /// Machine checks.
        vmce: VmceVcpu,
    }

    /// Request of `XEN_DOMCTL_setvcpuextstate` and `XEN_DOMCTL_getvcpuextstate`.
    struct Vcpuextstate = "struct xen_domctl_vcpuextstate" {
        /// In: which.
        vcpu: u32,
        /// No meaning.
        _padding: u32,
        /// Out of a query: components of state the processor has.
        xfeature_mask: u64,
        /// In: bytes. Out of a query: bytes there are.
        size: u64,
        /// In: address of two words (XCR0 and all components ever enabled) and an XSAVE image.
        buffer: GuestHandle,
    }

    /// One MSR of a vCPU.
    struct VcpuMsr = "struct xen_domctl_vcpu_msr" {
        /// Its index.
        index: u32,
        /// Must be zero.
        reserved: u32,
        /// Its value.
        value: u64,
    }

    /// Request of `XEN_DOMCTL_get_vcpu_msrs` and `XEN_DOMCTL_set_vcpu_msrs`.
    struct VcpuMsrs = "struct xen_domctl_vcpu_msrs" {
        /// In: which.
        vcpu: u32,
        /// In: elements. Out: elements written, wanted, or the one refused.
        msr_count: u32,
        /// In: address of an array of [`VcpuMsr`], or 0 to ask how many there can be.
        msrs: GuestHandle,
    }

    /// Request of `XEN_DOMCTL_sendtrigger`.
    struct Sendtrigger = "struct xen_domctl_sendtrigger" {
        /// In: a `XEN_DOMCTL_SENDTRIGGER_…` number.
        trigger: u32,
        /// In: which.
        vcpu: u32,
    }

    /// Request of `XEN_DOMCTL_gethvmcontext` and `XEN_DOMCTL_sethvmcontext`.
    struct Hvmcontext = "struct xen_domctl_hvmcontext" {
        /// In: bytes. Out: bytes written.
        size: u32,
        /// No meaning.
        _padding: u32,
        /// In: address, or 0 to ask for the size.
        buffer: GuestHandle,
    }

    /// Request of `XEN_DOMCTL_gethvmcontext_partial`.
    struct HvmcontextPartial = "struct xen_domctl_hvmcontext_partial" {
        /// In: record.
        kind: u32 = "type",
        /// In: which of them.
        instance: u32,
        /// In: bytes.
        bufsz: u64,
        /// In: address.
        buffer: GuestHandle,
    }
}
