//! The rows of `memory_op`, `mmu_update`, `mmuext_op` and `vm_assist`.

operations! {
    /// Operations of `memory_op` that are done.
    MemoryOp in memory {
        Done IncreaseReservation = XENMEM_increase_reservation;
        Done DecreaseReservation = XENMEM_decrease_reservation;
        Done MaximumRamPage = XENMEM_maximum_ram_page;
        Done CurrentReservation = XENMEM_current_reservation;
        Done MaximumReservation = XENMEM_maximum_reservation;
        Done MachphysMfnList = XENMEM_machphys_mfn_list;
        Done PopulatePhysmap = XENMEM_populate_physmap;
        Done AddToPhysmap = XENMEM_add_to_physmap => MapSpace, "answers EACCES: only translated domains have a map";
        Done MemoryMap = XENMEM_memory_map;
        Done MachineMemoryMap = XENMEM_machine_memory_map;
        Done Exchange = XENMEM_exchange;
        Done MachphysMapping = XENMEM_machphys_mapping;
        Done SetMemoryMap = XENMEM_set_memory_map;
        Done MaximumGpfn = XENMEM_maximum_gpfn;
        Done RemoveFromPhysmap = XENMEM_remove_from_physmap, "answers EACCES: only translated domains have a map";
        Done SetPodTarget = XENMEM_set_pod_target, "answers EINVAL: only translated domains are populated on demand";
        Done GetPodTarget = XENMEM_get_pod_target, "answers EINVAL: only translated domains are populated on demand";
        Done GetSharingFreedPages = XENMEM_get_sharing_freed_pages, "nothing is shared: 0";
        Done GetSharingSharedPages = XENMEM_get_sharing_shared_pages, "nothing is shared: 0";
        Missing PagingOp = XENMEM_paging_op => PagingOp;
        Missing AccessOp = XENMEM_access_op => AccessOp;
        Missing SharingOp = XENMEM_sharing_op => SharingOp;
        Done AddToPhysmapBatch = XENMEM_add_to_physmap_batch, "answers EACCES: only translated domains have a map";
        Done ClaimPages = XENMEM_claim_pages;
        Missing MachphysCompatMfnList = XENMEM_machphys_compat_mfn_list, "with 32-bit guests";
        Done GetVnumainfo = XENMEM_get_vnumainfo;
        Done ReservedDeviceMemoryMap = XENMEM_reserved_device_memory_map, "without an I/O MMU nothing is reserved: no entries";
        Done AcquireResource = XENMEM_acquire_resource => ResourceType;
    }

    /// Spaces of `XENMEM_add_to_physmap` that are done.
    MapSpace in memory {
        Missing SharedInfo = XENMAPSPACE_shared_info;
        Missing GrantTable = XENMAPSPACE_grant_table;
        Missing Gmfn = XENMAPSPACE_gmfn;
        Missing GmfnRange = XENMAPSPACE_gmfn_range;
        Missing GmfnForeign = XENMAPSPACE_gmfn_foreign;
        Refused DevMmio = XENMAPSPACE_dev_mmio, "Arm only";
    }

    /// Operations of `XENMEM_paging_op` that are done.
    PagingOp in memory {
        Missing Nominate = XENMEM_paging_op_nominate;
        Missing Evict = XENMEM_paging_op_evict;
        Missing Prep = XENMEM_paging_op_prep;
    }

    /// Operations of `XENMEM_access_op` that are done.
    AccessOp in memory {
        Missing SetAccess = XENMEM_access_op_set_access;
        Missing GetAccess = XENMEM_access_op_get_access;
        Missing SetAccessMulti = XENMEM_access_op_set_access_multi;
    }

    /// Operations of `XENMEM_sharing_op` that are done.
    SharingOp in memory {
        Missing NominateGfn = XENMEM_sharing_op_nominate_gfn;
        Missing NominateGref = XENMEM_sharing_op_nominate_gref;
        Missing Share = XENMEM_sharing_op_share;
        Missing DebugGfn = XENMEM_sharing_op_debug_gfn;
        Missing DebugMfn = XENMEM_sharing_op_debug_mfn;
        Missing DebugGref = XENMEM_sharing_op_debug_gref;
        Missing AddPhysmap = XENMEM_sharing_op_add_physmap;
        Missing Audit = XENMEM_sharing_op_audit;
        Missing RangeShare = XENMEM_sharing_op_range_share;
        Missing Fork = XENMEM_sharing_op_fork;
        Missing ForkReset = XENMEM_sharing_op_fork_reset;
    }

    /// Types of `XENMEM_acquire_resource` that are done.
    ResourceType in memory {
        Missing IoreqServer = XENMEM_resource_ioreq_server;
        Done GrantTable = XENMEM_resource_grant_table;
        Missing VmtraceBuf = XENMEM_resource_vmtrace_buf;
    }

    /// Commands of `mmu_update` that are done.
    MmuUpdateOp in xen {
        Done NormalPtUpdate = MMU_NORMAL_PT_UPDATE;
        Done MachphysUpdate = MMU_MACHPHYS_UPDATE;
        Done PtUpdatePreserveAd = MMU_PT_UPDATE_PRESERVE_AD;
        Done PtUpdateNoTranslate = MMU_PT_UPDATE_NO_TRANSLATE;
    }

    /// Commands of `mmuext_op` that are done.
    MmuextOp in xen {
        Done PinL1Table = MMUEXT_PIN_L1_TABLE;
        Done PinL2Table = MMUEXT_PIN_L2_TABLE;
        Done PinL3Table = MMUEXT_PIN_L3_TABLE;
        Done PinL4Table = MMUEXT_PIN_L4_TABLE;
        Done UnpinTable = MMUEXT_UNPIN_TABLE;
        Done NewBaseptr = MMUEXT_NEW_BASEPTR;
        Done TlbFlushLocal = MMUEXT_TLB_FLUSH_LOCAL;
        Done InvlpgLocal = MMUEXT_INVLPG_LOCAL;
        Done TlbFlushMulti = MMUEXT_TLB_FLUSH_MULTI;
        Done InvlpgMulti = MMUEXT_INVLPG_MULTI;
        Done TlbFlushAll = MMUEXT_TLB_FLUSH_ALL;
        Done InvlpgAll = MMUEXT_INVLPG_ALL;
        Done FlushCache = MMUEXT_FLUSH_CACHE;
        Done SetLdt = MMUEXT_SET_LDT;
        Done NewUserBaseptr = MMUEXT_NEW_USER_BASEPTR;
        Done ClearPage = MMUEXT_CLEAR_PAGE;
        Done CopyPage = MMUEXT_COPY_PAGE;
        Done FlushCacheGlobal = MMUEXT_FLUSH_CACHE_GLOBAL;
        Done MarkSuper = MMUEXT_MARK_SUPER, "answers EOPNOTSUPP, as Xen 4.17 does";
        Done UnmarkSuper = MMUEXT_UNMARK_SUPER, "answers EOPNOTSUPP, as Xen 4.17 does";
    }

    /// Types of `vm_assist` that are done.
    AssistType in xen {
        Done FourGbSegments = VMASST_TYPE_4gb_segments, "accepted; means something to 32-bit guests only";
        Done FourGbSegmentsNotify = VMASST_TYPE_4gb_segments_notify, "accepted; means something to 32-bit guests only";
        Done WritablePagetables = VMASST_TYPE_writable_pagetables;
        Done PaeExtendedCr3 = VMASST_TYPE_pae_extended_cr3, "accepted; means something to 32-bit guests only";
        Done ArchitecturalIopl = VMASST_TYPE_architectural_iopl;
        Done RunstateUpdateFlag = VMASST_TYPE_runstate_update_flag;
        Done M2pStrict = VMASST_TYPE_m2p_strict;
    }
}
