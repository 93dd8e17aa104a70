//! The rows of `hvm_op` and `dm_op`.

operations! {
    /// Operations of `hvm_op` that are done.
    HvmOp in hvm_op {
        Done SetParam = HVMOP_set_param, "EINVAL: no HVM domains";
        Done GetParam = HVMOP_get_param, "EINVAL: no HVM domains";
        Done FlushTlbs = HVMOP_flush_tlbs, "EINVAL: no HVM domains";
        Done PagetableDying = HVMOP_pagetable_dying, "EINVAL: no HVM domains";
        Done GetTime = HVMOP_get_time;
        Done Xentrace = HVMOP_xentrace, "nothing is traced";
        Refused SetMemAccess = HVMOP_set_mem_access, "moved to memory_op in Xen 4.5";
        Refused GetMemAccess = HVMOP_get_mem_access, "moved to memory_op in Xen 4.5";
        Done GetMemType = HVMOP_get_mem_type, "EINVAL: no HVM domains";
        Done SetEvtchnUpcallVector = HVMOP_set_evtchn_upcall_vector, "EINVAL: no HVM domains";
        Done GuestRequestVmEvent = HVMOP_guest_request_vm_event, "EINVAL: no HVM domains";
        Done Altp2m = HVMOP_altp2m => Altp2mOp, "EOPNOTSUPP";
    }

    /// Operations of `HVMOP_altp2m` that are done.
    Altp2mOp in hvm_op {
        Missing GetDomainState = HVMOP_altp2m_get_domain_state;
        Missing SetDomainState = HVMOP_altp2m_set_domain_state;
        Missing VcpuEnableNotify = HVMOP_altp2m_vcpu_enable_notify;
        Missing CreateP2m = HVMOP_altp2m_create_p2m;
        Missing DestroyP2m = HVMOP_altp2m_destroy_p2m;
        Missing SwitchP2m = HVMOP_altp2m_switch_p2m;
        Missing SetMemAccess = HVMOP_altp2m_set_mem_access;
        Missing ChangeGfn = HVMOP_altp2m_change_gfn;
        Missing SetMemAccessMulti = HVMOP_altp2m_set_mem_access_multi;
        Missing SetSuppressVe = HVMOP_altp2m_set_suppress_ve;
        Missing GetSuppressVe = HVMOP_altp2m_get_suppress_ve;
        Missing GetMemAccess = HVMOP_altp2m_get_mem_access;
        Missing VcpuDisableNotify = HVMOP_altp2m_vcpu_disable_notify;
        Missing GetP2mIdx = HVMOP_altp2m_get_p2m_idx;
        Missing SetSuppressVeMulti = HVMOP_altp2m_set_suppress_ve_multi;
        Missing SetVisibility = HVMOP_altp2m_set_visibility;
    }

    /// Operations of `dm_op` that are done.
    DeviceModelOp in dm_op {
        Missing CreateIoreqServer = XEN_DMOP_create_ioreq_server;
        Missing GetIoreqServerInfo = XEN_DMOP_get_ioreq_server_info;
        Missing MapIoRangeToIoreqServer = XEN_DMOP_map_io_range_to_ioreq_server;
        Missing UnmapIoRangeFromIoreqServer = XEN_DMOP_unmap_io_range_from_ioreq_server;
        Missing SetIoreqServerState = XEN_DMOP_set_ioreq_server_state;
        Missing DestroyIoreqServer = XEN_DMOP_destroy_ioreq_server;
        Missing TrackDirtyVram = XEN_DMOP_track_dirty_vram;
        Missing SetPciIntxLevel = XEN_DMOP_set_pci_intx_level;
        Missing SetIsaIrqLevel = XEN_DMOP_set_isa_irq_level;
        Missing SetPciLinkRoute = XEN_DMOP_set_pci_link_route;
        Missing ModifiedMemory = XEN_DMOP_modified_memory;
        Missing SetMemType = XEN_DMOP_set_mem_type;
        Missing InjectEvent = XEN_DMOP_inject_event;
        Missing InjectMsi = XEN_DMOP_inject_msi;
        Missing MapMemTypeToIoreqServer = XEN_DMOP_map_mem_type_to_ioreq_server;
        Missing RemoteShutdown = XEN_DMOP_remote_shutdown;
        Missing RelocateMemory = XEN_DMOP_relocate_memory;
        Missing PinMemoryCacheattr = XEN_DMOP_pin_memory_cacheattr;
        Missing SetIrqLevel = XEN_DMOP_set_irq_level;
        Missing NrVcpus = XEN_DMOP_nr_vcpus;
    }
}
