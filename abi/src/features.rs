//! `features.h`: bits of the feature bitmap (`XENVER_get_features`) and of the kernel's ELF notes.

constants! {
    u32, "Bit number of a feature." {
        /// The guest may write its page tables.
        XENFEAT_writable_page_tables = 0,
        /// The guest may write its descriptor tables.
        XENFEAT_writable_descriptor_tables = 1,
        /// Guest frames are translated by the hypervisor.
        XENFEAT_auto_translated_physmap = 2,
        /// The guest runs in ring 0.
        XENFEAT_supervisor_mode_kernel = 3,
        /// Top-level tables of a 32-bit guest may lie above 4 GiB.
        XENFEAT_pae_pgdir_above_4gb = 4,
        /// `MMU_PT_UPDATE_PRESERVE_AD` is there.
        XENFEAT_mmu_pt_update_preserve_ad = 5,
        /// `MMUEXT_CLEAR_PAGE` and `MMUEXT_COPY_PAGE` are there.
        XENFEAT_highmem_assist = 6,
        /// Grant maps put the guest's available bits into the entry.
        XENFEAT_gnttab_map_avail_bits = 7,
        /// HVM guests: callback by vector.
        XENFEAT_hvm_callback_vector = 8,
        /// HVM guests: the PV clock is safe.
        XENFEAT_hvm_safe_pvclock = 9,
        /// HVM guests: physical interrupts over event channels.
        XENFEAT_hvm_pirqs = 10,
        /// Can be, or is, the first domain.
        XENFEAT_dom0 = 11,
        /// `XENMEMF_vnode` is there.
        XENFEAT_memory_op_vnode_supported = 13,
        /// Arm only.
        XENFEAT_ARM_SMCCC_supported = 14,
        /// PVH: the RSDP may lie anywhere.
        XENFEAT_linux_rsdp_unrestricted = 15,
        /// Guest frames are not machine frames.
        XENFEAT_not_direct_mapped = 16,
        /// Guest frames are machine frames.
        XENFEAT_direct_mapped = 17,
        /// 32-bit words of the bitmap.
        XENFEAT_NR_SUBMAPS = 1,
    }
}

/// This header has no structures.
pub const STRUCTURES: &[crate::layout::StructLayout] = &[];
