//! The rows of `vcpu_op`, `sched_op`, `callback_op`, `set_segment_base` and `nmi_op`.

operations! {
    /// Operations of `vcpu_op` that are done.
    VcpuOp in vcpu {
        Done Initialise = VCPUOP_initialise;
        Done Up = VCPUOP_up;
        Done Down = VCPUOP_down;
        Done IsUp = VCPUOP_is_up;
        Done GetRunstateInfo = VCPUOP_get_runstate_info;
        Done RegisterRunstateMemoryArea = VCPUOP_register_runstate_memory_area;
        Done SetPeriodicTimer = VCPUOP_set_periodic_timer;
        Done StopPeriodicTimer = VCPUOP_stop_periodic_timer;
        Done SetSingleshotTimer = VCPUOP_set_singleshot_timer;
        Done StopSingleshotTimer = VCPUOP_stop_singleshot_timer;
        Done RegisterVcpuInfo = VCPUOP_register_vcpu_info;
        Done SendNmi = VCPUOP_send_nmi;
        Done GetPhysid = VCPUOP_get_physid;
        Done RegisterVcpuTimeMemoryArea = VCPUOP_register_vcpu_time_memory_area;
    }

    /// Operations of `sched_op` that are done.
    SchedOp in sched {
        Done Yield = SCHEDOP_yield;
        Done Block = SCHEDOP_block;
        Done Shutdown = SCHEDOP_shutdown;
        Done Poll = SCHEDOP_poll;
        Done RemoteShutdown = SCHEDOP_remote_shutdown;
        Done ShutdownCode = SCHEDOP_shutdown_code;
        Done Watchdog = SCHEDOP_watchdog;
        Done PinOverride = SCHEDOP_pin_override;
    }

    /// Operations of `callback_op` that are done.
    CallbackOp in callback {
        Done Register = CALLBACKOP_register => CallbackType;
        Done Unregister = CALLBACKOP_unregister;
    }

    /// Entry points of `callback_op` that are done.
    CallbackType in callback {
        Done Event = CALLBACKTYPE_event;
        Done Failsafe = CALLBACKTYPE_failsafe;
        Done Syscall = CALLBACKTYPE_syscall;
        Refused SysenterDeprecated = CALLBACKTYPE_sysenter_deprecated, "for 32-bit hypervisors only";
        Done Nmi = CALLBACKTYPE_nmi;
        Done Sysenter = CALLBACKTYPE_sysenter;
        Done Syscall32 = CALLBACKTYPE_syscall32;
    }

    /// Bases of `set_segment_base` that are done.
    SegmentBase in arch_x86 {
        Done Fs = SEGBASE_FS;
        Done GsUser = SEGBASE_GS_USER;
        Done GsKernel = SEGBASE_GS_KERNEL;
        Done GsUserSelector = SEGBASE_GS_USER_SEL;
    }

    /// Operations of `nmi_op` that are done.
    NmiOp in nmi {
        Done RegisterCallback = XENNMI_register_callback;
        Done UnregisterCallback = XENNMI_unregister_callback;
    }
}
