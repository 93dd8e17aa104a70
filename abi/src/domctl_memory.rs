//! `domctl.h`: requests about a domain's memory: types of frames, shadow tables, virtual nodes.

use crate::xen::GuestHandle;

constants! {
    u32, "What a frame is, in bits 28 to 31 of an entry of `XEN_DOMCTL_getpageframeinfo3`." {
        XEN_DOMCTL_PFINFO_LTAB_SHIFT = 28,
        /// Ordinary memory.
        XEN_DOMCTL_PFINFO_NOTAB = 0,
        XEN_DOMCTL_PFINFO_L1TAB = 1 << 28,
        XEN_DOMCTL_PFINFO_L2TAB = 2 << 28,
        XEN_DOMCTL_PFINFO_L3TAB = 3 << 28,
        XEN_DOMCTL_PFINFO_L4TAB = 4 << 28,
        XEN_DOMCTL_PFINFO_LTABTYPE_MASK = 7 << 28,
        /// A pinned page table.
        XEN_DOMCTL_PFINFO_LPINTAB = 1 << 31,
        /// No frame of the domain.
        XEN_DOMCTL_PFINFO_XTAB = 0xf << 28,
        /// To be allocated, without content.
        XEN_DOMCTL_PFINFO_XALLOC = 0xe << 28,
        /// The memory is broken.
        XEN_DOMCTL_PFINFO_BROKEN = 0xd << 28,
        XEN_DOMCTL_PFINFO_LTAB_MASK = 0xf << 28,
    }

    u32, "Mode of `XEN_DOMCTL_SHADOW_OP_ENABLE`." {
        XEN_DOMCTL_SHADOW_ENABLE_REFCOUNT = 1 << 1,
        XEN_DOMCTL_SHADOW_ENABLE_LOG_DIRTY = 1 << 2,
        XEN_DOMCTL_SHADOW_ENABLE_TRANSLATE = 1 << 3,
        XEN_DOMCTL_SHADOW_ENABLE_EXTERNAL = 1 << 4,
    }

    u32, "Mode of `XEN_DOMCTL_SHADOW_OP_CLEAN` and `…_PEEK`." {
        XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL = 1 << 0,
    }
}

structures! {
    /// Request of `XEN_DOMCTL_getpageframeinfo3`. Both change while the call is restarted.
    struct Getpageframeinfo3 = "struct xen_domctl_getpageframeinfo3" {
        /// In: entries.
        num: u64,
        /// In: address of an array of frame numbers (u64); each gets `XEN_DOMCTL_PFINFO_…` bits.
        array: GuestHandle,
    }

    /// What log-dirty mode counted.
    struct ShadowOpStats = "struct xen_domctl_shadow_op_stats" {
        /// Faults.
        fault_count: u32,
        /// Frames made dirty.
        dirty_count: u32,
    }

    /// Request of `XEN_DOMCTL_shadow_op`.
    struct ShadowOp = "struct xen_domctl_shadow_op" {
        /// In: a `XEN_DOMCTL_SHADOW_OP_…` operation.
        op: u32,
        /// In: `XEN_DOMCTL_SHADOW_…` flags of the operation.
        mode: u32,
        /// In or out: MiB of shadow memory.
        mb: u32,
        /// No meaning.
        _padding: u32,
        /// In: address of the bitmap to fill.
        dirty_bitmap: GuestHandle,
        /// In and out: bits of it.
        pages: u64,
        /// Out: counts.
        stats: ShadowOpStats,
    }

    /// Request and answer of `XEN_DOMCTL_{get,set}_paging_mempool_size`.
    struct PagingMempool = "struct xen_domctl_paging_mempool" {
        /// Bytes.
        size: u64,
    }

    /// Request of `XEN_DOMCTL_setvnumainfo`.
    struct Vnuma = "struct xen_domctl_vnuma" {
        /// In: virtual nodes, at least 1.
        nr_vnodes: u32,
        /// In: memory ranges.
        nr_vmemranges: u32,
        /// In: vCPUs, as many as the domain can have.
        nr_vcpus: u32,
        /// Must be zero.
        pad: u32,
        /// In: address of `nr_vnodes` squared distances (u32).
        vdistance: GuestHandle,
        /// In: address of each vCPU's virtual node (u32).
        vcpu_to_vnode: GuestHandle,
        /// In: address of each virtual node's node (u32).
        vnode_to_pnode: GuestHandle,
        /// In: address of an array of [`crate::memory::Vmemrange`].
        vmemrange: GuestHandle,
    }

    /// Answer of `XEN_DOMCTL_audit_p2m`.
    struct AuditP2m = "struct xen_domctl_audit_p2m" {
        /// Frames nothing names.
        orphans: u64,
        /// Wrong entries, machine to physical.
        m2p_bad: u64,
        /// Wrong entries, physical to machine.
        p2m_bad: u64,
    }

    /// Request of `XEN_DOMCTL_set_broken_page_p2m`.
    struct SetBrokenPageP2m = "struct xen_domctl_set_broken_page_p2m" {
        /// In: the frame.
        pfn: u64,
    }

    /// Request of `XEN_DOMCTL_set_access_required`.
    struct SetAccessRequired = "struct xen_domctl_set_access_required" {
        /// In: not 0 if a listener must be there.
        access_required: u8,
    }
}
