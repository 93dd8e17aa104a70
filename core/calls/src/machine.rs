//! The rows of `sysctl`.

operations! {
    /// Operations of `sysctl` that are done.
    SysctlOp in sysctl {
        Done Readconsole = XEN_SYSCTL_readconsole;
        Done TbufOp = XEN_SYSCTL_tbuf_op => SysctlTraceOp;
        Done Physinfo = XEN_SYSCTL_physinfo;
        Done SchedId = XEN_SYSCTL_sched_id;
        Done PerfcOp = XEN_SYSCTL_perfc_op => SysctlPerformanceOp;
        Done Getdomaininfolist = XEN_SYSCTL_getdomaininfolist;
        Done DebugKeys = XEN_SYSCTL_debug_keys;
        Done Getcpuinfo = XEN_SYSCTL_getcpuinfo;
        Done Availheap = XEN_SYSCTL_availheap;
        Done GetPmstat = XEN_SYSCTL_get_pmstat => SysctlPmStatOp;
        Done CpuHotplug = XEN_SYSCTL_cpu_hotplug => SysctlCpuHotplugOp;
        Done PmOp = XEN_SYSCTL_pm_op => SysctlPmOp;
        Done PageOfflineOp = XEN_SYSCTL_page_offline_op => SysctlPageOfflineOp;
        Refused LockprofOp = XEN_SYSCTL_lockprof_op => SysctlLockProfileOp, "not built for it, as Debian's Xen";
        Done Cputopoinfo = XEN_SYSCTL_cputopoinfo;
        Done Numainfo = XEN_SYSCTL_numainfo;
        Done CpupoolOp = XEN_SYSCTL_cpupool_op => SysctlCpupoolOp;
        Done SchedulerOp = XEN_SYSCTL_scheduler_op => SysctlSchedulerOp;
        Done CoverageOp = XEN_SYSCTL_coverage_op => SysctlCoverageOp, "EOPNOTSUPP: not built for it, as Debian's Xen";
        Done PsrCmtOp = XEN_SYSCTL_psr_cmt_op => SysctlPsrCmtOp, "ENODEV, as where the processor lacks it";
        Done Pcitopoinfo = XEN_SYSCTL_pcitopoinfo;
        Done PsrAlloc = XEN_SYSCTL_psr_alloc => SysctlPsrAllocOp, "ENODEV, as where the processor lacks it";
        Done GetCpuLevellingCaps = XEN_SYSCTL_get_cpu_levelling_caps;
        Done GetCpuFeatureset = XEN_SYSCTL_get_cpu_featureset => SysctlFeatureset;
        Done LivepatchOp = XEN_SYSCTL_livepatch_op => SysctlLivepatchOp;
        Done GetCpuPolicy = XEN_SYSCTL_get_cpu_policy => SysctlCpuPolicy;
    }

    /// Operations of `XEN_SYSCTL_tbuf_op` that are done.
    SysctlTraceOp in sysctl {
        Done GetInfo = XEN_SYSCTL_TBUFOP_get_info;
        Done SetCpuMask = XEN_SYSCTL_TBUFOP_set_cpu_mask;
        Done SetEvtMask = XEN_SYSCTL_TBUFOP_set_evt_mask;
        Done SetSize = XEN_SYSCTL_TBUFOP_set_size;
        Done Enable = XEN_SYSCTL_TBUFOP_enable, "EINVAL without buffers";
        Done Disable = XEN_SYSCTL_TBUFOP_disable;
    }

    /// Operations of `XEN_SYSCTL_perfc_op` that are done.
    SysctlPerformanceOp in sysctl {
        Done Reset = XEN_SYSCTL_PERFCOP_reset;
        Done Query = XEN_SYSCTL_PERFCOP_query;
    }

    /// Operations of `XEN_SYSCTL_get_pmstat` that are done.
    SysctlPmStatOp in sysctl {
        Refused GetMaxPx = PMSTAT_get_max_px, "ENODEV: no governor of frequencies";
        Refused GetPxstat = PMSTAT_get_pxstat, "ENODEV: no governor of frequencies";
        Refused ResetPxstat = PMSTAT_reset_pxstat, "ENODEV: no governor of frequencies";
        Done GetMaxCx = PMSTAT_get_max_cx;
        Done GetCxstat = PMSTAT_get_cxstat;
        Done ResetCxstat = PMSTAT_reset_cxstat, "counts go on, as in Xen";
    }

    /// Operations of `XEN_SYSCTL_cpu_hotplug` that are done.
    SysctlCpuHotplugOp in sysctl {
        Done Online = XEN_SYSCTL_CPU_HOTPLUG_ONLINE, "all run";
        Done Offline = XEN_SYSCTL_CPU_HOTPLUG_OFFLINE, "never: EOPNOTSUPP";
        Missing SmtEnable = XEN_SYSCTL_CPU_HOTPLUG_SMT_ENABLE;
        Missing SmtDisable = XEN_SYSCTL_CPU_HOTPLUG_SMT_DISABLE;
    }

    /// Operations of `XEN_SYSCTL_pm_op` that are done.
    SysctlPmOp in sysctl {
        Refused GetCpufreqPara = GET_CPUFREQ_PARA, "EINVAL: no governor of frequencies";
        Refused SetCpufreqGov = SET_CPUFREQ_GOV, "EINVAL: no governor of frequencies";
        Refused SetCpufreqPara = SET_CPUFREQ_PARA, "EINVAL: no governor of frequencies";
        Refused GetCpufreqAvgfreq = GET_CPUFREQ_AVGFREQ, "EINVAL: no governor of frequencies";
        Missing SetSchedOptSmt = XEN_SYSCTL_pm_op_set_sched_opt_smt;
        Done GetMaxCstate = XEN_SYSCTL_pm_op_get_max_cstate;
        Missing SetMaxCstate = XEN_SYSCTL_pm_op_set_max_cstate;
        Refused SetVcpuMigrationDelay = XEN_SYSCTL_pm_op_set_vcpu_migration_delay, "moved to the scheduler's parameters in Xen 4.14";
        Refused GetVcpuMigrationDelay = XEN_SYSCTL_pm_op_get_vcpu_migration_delay, "moved to the scheduler's parameters in Xen 4.14";
        Done EnableTurbo = XEN_SYSCTL_pm_op_enable_turbo, "EACCES: no governor of frequencies";
        Done DisableTurbo = XEN_SYSCTL_pm_op_disable_turbo, "EACCES: no governor of frequencies";
    }

    /// Operations of `XEN_SYSCTL_page_offline_op` that are done.
    SysctlPageOfflineOp in sysctl {
        Missing PageOffline = sysctl_page_offline;
        Done PageOnline = sysctl_page_online;
        Done QueryPageOffline = sysctl_query_page_offline;
    }

    /// Operations of `XEN_SYSCTL_lockprof_op` that are done.
    SysctlLockProfileOp in sysctl {
        Refused Reset = XEN_SYSCTL_LOCKPROF_reset;
        Refused Query = XEN_SYSCTL_LOCKPROF_query;
    }

    /// Operations of `XEN_SYSCTL_cpupool_op` that are done.
    SysctlCpupoolOp in sysctl {
        Done Create = XEN_SYSCTL_CPUPOOL_OP_CREATE;
        Done Destroy = XEN_SYSCTL_CPUPOOL_OP_DESTROY;
        Done Info = XEN_SYSCTL_CPUPOOL_OP_INFO;
        Done Addcpu = XEN_SYSCTL_CPUPOOL_OP_ADDCPU;
        Done Rmcpu = XEN_SYSCTL_CPUPOOL_OP_RMCPU;
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
        Refused GetSize = XEN_SYSCTL_COVERAGE_get_size, "EOPNOTSUPP";
        Refused Read = XEN_SYSCTL_COVERAGE_read, "EOPNOTSUPP";
        Refused Reset = XEN_SYSCTL_COVERAGE_reset, "EOPNOTSUPP";
    }

    /// Operations of `XEN_SYSCTL_psr_cmt_op` that are done.
    SysctlPsrCmtOp in sysctl {
        Refused GetTotalRmid = XEN_SYSCTL_PSR_CMT_get_total_rmid, "ENODEV";
        Refused GetL3UpscalingFactor = XEN_SYSCTL_PSR_CMT_get_l3_upscaling_factor, "ENODEV";
        Refused GetL3CacheSize = XEN_SYSCTL_PSR_CMT_get_l3_cache_size, "ENODEV";
        Refused Enabled = XEN_SYSCTL_PSR_CMT_enabled, "ENODEV";
        Refused GetL3EventMask = XEN_SYSCTL_PSR_CMT_get_l3_event_mask, "ENODEV";
    }

    /// Operations of `XEN_SYSCTL_psr_alloc` that are done.
    SysctlPsrAllocOp in sysctl {
        Refused GetL3Info = XEN_SYSCTL_PSR_get_l3_info, "ENODEV";
        Refused GetL2Info = XEN_SYSCTL_PSR_get_l2_info, "ENODEV";
        Refused GetMbaInfo = XEN_SYSCTL_PSR_get_mba_info, "ENODEV";
    }

    /// Sets of `XEN_SYSCTL_get_cpu_featureset` that are done.
    SysctlFeatureset in sysctl {
        Done Raw = XEN_SYSCTL_cpu_featureset_raw;
        Done Host = XEN_SYSCTL_cpu_featureset_host;
        Done Pv = XEN_SYSCTL_cpu_featureset_pv;
        Missing Hvm = XEN_SYSCTL_cpu_featureset_hvm, "EOPNOTSUPP: no HVM guests";
        Done PvMax = XEN_SYSCTL_cpu_featureset_pv_max;
        Missing HvmMax = XEN_SYSCTL_cpu_featureset_hvm_max, "EOPNOTSUPP: no HVM guests";
    }

    /// Operations of `XEN_SYSCTL_livepatch_op` that are done.
    SysctlLivepatchOp in sysctl {
        Refused Upload = XEN_SYSCTL_LIVEPATCH_UPLOAD, "EOPNOTSUPP";
        Done Get = XEN_SYSCTL_LIVEPATCH_GET, "there is none";
        Done List = XEN_SYSCTL_LIVEPATCH_LIST, "empty";
        Done Action = XEN_SYSCTL_LIVEPATCH_ACTION, "there is none";
    }

    /// Policies of `XEN_SYSCTL_get_cpu_policy` that are done.
    SysctlCpuPolicy in sysctl {
        Done Raw = XEN_SYSCTL_cpu_policy_raw;
        Done Host = XEN_SYSCTL_cpu_policy_host;
        Done PvMax = XEN_SYSCTL_cpu_policy_pv_max;
        Missing HvmMax = XEN_SYSCTL_cpu_policy_hvm_max, "EOPNOTSUPP: no HVM guests";
        Done PvDefault = XEN_SYSCTL_cpu_policy_pv_default;
        Missing HvmDefault = XEN_SYSCTL_cpu_policy_hvm_default, "EOPNOTSUPP: no HVM guests";
    }
}
