//! `sysctl.h`: numbers of the control interface for the whole machine. (Its structures come with the toolstack.)

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
}

/// This module has no structures.
pub const STRUCTURES: &[crate::layout::StructLayout] = &[];
