//! The rows of `mca`, `xenpmu_op`, `kexec_op`, `hypfs_op`, `argo_op`, `xenoprof_op` and `xsm_op`.

operations! {
    /// Operations of `mca` that are done.
    MachineCheckOp in mca {
        Done Fetch = XEN_MC_fetch;
        Missing Notifydomain = XEN_MC_notifydomain;
        Done Physcpuinfo = XEN_MC_physcpuinfo;
        Missing Msrinject = XEN_MC_msrinject;
        Missing Mceinject = XEN_MC_mceinject;
        Missing InjectV2 = XEN_MC_inject_v2;
    }

    /// Operations of `xenpmu_op` that are done.
    XenpmuOp in xenpmu {
        Refused ModeGet = XENPMU_mode_get, "EOPNOTSUPP";
        Refused ModeSet = XENPMU_mode_set, "EOPNOTSUPP";
        Refused FeatureGet = XENPMU_feature_get, "EOPNOTSUPP";
        Refused FeatureSet = XENPMU_feature_set, "EOPNOTSUPP";
        Refused Init = XENPMU_init, "EOPNOTSUPP";
        Refused Finish = XENPMU_finish, "EOPNOTSUPP";
        Refused LvtpcSet = XENPMU_lvtpc_set, "EOPNOTSUPP";
        Refused Flush = XENPMU_flush, "EOPNOTSUPP";
    }

    /// Operations of `kexec_op` that are done.
    KexecOp in kexec {
        Done Kexec = KEXEC_CMD_kexec, "nothing is ever loaded: ENOENT";
        Refused KexecLoadV1 = KEXEC_CMD_kexec_load_v1, "obsolete since 4.4";
        Refused KexecUnloadV1 = KEXEC_CMD_kexec_unload_v1, "obsolete since 4.4";
        Done KexecGetRange = KEXEC_CMD_kexec_get_range, "the image; no crash area, no notes";
        Done KexecLoad = KEXEC_CMD_kexec_load, "EADDRNOTAVAIL: no memory is set aside";
        Done KexecUnload = KEXEC_CMD_kexec_unload;
        Done KexecStatus = KEXEC_CMD_kexec_status;
    }

    /// Operations of `hypfs_op` that are done.
    HypfsOp in hypfs {
        Done GetVersion = XEN_HYPFS_OP_get_version;
        Done Read = XEN_HYPFS_OP_read;
        Done WriteContents = XEN_HYPFS_OP_write_contents;
    }

    /// Operations of `argo_op` that are done.
    ArgoOp in argo {
        Refused RegisterRing = XEN_ARGO_OP_register_ring;
        Refused UnregisterRing = XEN_ARGO_OP_unregister_ring;
        Refused Sendv = XEN_ARGO_OP_sendv;
        Refused Notify = XEN_ARGO_OP_notify;
    }

    /// Operations of `xenoprof_op` that are done.
    ProfileOp in xenoprof {
        Missing Init = XENOPROF_init;
        Missing ResetActiveList = XENOPROF_reset_active_list;
        Missing ResetPassiveList = XENOPROF_reset_passive_list;
        Missing SetActive = XENOPROF_set_active;
        Missing SetPassive = XENOPROF_set_passive;
        Missing ReserveCounters = XENOPROF_reserve_counters;
        Missing Counter = XENOPROF_counter;
        Missing SetupEvents = XENOPROF_setup_events;
        Missing EnableVirq = XENOPROF_enable_virq;
        Missing Start = XENOPROF_start;
        Missing Stop = XENOPROF_stop;
        Missing DisableVirq = XENOPROF_disable_virq;
        Missing ReleaseCounters = XENOPROF_release_counters;
        Missing Shutdown = XENOPROF_shutdown;
        Missing GetBuffer = XENOPROF_get_buffer;
        Missing SetBacktrace = XENOPROF_set_backtrace;
        Missing GetIbsCaps = XENOPROF_get_ibs_caps;
        Missing IbsCounter = XENOPROF_ibs_counter;
    }

    /// Operations of `xsm_op` that are done.
    FlaskOp in flask {
        Refused Load = FLASK_LOAD;
        Refused Getenforce = FLASK_GETENFORCE;
        Refused Setenforce = FLASK_SETENFORCE;
        Refused ContextToSid = FLASK_CONTEXT_TO_SID;
        Refused SidToContext = FLASK_SID_TO_CONTEXT;
        Refused Access = FLASK_ACCESS;
        Refused Create = FLASK_CREATE;
        Refused Relabel = FLASK_RELABEL;
        Refused User = FLASK_USER;
        Refused Policyvers = FLASK_POLICYVERS;
        Refused Getbool = FLASK_GETBOOL;
        Refused Setbool = FLASK_SETBOOL;
        Refused Commitbools = FLASK_COMMITBOOLS;
        Refused Mls = FLASK_MLS;
        Refused Disable = FLASK_DISABLE;
        Refused GetavcThreshold = FLASK_GETAVC_THRESHOLD;
        Refused SetavcThreshold = FLASK_SETAVC_THRESHOLD;
        Refused AvcHashstats = FLASK_AVC_HASHSTATS;
        Refused AvcCachestats = FLASK_AVC_CACHESTATS;
        Refused Member = FLASK_MEMBER;
        Refused AddOcontext = FLASK_ADD_OCONTEXT;
        Refused DelOcontext = FLASK_DEL_OCONTEXT;
        Refused GetPeerSid = FLASK_GET_PEER_SID;
        Refused RelabelDomain = FLASK_RELABEL_DOMAIN;
        Refused DevicetreeLabel = FLASK_DEVICETREE_LABEL;
    }
}
