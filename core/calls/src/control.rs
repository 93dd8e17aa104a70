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
        Missing ShadowOp = XEN_DOMCTL_shadow_op => DomctlShadowOp;
        Done MaxMem = XEN_DOMCTL_max_mem;
        Done Setvcpucontext = XEN_DOMCTL_setvcpucontext;
        Done Getvcpucontext = XEN_DOMCTL_getvcpucontext;
        Done Getvcpuinfo = XEN_DOMCTL_getvcpuinfo;
        Done MaxVcpus = XEN_DOMCTL_max_vcpus;
        Done SchedulerOp = XEN_DOMCTL_scheduler_op => DomctlSchedulerOp;
        Done Setdomainhandle = XEN_DOMCTL_setdomainhandle;
        Missing Setdebugging = XEN_DOMCTL_setdebugging;
        Done IrqPermission = XEN_DOMCTL_irq_permission;
        Done IomemPermission = XEN_DOMCTL_iomem_permission;
        Done IoportPermission = XEN_DOMCTL_ioport_permission;
        Done HypercallInit = XEN_DOMCTL_hypercall_init;
        Refused SoftResetCont = XEN_DOMCTL_soft_reset_cont, "Xen's continuation of a soft reset, not for guests";
        Done Settimeoffset = XEN_DOMCTL_settimeoffset;
        Done Getvcpuaffinity = XEN_DOMCTL_getvcpuaffinity;
        Refused RealModeArea = XEN_DOMCTL_real_mode_area, "obsolete, PowerPC only";
        Done Resumedomain = XEN_DOMCTL_resumedomain;
        Missing Sendtrigger = XEN_DOMCTL_sendtrigger => DomctlTrigger;
        Missing Subscribe = XEN_DOMCTL_subscribe;
        Missing Gethvmcontext = XEN_DOMCTL_gethvmcontext;
        Missing Sethvmcontext = XEN_DOMCTL_sethvmcontext;
        Done SetAddressSize = XEN_DOMCTL_set_address_size;
        Done GetAddressSize = XEN_DOMCTL_get_address_size;
        Missing AssignDevice = XEN_DOMCTL_assign_device;
        Missing BindPtIrq = XEN_DOMCTL_bind_pt_irq;
        Done MemoryMapping = XEN_DOMCTL_memory_mapping;
        Done IoportMapping = XEN_DOMCTL_ioport_mapping;
        Done SetExtVcpucontext = XEN_DOMCTL_set_ext_vcpucontext;
        Done GetExtVcpucontext = XEN_DOMCTL_get_ext_vcpucontext;
        Refused SetOptFeature = XEN_DOMCTL_set_opt_feature, "obsolete, Itanium only";
        Missing TestAssignDevice = XEN_DOMCTL_test_assign_device;
        Missing SetTarget = XEN_DOMCTL_set_target;
        Missing DeassignDevice = XEN_DOMCTL_deassign_device;
        Missing UnbindPtIrq = XEN_DOMCTL_unbind_pt_irq;
        Missing GetDeviceGroup = XEN_DOMCTL_get_device_group;
        Missing DebugOp = XEN_DOMCTL_debug_op => DomctlDebugOp;
        Missing GethvmcontextPartial = XEN_DOMCTL_gethvmcontext_partial;
        Missing VmEventOp = XEN_DOMCTL_vm_event_op => DomctlVmEventOp;
        Missing MemSharingOp = XEN_DOMCTL_mem_sharing_op;
        Done Gettscinfo = XEN_DOMCTL_gettscinfo;
        Done Settscinfo = XEN_DOMCTL_settscinfo;
        Done Getpageframeinfo3 = XEN_DOMCTL_getpageframeinfo3;
        Done Setvcpuextstate = XEN_DOMCTL_setvcpuextstate;
        Done Getvcpuextstate = XEN_DOMCTL_getvcpuextstate;
        Missing SetAccessRequired = XEN_DOMCTL_set_access_required;
        Missing AuditP2m = XEN_DOMCTL_audit_p2m;
        Missing SetVirqHandler = XEN_DOMCTL_set_virq_handler;
        Missing SetBrokenPageP2m = XEN_DOMCTL_set_broken_page_p2m;
        Done Setnodeaffinity = XEN_DOMCTL_setnodeaffinity;
        Done Getnodeaffinity = XEN_DOMCTL_getnodeaffinity;
        Refused Cacheflush = XEN_DOMCTL_cacheflush, "Arm only";
        Done GetVcpuMsrs = XEN_DOMCTL_get_vcpu_msrs;
        Done SetVcpuMsrs = XEN_DOMCTL_set_vcpu_msrs;
        Missing Setvnumainfo = XEN_DOMCTL_setvnumainfo;
        Missing PsrCmtOp = XEN_DOMCTL_psr_cmt_op => DomctlPsrCmtOp;
        Missing MonitorOp = XEN_DOMCTL_monitor_op => DomctlMonitorOp;
        Missing PsrAlloc = XEN_DOMCTL_psr_alloc => DomctlPsrAllocOp;
        Missing SoftReset = XEN_DOMCTL_soft_reset;
        Refused VuartOp = XEN_DOMCTL_vuart_op, "Arm only";
        Done GetCpuPolicy = XEN_DOMCTL_get_cpu_policy;
        Done SetCpuPolicy = XEN_DOMCTL_set_cpu_policy;
        Missing VmtraceOp = XEN_DOMCTL_vmtrace_op => DomctlVmtraceOp;
        Missing GetPagingMempoolSize = XEN_DOMCTL_get_paging_mempool_size;
        Missing SetPagingMempoolSize = XEN_DOMCTL_set_paging_mempool_size;
        Missing GdbsxGuestmemio = XEN_DOMCTL_gdbsx_guestmemio;
        Missing GdbsxPausevcpu = XEN_DOMCTL_gdbsx_pausevcpu;
        Missing GdbsxUnpausevcpu = XEN_DOMCTL_gdbsx_unpausevcpu;
        Missing GdbsxDomstatus = XEN_DOMCTL_gdbsx_domstatus;
    }

    /// Operations of `XEN_DOMCTL_shadow_op` that are done.
    DomctlShadowOp in domctl {
        Missing Off = XEN_DOMCTL_SHADOW_OP_OFF;
        Missing Enable = XEN_DOMCTL_SHADOW_OP_ENABLE;
        Missing Clean = XEN_DOMCTL_SHADOW_OP_CLEAN;
        Missing Peek = XEN_DOMCTL_SHADOW_OP_PEEK;
        Missing GetAllocation = XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION;
        Missing SetAllocation = XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION;
        Missing EnableTest = XEN_DOMCTL_SHADOW_OP_ENABLE_TEST;
        Missing EnableLogdirty = XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY;
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
        Missing Nmi = XEN_DOMCTL_SENDTRIGGER_NMI;
        Missing Reset = XEN_DOMCTL_SENDTRIGGER_RESET;
        Missing Init = XEN_DOMCTL_SENDTRIGGER_INIT;
        Missing Power = XEN_DOMCTL_SENDTRIGGER_POWER;
        Missing Sleep = XEN_DOMCTL_SENDTRIGGER_SLEEP;
    }

    /// Operations of `XEN_DOMCTL_debug_op` that are done.
    DomctlDebugOp in domctl {
        Missing SingleStepOff = XEN_DOMCTL_DEBUG_OP_SINGLE_STEP_OFF;
        Missing SingleStepOn = XEN_DOMCTL_DEBUG_OP_SINGLE_STEP_ON;
    }

    /// Rings of `XEN_DOMCTL_vm_event_op` that are done.
    DomctlVmEventOp in domctl {
        Missing Paging = XEN_DOMCTL_VM_EVENT_OP_PAGING;
        Missing Monitor = XEN_DOMCTL_VM_EVENT_OP_MONITOR;
        Missing Sharing = XEN_DOMCTL_VM_EVENT_OP_SHARING;
    }

    /// Operations of `XEN_DOMCTL_monitor_op` that are done.
    DomctlMonitorOp in domctl {
        Missing Enable = XEN_DOMCTL_MONITOR_OP_ENABLE;
        Missing Disable = XEN_DOMCTL_MONITOR_OP_DISABLE;
        Missing GetCapabilities = XEN_DOMCTL_MONITOR_OP_GET_CAPABILITIES;
        Missing EmulateEachRep = XEN_DOMCTL_MONITOR_OP_EMULATE_EACH_REP;
        Missing ControlRegisters = XEN_DOMCTL_MONITOR_OP_CONTROL_REGISTERS;
    }

    /// Operations of `XEN_DOMCTL_psr_cmt_op` that are done.
    DomctlPsrCmtOp in domctl {
        Missing Detach = XEN_DOMCTL_PSR_CMT_OP_DETACH;
        Missing Attach = XEN_DOMCTL_PSR_CMT_OP_ATTACH;
        Missing QueryRmid = XEN_DOMCTL_PSR_CMT_OP_QUERY_RMID;
    }

    /// Operations of `XEN_DOMCTL_psr_alloc` that are done.
    DomctlPsrAllocOp in domctl {
        Missing SetL3Cbm = XEN_DOMCTL_PSR_SET_L3_CBM;
        Missing GetL3Cbm = XEN_DOMCTL_PSR_GET_L3_CBM;
        Missing SetL3Code = XEN_DOMCTL_PSR_SET_L3_CODE;
        Missing SetL3Data = XEN_DOMCTL_PSR_SET_L3_DATA;
        Missing GetL3Code = XEN_DOMCTL_PSR_GET_L3_CODE;
        Missing GetL3Data = XEN_DOMCTL_PSR_GET_L3_DATA;
        Missing SetL2Cbm = XEN_DOMCTL_PSR_SET_L2_CBM;
        Missing GetL2Cbm = XEN_DOMCTL_PSR_GET_L2_CBM;
        Missing SetMbaThrtl = XEN_DOMCTL_PSR_SET_MBA_THRTL;
        Missing GetMbaThrtl = XEN_DOMCTL_PSR_GET_MBA_THRTL;
    }

    /// Operations of `XEN_DOMCTL_vmtrace_op` that are done.
    DomctlVmtraceOp in domctl {
        Missing Enable = XEN_DOMCTL_vmtrace_enable;
        Missing Disable = XEN_DOMCTL_vmtrace_disable;
        Missing ResetAndEnable = XEN_DOMCTL_vmtrace_reset_and_enable;
        Missing OutputPosition = XEN_DOMCTL_vmtrace_output_position;
        Missing GetOption = XEN_DOMCTL_vmtrace_get_option;
        Missing SetOption = XEN_DOMCTL_vmtrace_set_option;
    }
}
