//! `sysctl.h`: processors: what they offer to guests, their pools, schedulers and power.

use crate::xen::{GuestHandle, XenctlBitmap};

/// The numbers are in [`crate::sysctl`].
pub const CONSTANTS: &[crate::layout::Constant] = &[];

structures! {
    /// Answer of `XEN_SYSCTL_sched_id`.
    struct SchedId = "struct xen_sysctl_sched_id" {
        /// A `XEN_SCHEDULER_…` number.
        sched_id: u32,
    }

    /// Request of `XEN_SYSCTL_cpupool_op`.
    struct CpupoolOp = "struct xen_sysctl_cpupool_op" {
        /// In: operation.
        op: u32,
        /// In: pool. Out of creation and `INFO`: the pool.
        cpupool_id: u32,
        /// In of creation, out of `INFO`: scheduler.
        sched_id: u32,
        /// In of `MOVEDOMAIN`: domain.
        domid: u32,
        /// In of `ADDCPU` and `RMCPU`: processor.
        cpu: u32,
        /// Out of `INFO`: domains in it.
        n_dom: u32,
        /// Out of `INFO` and `FREEINFO`: processors.
        cpumap: XenctlBitmap,
    }

    /// Parameters of the credit scheduler.
    struct CreditSchedule = "struct xen_sysctl_credit_schedule" {
        /// Milliseconds a vCPU runs at most while others wait.
        tslice_ms: u32,
        /// Microseconds a vCPU runs at least.
        ratelimit_us: u32,
        /// Microseconds a vCPU that stopped is not moved to another processor.
        vcpu_migr_delay_us: u32,
    }

    /// Parameters of the credit2 scheduler.
    struct Credit2Schedule = "struct xen_sysctl_credit2_schedule" {
        /// Microseconds a vCPU runs at least.
        ratelimit_us: u32,
    }

    /// Request of `XEN_SYSCTL_scheduler_op`.
    struct SchedulerOp = "struct xen_sysctl_scheduler_op" {
        /// In: pool.
        cpupool_id: u32,
        /// In: scheduler.
        sched_id: u32,
        /// In: operation.
        cmd: u32,
        /// No meaning.
        _padding: u32,
        /// In or out: by scheduler.
        u: [u64; 2],
    }

    /// Request of `XEN_SYSCTL_get_pmstat`, without the part that drivers would answer.
    struct GetPmstat = "struct xen_sysctl_get_pmstat" {
        /// In: operation.
        kind: u32 = "type",
        /// In: processor.
        cpuid: u32,
        /// Out: by operation.
        u: [u64; 7],
    }

    /// Request of `XEN_SYSCTL_cpu_hotplug`.
    struct CpuHotplug = "struct xen_sysctl_cpu_hotplug" {
        /// In: processor.
        cpu: u32,
        /// In: operation.
        op: u32,
    }

    /// Request of `XEN_SYSCTL_pm_op`.
    struct PmOp = "struct xen_sysctl_pm_op" {
        /// In: operation.
        cmd: u32,
        /// In: processor.
        cpuid: u32,
        /// In or out: by operation.
        u: [u64; 15],
    }

    /// Answer of `XEN_SYSCTL_get_cpu_levelling_caps`.
    struct CpuLevellingCaps = "struct xen_sysctl_cpu_levelling_caps" {
        /// Which words of CPUID the processor lets be changed for guests.
        caps: u32,
    }

    /// Request of `XEN_SYSCTL_get_cpu_featureset`.
    struct CpuFeatureset = "struct xen_sysctl_cpu_featureset" {
        /// In: which set.
        index: u32,
        /// In: elements of `features`. Out: elements written, or needed.
        nr_features: u32,
        /// In: address of an array of words (`u32`), or zero.
        features: GuestHandle,
    }

    /// Request of `XEN_SYSCTL_get_cpu_policy`.
    struct CpuPolicy = "struct xen_sysctl_cpu_policy" {
        /// In: which policy.
        index: u32,
        /// In: elements of `leaves`. Out: elements written, or needed.
        nr_leaves: u32,
        /// In: elements of `msrs`. Out: elements written, or needed.
        nr_msrs: u32,
        /// Zero.
        _rsvd: u32,
        /// In: address of an array of [`crate::arch_x86::CpuidLeaf`], or zero.
        leaves: GuestHandle,
        /// In: address of an array of [`crate::arch_x86::MsrEntry`], or zero.
        msrs: GuestHandle,
    }

    /// Request of `XEN_SYSCTL_psr_cmt_op`.
    struct PsrCmtOp = "struct xen_sysctl_psr_cmt_op" {
        /// In: operation.
        cmd: u32,
        /// No meaning.
        flags: u32,
        /// In or out: by operation.
        u: u64,
    }

    /// Request of `XEN_SYSCTL_psr_alloc`.
    struct PsrAlloc = "struct xen_sysctl_psr_alloc" {
        /// In: operation.
        cmd: u32,
        /// In: package.
        target: u32,
        /// Out: by operation.
        u: [u32; 3],
    }
}
