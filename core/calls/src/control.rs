//! The rows of `domctl`.

operations! {
    /// Operations of `domctl` that are done.
    DomctlOp in domctl {
        Done Createdomain = XEN_DOMCTL_createdomain;
        Done Destroydomain = XEN_DOMCTL_destroydomain;
        Done Pausedomain = XEN_DOMCTL_pausedomain;
        Done Unpausedomain = XEN_DOMCTL_unpausedomain;
        Done Getdomaininfo = XEN_DOMCTL_getdomaininfo;
        Done Setvcpuaffinity = XEN_DOMCTL_setvcpuaffinity;
        Done ShadowOp = XEN_DOMCTL_shadow_op => DomctlShadowOp;
        Done MaxMem = XEN_DOMCTL_max_mem;
        Done Setvcpucontext = XEN_DOMCTL_setvcpucontext;
        Done Getvcpucontext = XEN_DOMCTL_getvcpucontext;
        Done Getvcpuinfo = XEN_DOMCTL_getvcpuinfo;
        Done MaxVcpus = XEN_DOMCTL_max_vcpus;
        Done SchedulerOp = XEN_DOMCTL_scheduler_op => DomctlSchedulerOp;
        Done Setdomainhandle = XEN_DOMCTL_setdomainhandle;
        Done Setdebugging = XEN_DOMCTL_setdebugging, "no debugger can be attached: EOPNOTSUPP";
        Done IrqPermission = XEN_DOMCTL_irq_permission;
        Done IomemPermission = XEN_DOMCTL_iomem_permission;
        Done IoportPermission = XEN_DOMCTL_ioport_permission;
        Done HypercallInit = XEN_DOMCTL_hypercall_init;
        Refused SoftResetCont = XEN_DOMCTL_soft_reset_cont, "Xen's continuation of a soft reset, not for guests";
        Done Settimeoffset = XEN_DOMCTL_settimeoffset;
        Done Getvcpuaffinity = XEN_DOMCTL_getvcpuaffinity;
        Refused RealModeArea = XEN_DOMCTL_real_mode_area, "obsolete, PowerPC only";
        Done Resumedomain = XEN_DOMCTL_resumedomain;
        Done Sendtrigger = XEN_DOMCTL_sendtrigger => DomctlTrigger;
        Done Subscribe = XEN_DOMCTL_subscribe;
        Done Gethvmcontext = XEN_DOMCTL_gethvmcontext, "a PV domain has none: EINVAL";
        Done Sethvmcontext = XEN_DOMCTL_sethvmcontext, "a PV domain has none: EINVAL";
        Done SetAddressSize = XEN_DOMCTL_set_address_size;
        Done GetAddressSize = XEN_DOMCTL_get_address_size;
        Done AssignDevice = XEN_DOMCTL_assign_device, "PV domains, without an I/O MMU";
        Done BindPtIrq = XEN_DOMCTL_bind_pt_irq, "for HVM domains: EINVAL";
        Done MemoryMapping = XEN_DOMCTL_memory_mapping;
        Done IoportMapping = XEN_DOMCTL_ioport_mapping;
        Done SetExtVcpucontext = XEN_DOMCTL_set_ext_vcpucontext;
        Done GetExtVcpucontext = XEN_DOMCTL_get_ext_vcpucontext;
        Refused SetOptFeature = XEN_DOMCTL_set_opt_feature, "obsolete, Itanium only";
        Done TestAssignDevice = XEN_DOMCTL_test_assign_device, "no I/O MMU is used: EOPNOTSUPP";
        Done SetTarget = XEN_DOMCTL_set_target, "for HVM domains: EOPNOTSUPP";
        Done DeassignDevice = XEN_DOMCTL_deassign_device, "PV domains, without an I/O MMU";
        Done UnbindPtIrq = XEN_DOMCTL_unbind_pt_irq, "for HVM domains: EINVAL";
        Done GetDeviceGroup = XEN_DOMCTL_get_device_group, "no I/O MMU is used: EOPNOTSUPP";
        Done DebugOp = XEN_DOMCTL_debug_op => DomctlDebugOp, "for HVM domains: EINVAL";
        Done GethvmcontextPartial = XEN_DOMCTL_gethvmcontext_partial, "a PV domain has none: EINVAL";
        Done VmEventOp = XEN_DOMCTL_vm_event_op => DomctlVmEventOp;
        Refused MemSharingOp = XEN_DOMCTL_mem_sharing_op, "off in Debian's Xen";
        Done Gettscinfo = XEN_DOMCTL_gettscinfo;
        Done Settscinfo = XEN_DOMCTL_settscinfo;
        Done Getpageframeinfo3 = XEN_DOMCTL_getpageframeinfo3;
        Done Setvcpuextstate = XEN_DOMCTL_setvcpuextstate;
        Done Getvcpuextstate = XEN_DOMCTL_getvcpuextstate;
        Done SetAccessRequired = XEN_DOMCTL_set_access_required, "of no consequence for PV domains";
        Refused AuditP2m = XEN_DOMCTL_audit_p2m, "in debug builds of Xen only";
        Done SetVirqHandler = XEN_DOMCTL_set_virq_handler;
        Done SetBrokenPageP2m = XEN_DOMCTL_set_broken_page_p2m, "for HVM domains: EINVAL";
        Done Setnodeaffinity = XEN_DOMCTL_setnodeaffinity;
        Done Getnodeaffinity = XEN_DOMCTL_getnodeaffinity;
        Refused Cacheflush = XEN_DOMCTL_cacheflush, "Arm only";
        Done GetVcpuMsrs = XEN_DOMCTL_get_vcpu_msrs;
        Done SetVcpuMsrs = XEN_DOMCTL_set_vcpu_msrs;
        Done Setvnumainfo = XEN_DOMCTL_setvnumainfo;
        Done PsrCmtOp = XEN_DOMCTL_psr_cmt_op => DomctlPsrCmtOp, "caches are not watched: ENODEV";
        Done MonitorOp = XEN_DOMCTL_monitor_op => DomctlMonitorOp;
        Done PsrAlloc = XEN_DOMCTL_psr_alloc => DomctlPsrAllocOp, "caches are not divided: ENODEV";
        Done SoftReset = XEN_DOMCTL_soft_reset, "for HVM domains: EINVAL";
        Refused VuartOp = XEN_DOMCTL_vuart_op, "Arm only";
        Done GetCpuPolicy = XEN_DOMCTL_get_cpu_policy;
        Done SetCpuPolicy = XEN_DOMCTL_set_cpu_policy;
        Done VmtraceOp = XEN_DOMCTL_vmtrace_op => DomctlVmtraceOp, "processors are not traced: EINVAL";
        Done GetPagingMempoolSize = XEN_DOMCTL_get_paging_mempool_size, "for HVM domains: EOPNOTSUPP";
        Done SetPagingMempoolSize = XEN_DOMCTL_set_paging_mempool_size, "for HVM domains: EOPNOTSUPP";
        Refused GdbsxGuestmemio = XEN_DOMCTL_gdbsx_guestmemio, "not in Debian's Xen";
        Refused GdbsxPausevcpu = XEN_DOMCTL_gdbsx_pausevcpu, "not in Debian's Xen";
        Refused GdbsxUnpausevcpu = XEN_DOMCTL_gdbsx_unpausevcpu, "not in Debian's Xen";
        Refused GdbsxDomstatus = XEN_DOMCTL_gdbsx_domstatus, "not in Debian's Xen";
    }

    /// Operations of `XEN_DOMCTL_shadow_op` that are done.
    DomctlShadowOp in domctl {
        Done Off = XEN_DOMCTL_SHADOW_OP_OFF, "there are no shadow page tables: EINVAL";
        Done Enable = XEN_DOMCTL_SHADOW_OP_ENABLE, "writes are not logged: EOPNOTSUPP, as Debian's Xen";
        Done Clean = XEN_DOMCTL_SHADOW_OP_CLEAN, "of a log that was not begun";
        Done Peek = XEN_DOMCTL_SHADOW_OP_PEEK, "of a log that was not begun";
        Done GetAllocation = XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION, "there are no shadow page tables: EINVAL";
        Done SetAllocation = XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION, "there are no shadow page tables: EINVAL";
        Done EnableTest = XEN_DOMCTL_SHADOW_OP_ENABLE_TEST, "there are no shadow page tables: EINVAL";
        Done EnableLogdirty = XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, "writes are not logged: EOPNOTSUPP, as Debian's Xen";
    }

    /// Operations of `XEN_DOMCTL_scheduler_op` that are done.
    DomctlSchedulerOp in domctl {
        Done Putinfo = XEN_DOMCTL_SCHEDOP_putinfo;
        Done Getinfo = XEN_DOMCTL_SCHEDOP_getinfo;
        Done Putvcpuinfo = XEN_DOMCTL_SCHEDOP_putvcpuinfo;
        Done Getvcpuinfo = XEN_DOMCTL_SCHEDOP_getvcpuinfo;
    }

    /// Triggers of `XEN_DOMCTL_sendtrigger` that are done.
    DomctlTrigger in domctl {
        Done Nmi = XEN_DOMCTL_SENDTRIGGER_NMI;
        Refused Reset = XEN_DOMCTL_SENDTRIGGER_RESET, "Itanium only";
        Refused Init = XEN_DOMCTL_SENDTRIGGER_INIT, "Itanium only";
        Done Power = XEN_DOMCTL_SENDTRIGGER_POWER, "for HVM domains: EINVAL";
        Done Sleep = XEN_DOMCTL_SENDTRIGGER_SLEEP, "for HVM domains: EINVAL";
    }

    /// Operations of `XEN_DOMCTL_debug_op` that are done.
    DomctlDebugOp in domctl {
        Done SingleStepOff = XEN_DOMCTL_DEBUG_OP_SINGLE_STEP_OFF, "for HVM domains: EINVAL";
        Done SingleStepOn = XEN_DOMCTL_DEBUG_OP_SINGLE_STEP_ON, "for HVM domains: EINVAL";
    }

    /// Rings of `XEN_DOMCTL_vm_event_op` that are done.
    DomctlVmEventOp in domctl {
        Refused Paging = XEN_DOMCTL_VM_EVENT_OP_PAGING, "off in Debian's Xen";
        Done Monitor = XEN_DOMCTL_VM_EVENT_OP_MONITOR, "for HVM domains: ENODEV";
        Refused Sharing = XEN_DOMCTL_VM_EVENT_OP_SHARING, "off in Debian's Xen";
    }

    /// Operations of `XEN_DOMCTL_monitor_op` that are done.
    DomctlMonitorOp in domctl {
        Done Enable = XEN_DOMCTL_MONITOR_OP_ENABLE, "for HVM domains: EOPNOTSUPP";
        Done Disable = XEN_DOMCTL_MONITOR_OP_DISABLE, "for HVM domains: EOPNOTSUPP";
        Done GetCapabilities = XEN_DOMCTL_MONITOR_OP_GET_CAPABILITIES, "none for PV domains";
        Done EmulateEachRep = XEN_DOMCTL_MONITOR_OP_EMULATE_EACH_REP, "for HVM domains: EINVAL";
        Done ControlRegisters = XEN_DOMCTL_MONITOR_OP_CONTROL_REGISTERS, "for HVM domains: EOPNOTSUPP";
    }

    /// Operations of `XEN_DOMCTL_psr_cmt_op` that are done.
    DomctlPsrCmtOp in domctl {
        Done Detach = XEN_DOMCTL_PSR_CMT_OP_DETACH, "ENODEV";
        Done Attach = XEN_DOMCTL_PSR_CMT_OP_ATTACH, "ENODEV";
        Done QueryRmid = XEN_DOMCTL_PSR_CMT_OP_QUERY_RMID, "ENODEV";
    }

    /// Operations of `XEN_DOMCTL_psr_alloc` that are done.
    DomctlPsrAllocOp in domctl {
        Done SetL3Cbm = XEN_DOMCTL_PSR_SET_L3_CBM, "ENODEV";
        Done GetL3Cbm = XEN_DOMCTL_PSR_GET_L3_CBM, "ENODEV";
        Done SetL3Code = XEN_DOMCTL_PSR_SET_L3_CODE, "ENODEV";
        Done SetL3Data = XEN_DOMCTL_PSR_SET_L3_DATA, "ENODEV";
        Done GetL3Code = XEN_DOMCTL_PSR_GET_L3_CODE, "ENODEV";
        Done GetL3Data = XEN_DOMCTL_PSR_GET_L3_DATA, "ENODEV";
        Done SetL2Cbm = XEN_DOMCTL_PSR_SET_L2_CBM, "ENODEV";
        Done GetL2Cbm = XEN_DOMCTL_PSR_GET_L2_CBM, "ENODEV";
        Done SetMbaThrtl = XEN_DOMCTL_PSR_SET_MBA_THRTL, "ENODEV";
        Done GetMbaThrtl = XEN_DOMCTL_PSR_GET_MBA_THRTL, "ENODEV";
    }

    /// Operations of `XEN_DOMCTL_vmtrace_op` that are done.
    DomctlVmtraceOp in domctl {
        Done Enable = XEN_DOMCTL_vmtrace_enable, "EINVAL";
        Done Disable = XEN_DOMCTL_vmtrace_disable, "EINVAL";
        Done ResetAndEnable = XEN_DOMCTL_vmtrace_reset_and_enable, "EINVAL";
        Done OutputPosition = XEN_DOMCTL_vmtrace_output_position, "EINVAL";
        Done GetOption = XEN_DOMCTL_vmtrace_get_option, "EINVAL";
        Done SetOption = XEN_DOMCTL_vmtrace_set_option, "EINVAL";
    }
}
