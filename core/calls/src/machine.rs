//! The rows of `sysctl`.

operations! {
    /// Operations of `sysctl` that are done.
    SysctlOp in sysctl {
        Done Readconsole = XEN_SYSCTL_readconsole;
        Missing TbufOp = XEN_SYSCTL_tbuf_op => SysctlTraceOp;
        Done Physinfo = XEN_SYSCTL_physinfo;
        Done SchedId = XEN_SYSCTL_sched_id;
        Done PerfcOp = XEN_SYSCTL_perfc_op => SysctlPerformanceOp;
        Done Getdomaininfolist = XEN_SYSCTL_getdomaininfolist;
        Done DebugKeys = XEN_SYSCTL_debug_keys;
        Done Getcpuinfo = XEN_SYSCTL_getcpuinfo;
        Done Availheap = XEN_SYSCTL_availheap;
        Missing GetPmstat = XEN_SYSCTL_get_pmstat => SysctlPmStatOp;
        Missing CpuHotplug = XEN_SYSCTL_cpu_hotplug => SysctlCpuHotplugOp;
        Missing PmOp = XEN_SYSCTL_pm_op => SysctlPmOp;
        Missing PageOfflineOp = XEN_SYSCTL_page_offline_op => SysctlPageOfflineOp;
        Missing LockprofOp = XEN_SYSCTL_lockprof_op => SysctlLockProfileOp;
        Done Cputopoinfo = XEN_SYSCTL_cputopoinfo;
        Done Numainfo = XEN_SYSCTL_numainfo;
        Done CpupoolOp = XEN_SYSCTL_cpupool_op => SysctlCpupoolOp;
        Done SchedulerOp = XEN_SYSCTL_scheduler_op => SysctlSchedulerOp;
        Missing CoverageOp = XEN_SYSCTL_coverage_op => SysctlCoverageOp;
        Missing PsrCmtOp = XEN_SYSCTL_psr_cmt_op => SysctlPsrCmtOp;
        Done Pcitopoinfo = XEN_SYSCTL_pcitopoinfo;
        Missing PsrAlloc = XEN_SYSCTL_psr_alloc => SysctlPsrAllocOp;
        Done GetCpuLevellingCaps = XEN_SYSCTL_get_cpu_levelling_caps;
        Done GetCpuFeatureset = XEN_SYSCTL_get_cpu_featureset => SysctlFeatureset;
        Missing LivepatchOp = XEN_SYSCTL_livepatch_op => SysctlLivepatchOp;
        Done GetCpuPolicy = XEN_SYSCTL_get_cpu_policy => SysctlCpuPolicy;
    }

    /// Operations of `XEN_SYSCTL_tbuf_op` that are done.
    SysctlTraceOp in sysctl {
        Missing GetInfo = XEN_SYSCTL_TBUFOP_get_info;
        Missing SetCpuMask = XEN_SYSCTL_TBUFOP_set_cpu_mask;
        Missing SetEvtMask = XEN_SYSCTL_TBUFOP_set_evt_mask;
        Missing SetSize = XEN_SYSCTL_TBUFOP_set_size;
        Missing Enable = XEN_SYSCTL_TBUFOP_enable;
        Missing Disable = XEN_SYSCTL_TBUFOP_disable;
    }

    /// Operations of `XEN_SYSCTL_perfc_op` that are done.
    SysctlPerformanceOp in sysctl {
        Done Reset = XEN_SYSCTL_PERFCOP_reset;
        Done Query = XEN_SYSCTL_PERFCOP_query;
    }

    /// Operations of `XEN_SYSCTL_get_pmstat` that are done.
    SysctlPmStatOp in sysctl {
        Missing GetMaxPx = PMSTAT_get_max_px;
        Missing GetPxstat = PMSTAT_get_pxstat;
        Missing ResetPxstat = PMSTAT_reset_pxstat;
        Missing GetMaxCx = PMSTAT_get_max_cx;
        Missing GetCxstat = PMSTAT_get_cxstat;
        Missing ResetCxstat = PMSTAT_reset_cxstat;
    }

    /// Operations of `XEN_SYSCTL_cpu_hotplug` that are done.
    SysctlCpuHotplugOp in sysctl {
        Missing Online = XEN_SYSCTL_CPU_HOTPLUG_ONLINE;
        Missing Offline = XEN_SYSCTL_CPU_HOTPLUG_OFFLINE;
        Missing SmtEnable = XEN_SYSCTL_CPU_HOTPLUG_SMT_ENABLE;
        Missing SmtDisable = XEN_SYSCTL_CPU_HOTPLUG_SMT_DISABLE;
    }

    /// Operations of `XEN_SYSCTL_pm_op` that are done.
    SysctlPmOp in sysctl {
        Missing GetCpufreqPara = GET_CPUFREQ_PARA;
        Missing SetCpufreqGov = SET_CPUFREQ_GOV;
        Missing SetCpufreqPara = SET_CPUFREQ_PARA;
        Missing GetCpufreqAvgfreq = GET_CPUFREQ_AVGFREQ;
        Missing SetSchedOptSmt = XEN_SYSCTL_pm_op_set_sched_opt_smt;
        Missing GetMaxCstate = XEN_SYSCTL_pm_op_get_max_cstate;
        Missing SetMaxCstate = XEN_SYSCTL_pm_op_set_max_cstate;
        Missing SetVcpuMigrationDelay = XEN_SYSCTL_pm_op_set_vcpu_migration_delay;
        Missing GetVcpuMigrationDelay = XEN_SYSCTL_pm_op_get_vcpu_migration_delay;
        Missing EnableTurbo = XEN_SYSCTL_pm_op_enable_turbo;
        Missing DisableTurbo = XEN_SYSCTL_pm_op_disable_turbo;
    }

    /// Operations of `XEN_SYSCTL_page_offline_op` that are done.
    SysctlPageOfflineOp in sysctl {
        Missing PageOffline = sysctl_page_offline;
        Missing PageOnline = sysctl_page_online;
        Missing QueryPageOffline = sysctl_query_page_offline;
    }

    /// Operations of `XEN_SYSCTL_lockprof_op` that are done.
    SysctlLockProfileOp in sysctl {
        Missing Reset = XEN_SYSCTL_LOCKPROF_reset;
        Missing Query = XEN_SYSCTL_LOCKPROF_query;
    }

    /// Operations of `XEN_SYSCTL_cpupool_op` that are done.
    SysctlCpupoolOp in sysctl {
        Missing Create = XEN_SYSCTL_CPUPOOL_OP_CREATE, "one pool has all processors";
        Done Destroy = XEN_SYSCTL_CPUPOOL_OP_DESTROY;
        Done Info = XEN_SYSCTL_CPUPOOL_OP_INFO;
        Done Addcpu = XEN_SYSCTL_CPUPOOL_OP_ADDCPU;
        Done Rmcpu = XEN_SYSCTL_CPUPOOL_OP_RMCPU, "never from the only pool";
        Done Movedomain = XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN;
        Done Freeinfo = XEN_SYSCTL_CPUPOOL_OP_FREEINFO;
    }

    /// Operations of `XEN_SYSCTL_scheduler_op` that are done.
    SysctlSchedulerOp in sysctl {
        Done Putinfo = XEN_SYSCTL_SCHEDOP_putinfo;
        Done Getinfo = XEN_SYSCTL_SCHEDOP_getinfo;
    }

    /// Operations of `XEN_SYSCTL_coverage_op` that are done.
    SysctlCoverageOp in sysctl {
        Missing GetSize = XEN_SYSCTL_COVERAGE_get_size;
        Missing Read = XEN_SYSCTL_COVERAGE_read;
        Missing Reset = XEN_SYSCTL_COVERAGE_reset;
    }

    /// Operations of `XEN_SYSCTL_psr_cmt_op` that are done.
    SysctlPsrCmtOp in sysctl {
        Missing GetTotalRmid = XEN_SYSCTL_PSR_CMT_get_total_rmid;
        Missing GetL3UpscalingFactor = XEN_SYSCTL_PSR_CMT_get_l3_upscaling_factor;
        Missing GetL3CacheSize = XEN_SYSCTL_PSR_CMT_get_l3_cache_size;
        Missing Enabled = XEN_SYSCTL_PSR_CMT_enabled;
        Missing GetL3EventMask = XEN_SYSCTL_PSR_CMT_get_l3_event_mask;
    }

    /// Operations of `XEN_SYSCTL_psr_alloc` that are done.
    SysctlPsrAllocOp in sysctl {
        Missing GetL3Info = XEN_SYSCTL_PSR_get_l3_info;
        Missing GetL2Info = XEN_SYSCTL_PSR_get_l2_info;
        Missing GetMbaInfo = XEN_SYSCTL_PSR_get_mba_info;
    }

    /// Sets of `XEN_SYSCTL_get_cpu_featureset` that are done.
    SysctlFeatureset in sysctl {
        Done Raw = XEN_SYSCTL_cpu_featureset_raw;
        Done Host = XEN_SYSCTL_cpu_featureset_host;
        Done Pv = XEN_SYSCTL_cpu_featureset_pv;
        Missing Hvm = XEN_SYSCTL_cpu_featureset_hvm, "no HVM guests: EOPNOTSUPP";
        Done PvMax = XEN_SYSCTL_cpu_featureset_pv_max;
        Missing HvmMax = XEN_SYSCTL_cpu_featureset_hvm_max, "no HVM guests: EOPNOTSUPP";
    }

    /// Operations of `XEN_SYSCTL_livepatch_op` that are done.
    SysctlLivepatchOp in sysctl {
        Missing Upload = XEN_SYSCTL_LIVEPATCH_UPLOAD;
        Missing Get = XEN_SYSCTL_LIVEPATCH_GET;
        Missing List = XEN_SYSCTL_LIVEPATCH_LIST;
        Missing Action = XEN_SYSCTL_LIVEPATCH_ACTION;
    }

    /// Policies of `XEN_SYSCTL_get_cpu_policy` that are done.
    SysctlCpuPolicy in sysctl {
        Done Raw = XEN_SYSCTL_cpu_policy_raw;
        Done Host = XEN_SYSCTL_cpu_policy_host;
        Done PvMax = XEN_SYSCTL_cpu_policy_pv_max;
        Missing HvmMax = XEN_SYSCTL_cpu_policy_hvm_max, "no HVM guests: EOPNOTSUPP";
        Done PvDefault = XEN_SYSCTL_cpu_policy_pv_default;
        Missing HvmDefault = XEN_SYSCTL_cpu_policy_hvm_default, "no HVM guests: EOPNOTSUPP";
    }
}
