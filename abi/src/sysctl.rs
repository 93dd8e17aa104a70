//! `sysctl.h`: the control interface for the whole machine: the frame and its numbers.
//!
//! The request of every operation lies in [`Sysctl::u`]. Those that tell of the machine are in
//! [`crate::sysctl_machine`], those of its processors' policies and pools in [`crate::sysctl_processors`], those for
//! observers (console, counters, traces) in [`crate::sysctl_watch`].

constants! {
    u32, "Version the caller must name, exactly." {
        XEN_SYSCTL_INTERFACE_VERSION = 0x00000015,
    }

    u32, "Operation of `sysctl`." {
        XEN_SYSCTL_readconsole = 1,
        XEN_SYSCTL_tbuf_op = 2,
        XEN_SYSCTL_physinfo = 3,
        XEN_SYSCTL_sched_id = 4,
        XEN_SYSCTL_perfc_op = 5,
        XEN_SYSCTL_getdomaininfolist = 6,
        XEN_SYSCTL_debug_keys = 7,
        XEN_SYSCTL_getcpuinfo = 8,
        XEN_SYSCTL_availheap = 9,
        XEN_SYSCTL_get_pmstat = 10,
        XEN_SYSCTL_cpu_hotplug = 11,
        XEN_SYSCTL_pm_op = 12,
        XEN_SYSCTL_page_offline_op = 14,
        XEN_SYSCTL_lockprof_op = 15,
        XEN_SYSCTL_cputopoinfo = 16,
        XEN_SYSCTL_numainfo = 17,
        XEN_SYSCTL_cpupool_op = 18,
        XEN_SYSCTL_scheduler_op = 19,
        XEN_SYSCTL_coverage_op = 20,
        XEN_SYSCTL_psr_cmt_op = 21,
        XEN_SYSCTL_pcitopoinfo = 22,
        XEN_SYSCTL_psr_alloc = 23,
        XEN_SYSCTL_get_cpu_levelling_caps = 25,
        XEN_SYSCTL_get_cpu_featureset = 26,
        XEN_SYSCTL_livepatch_op = 27,
        XEN_SYSCTL_get_cpu_policy = 29,
    }

    u32, "Operation of `XEN_SYSCTL_tbuf_op`." {
        XEN_SYSCTL_TBUFOP_get_info = 0,
        XEN_SYSCTL_TBUFOP_set_cpu_mask = 1,
        XEN_SYSCTL_TBUFOP_set_evt_mask = 2,
        XEN_SYSCTL_TBUFOP_set_size = 3,
        XEN_SYSCTL_TBUFOP_enable = 4,
        XEN_SYSCTL_TBUFOP_disable = 5,
    }

    u32, "Operation of `XEN_SYSCTL_perfc_op`." {
        XEN_SYSCTL_PERFCOP_reset = 1,
        XEN_SYSCTL_PERFCOP_query = 2,
    }

    u32, "Operation of `XEN_SYSCTL_get_pmstat`." {
        PMSTAT_get_max_px = 0x11,
        PMSTAT_get_pxstat = 0x12,
        PMSTAT_reset_pxstat = 0x13,
        PMSTAT_get_max_cx = 0x21,
        PMSTAT_get_cxstat = 0x22,
        PMSTAT_reset_cxstat = 0x23,
    }

    u32, "Operation of `XEN_SYSCTL_cpu_hotplug`." {
        XEN_SYSCTL_CPU_HOTPLUG_ONLINE = 0,
        XEN_SYSCTL_CPU_HOTPLUG_OFFLINE = 1,
        XEN_SYSCTL_CPU_HOTPLUG_SMT_ENABLE = 2,
        XEN_SYSCTL_CPU_HOTPLUG_SMT_DISABLE = 3,
    }

    u32, "Operation of `XEN_SYSCTL_pm_op`." {
        GET_CPUFREQ_PARA = 0x11,
        SET_CPUFREQ_GOV = 0x12,
        SET_CPUFREQ_PARA = 0x13,
        GET_CPUFREQ_AVGFREQ = 0x14,
        XEN_SYSCTL_pm_op_set_sched_opt_smt = 0x21,
        XEN_SYSCTL_pm_op_get_max_cstate = 0x22,
        XEN_SYSCTL_pm_op_set_max_cstate = 0x23,
        XEN_SYSCTL_pm_op_set_vcpu_migration_delay = 0x24,
        XEN_SYSCTL_pm_op_get_vcpu_migration_delay = 0x25,
        XEN_SYSCTL_pm_op_enable_turbo = 0x26,
        XEN_SYSCTL_pm_op_disable_turbo = 0x27,
    }

    u32, "Operation of `XEN_SYSCTL_page_offline_op`." {
        sysctl_page_offline = 1,
        sysctl_page_online = 2,
        sysctl_query_page_offline = 3,
    }

    u32, "Operation of `XEN_SYSCTL_lockprof_op`." {
        XEN_SYSCTL_LOCKPROF_reset = 1,
        XEN_SYSCTL_LOCKPROF_query = 2,
    }

    u32, "Operation of `XEN_SYSCTL_cpupool_op`." {
        XEN_SYSCTL_CPUPOOL_OP_CREATE = 1,
        XEN_SYSCTL_CPUPOOL_OP_DESTROY = 2,
        XEN_SYSCTL_CPUPOOL_OP_INFO = 3,
        XEN_SYSCTL_CPUPOOL_OP_ADDCPU = 4,
        XEN_SYSCTL_CPUPOOL_OP_RMCPU = 5,
        XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN = 6,
        XEN_SYSCTL_CPUPOOL_OP_FREEINFO = 7,
    }

    u32, "Operation of `XEN_SYSCTL_scheduler_op`." {
        XEN_SYSCTL_SCHEDOP_putinfo = 0,
        XEN_SYSCTL_SCHEDOP_getinfo = 1,
    }

    u32, "Operation of `XEN_SYSCTL_coverage_op`." {
        XEN_SYSCTL_COVERAGE_get_size = 0,
        XEN_SYSCTL_COVERAGE_read = 1,
        XEN_SYSCTL_COVERAGE_reset = 2,
    }

    u32, "Operation of `XEN_SYSCTL_psr_cmt_op`." {
        XEN_SYSCTL_PSR_CMT_get_total_rmid = 0,
        XEN_SYSCTL_PSR_CMT_get_l3_upscaling_factor = 1,
        XEN_SYSCTL_PSR_CMT_get_l3_cache_size = 2,
        XEN_SYSCTL_PSR_CMT_enabled = 3,
        XEN_SYSCTL_PSR_CMT_get_l3_event_mask = 4,
    }

    u32, "Operation of `XEN_SYSCTL_psr_alloc`." {
        XEN_SYSCTL_PSR_get_l3_info = 0,
        XEN_SYSCTL_PSR_get_l2_info = 1,
        XEN_SYSCTL_PSR_get_mba_info = 2,
    }

    u32, "Set of `XEN_SYSCTL_get_cpu_featureset`." {
        XEN_SYSCTL_cpu_featureset_raw = 0,
        XEN_SYSCTL_cpu_featureset_host = 1,
        XEN_SYSCTL_cpu_featureset_pv = 2,
        XEN_SYSCTL_cpu_featureset_hvm = 3,
        XEN_SYSCTL_cpu_featureset_pv_max = 4,
        XEN_SYSCTL_cpu_featureset_hvm_max = 5,
    }

    u32, "Operation of `XEN_SYSCTL_livepatch_op`." {
        XEN_SYSCTL_LIVEPATCH_UPLOAD = 0,
        XEN_SYSCTL_LIVEPATCH_GET = 1,
        XEN_SYSCTL_LIVEPATCH_LIST = 2,
        XEN_SYSCTL_LIVEPATCH_ACTION = 3,
    }

    u32, "Policy of `XEN_SYSCTL_get_cpu_policy`." {
        XEN_SYSCTL_cpu_policy_raw = 0,
        XEN_SYSCTL_cpu_policy_host = 1,
        XEN_SYSCTL_cpu_policy_pv_max = 2,
        XEN_SYSCTL_cpu_policy_hvm_max = 3,
        XEN_SYSCTL_cpu_policy_pv_default = 4,
        XEN_SYSCTL_cpu_policy_hvm_default = 5,
    }

    u32, "Bit of [`crate::sysctl_machine::Physinfo::capabilities`]." {
        /// HVM guests can be made.
        XEN_SYSCTL_PHYSCAP_hvm = 1 << 0,
        /// PV guests can be made.
        XEN_SYSCTL_PHYSCAP_pv = 1 << 1,
        /// Devices can be given to guests behind an IOMMU.
        XEN_SYSCTL_PHYSCAP_directio = 1 << 2,
        /// Nested page tables.
        XEN_SYSCTL_PHYSCAP_hap = 1 << 3,
        /// Shadow page tables.
        XEN_SYSCTL_PHYSCAP_shadow = 1 << 4,
        /// Nested page tables can be shared with the IOMMU.
        XEN_SYSCTL_PHYSCAP_iommu_hap_pt_share = 1 << 5,
        /// Processor traces of guests.
        XEN_SYSCTL_PHYSCAP_vmtrace = 1 << 6,
        /// Performance counters of guests.
        XEN_SYSCTL_PHYSCAP_vpmu = 1 << 7,
        /// Grant tables of version 1.
        XEN_SYSCTL_PHYSCAP_gnttab_v1 = 1 << 8,
        /// Grant tables of version 2.
        XEN_SYSCTL_PHYSCAP_gnttab_v2 = 1 << 9,
        /// The highest of them.
        XEN_SYSCTL_PHYSCAP_MAX = 1 << 9,
    }

    u32, "What is said of a processor, node or device of which nothing is known." {
        XEN_INVALID_CORE_ID = u32::MAX,
        XEN_INVALID_SOCKET_ID = u32::MAX,
        XEN_INVALID_NODE_ID = u32::MAX,
        XEN_INVALID_MEM_SZ = u32::MAX,
        XEN_INVALID_NODE_DIST = u32::MAX,
        /// The hypervisor does not know the device.
        XEN_INVALID_DEV = u32::MAX - 1,
    }

    u32, "Any pool or processor of `XEN_SYSCTL_cpupool_op`." {
        XEN_SYSCTL_CPUPOOL_PAR_ANY = u32::MAX,
    }

    u32, "Limit of a scheduler's parameter." {
        /// Microseconds.
        XEN_SYSCTL_SCHED_RATELIMIT_MAX = 500_000,
        /// Microseconds; 0 turns the limit off.
        XEN_SYSCTL_SCHED_RATELIMIT_MIN = 100,
    }

    u32, "Bit of the answer of `XEN_SYSCTL_page_offline_op`, whose upper half is the owner." {
        /// The request was not understood.
        PG_OFFLINE_INVALID = 1 << 0,
        PG_OFFLINE_OFFLINED = 1 << 1,
        PG_OFFLINE_PENDING = 1 << 2,
        PG_OFFLINE_FAILED = 1 << 3,
        PG_OFFLINE_AGAIN = 1 << 4,
        /// Of a query: it is off.
        PG_OFFLINE_STATUS_OFFLINED = 1 << 1,
        /// Of a query: it is in use or may be.
        PG_OFFLINE_STATUS_ONLINE = 1 << 2,
        /// The hypervisor's own.
        PG_OFFLINE_XENPAGE = 1 << 8,
        PG_OFFLINE_DOM0PAGE = 1 << 9,
        PG_OFFLINE_ANONYMOUS = 1 << 10,
        /// No RAM that is given out.
        PG_OFFLINE_NOT_CONV_RAM = 1 << 11,
        PG_OFFLINE_OWNED = 1 << 12,
        PG_OFFLINE_BROKEN = 1 << 13,
        /// Where the owner begins.
        PG_OFFLINE_OWNER_SHIFT = 16,
    }
}

structures! {
    /// Argument of `sysctl`.
    struct Sysctl = "struct xen_sysctl" {
        /// In: a `XEN_SYSCTL_…` operation.
        cmd: u32,
        /// In: [`XEN_SYSCTL_INTERFACE_VERSION`].
        interface_version: u32,
        /// By operation.
        u: [u64; 16],
    }
}
