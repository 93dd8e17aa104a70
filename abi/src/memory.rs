//! `memory.h`: `memory_op`, a domain's memory and what maps it.

use crate::xen::GuestHandle;

constants! {
    u32, "Operation of `memory_op` (bits 5..0 of argument 1; the extent to resume at above)." {
        XENMEM_increase_reservation = 0,
        XENMEM_decrease_reservation = 1,
        XENMEM_maximum_ram_page = 2,
        XENMEM_current_reservation = 3,
        XENMEM_maximum_reservation = 4,
        XENMEM_machphys_mfn_list = 5,
        XENMEM_populate_physmap = 6,
        XENMEM_add_to_physmap = 7,
        XENMEM_memory_map = 9,
        XENMEM_machine_memory_map = 10,
        XENMEM_exchange = 11,
        XENMEM_machphys_mapping = 12,
        XENMEM_set_memory_map = 13,
        XENMEM_maximum_gpfn = 14,
        XENMEM_remove_from_physmap = 15,
        XENMEM_set_pod_target = 16,
        XENMEM_get_pod_target = 17,
        XENMEM_get_sharing_freed_pages = 18,
        XENMEM_get_sharing_shared_pages = 19,
        XENMEM_paging_op = 20,
        XENMEM_access_op = 21,
        XENMEM_sharing_op = 22,
        XENMEM_add_to_physmap_batch = 23,
        XENMEM_claim_pages = 24,
        XENMEM_machphys_compat_mfn_list = 25,
        XENMEM_get_vnumainfo = 26,
        XENMEM_reserved_device_memory_map = 27,
        XENMEM_acquire_resource = 28,
    }

    u32, "Operation of `XENMEM_paging_op`." {
        XENMEM_paging_op_nominate = 0,
        XENMEM_paging_op_evict = 1,
        XENMEM_paging_op_prep = 2,
    }

    u32, "Operation of `XENMEM_access_op`." {
        XENMEM_access_op_set_access = 0,
        XENMEM_access_op_get_access = 1,
        XENMEM_access_op_set_access_multi = 4,
    }

    u32, "Operation of `XENMEM_sharing_op`." {
        XENMEM_sharing_op_nominate_gfn = 0,
        XENMEM_sharing_op_nominate_gref = 1,
        XENMEM_sharing_op_share = 2,
        XENMEM_sharing_op_debug_gfn = 3,
        XENMEM_sharing_op_debug_mfn = 4,
        XENMEM_sharing_op_debug_gref = 5,
        XENMEM_sharing_op_add_physmap = 6,
        XENMEM_sharing_op_audit = 7,
        XENMEM_sharing_op_range_share = 8,
        XENMEM_sharing_op_fork = 9,
        XENMEM_sharing_op_fork_reset = 10,
    }

    u32, "Flag of [`MemoryReservation::mem_flags`]; bits 7..0 are the address width wanted (0 any), bits 15..8 the node plus one." {
        XENMEMF_populate_on_demand = 1 << 16,
        /// From the named node only.
        XENMEMF_exact_node_request = 1 << 17,
        /// The node is a virtual one.
        XENMEMF_vnode = 1 << 18,
    }

    u32, "What `XENMEM_add_to_physmap` maps." {
        XENMAPSPACE_shared_info = 0,
        XENMAPSPACE_grant_table = 1,
        XENMAPSPACE_gmfn = 2,
        XENMAPSPACE_gmfn_range = 3,
        XENMAPSPACE_gmfn_foreign = 4,
        /// Arm only.
        XENMAPSPACE_dev_mmio = 5,
    }

    u32, "Flag of [`AddToPhysmap::idx`] in the grant table's space: a status frame." {
        XENMAPIDX_grant_table_status = 0x8000_0000,
    }

    u32, "Flag of [`ReservedDeviceMemoryMap`]: every region." {
        XENMEM_RDM_ALL = 1,
    }

    u16, "What `XENMEM_acquire_resource` gets." {
        XENMEM_resource_ioreq_server = 0,
        XENMEM_resource_grant_table = 1,
        XENMEM_resource_vmtrace_buf = 2,
    }

    u32, "Which frames of the grant table ([`MemAcquireResource::id`])." {
        XENMEM_resource_grant_table_id_shared = 0,
        XENMEM_resource_grant_table_id_status = 1,
    }

    u64, "First frame of an I/O request server ([`MemAcquireResource::frame`])." {
        XENMEM_resource_ioreq_server_frame_bufioreq = 0,
    }
}

/// Type of an [`E820Entry`] (ACPI specification, "System Address Map Interfaces").
pub mod e820 {
    /// Usable memory.
    pub const RAM: u32 = 1;
    /// Reserved.
    pub const RESERVED: u32 = 2;
    /// ACPI tables, usable once read.
    pub const ACPI: u32 = 3;
    /// ACPI non-volatile storage.
    pub const NVS: u32 = 4;
    /// Memory with errors.
    pub const UNUSABLE: u32 = 5;
}

/// One range of a memory map, as the BIOS call E820 answers it: 20 bytes, unaligned in its array.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    zerocopy::FromBytes,
    zerocopy::IntoBytes,
    zerocopy::Immutable,
    zerocopy::KnownLayout,
    zerocopy::Unaligned,
)]
#[repr(C, packed)]
pub struct E820Entry {
    /// First byte.
    pub addr: u64,
    /// Bytes.
    pub size: u64,
    /// A constant of [`e820`].
    pub kind: u32,
}

structures! {
    /// Argument of the operations that change how much memory a domain has.
    struct MemoryReservation = "struct xen_memory_reservation" {
        /// In, and out for some: address of an array of frame numbers, the extents' first ones.
        extent_start: GuestHandle,
        /// In: how many extents.
        nr_extents: u64,
        /// In: each has 2^this frames.
        extent_order: u32,
        /// In: `XENMEMF_…` bits.
        mem_flags: u32,
        /// In: whose memory.
        domid: u16,
        /// No meaning.
        _padding: [u16; 3],
    }

    /// Argument of `XENMEM_exchange`.
    struct MemoryExchange = "struct xen_memory_exchange" {
        /// In: extents to give up.
        input: MemoryReservation = "in",
        /// In and out: extents to get.
        out: MemoryReservation,
        /// Out, zero before: input extents exchanged.
        nr_exchanged: u64,
    }

    /// Argument of the operations that ask about a domain.
    struct MemoryDomain = "struct xen_memory_domain" {
        /// In: the domain.
        domid: u16,
    }

    /// Argument of `XENMEM_machphys_mfn_list`.
    struct MachphysMfnList = "struct xen_machphys_mfn_list" {
        /// In: room in the array.
        max_extents: u32,
        /// No meaning.
        _padding: u32,
        /// In: address of an array for the first frame of every 2 MiB of the table.
        extent_start: GuestHandle,
        /// Out: how many were written.
        nr_extents: u32,
        /// No meaning.
        _padding2: u32,
    }

    /// Argument of `XENMEM_machphys_mapping`.
    struct MachphysMapping = "struct xen_machphys_mapping" {
        /// Out: the table's first byte.
        v_start: u64,
        /// Out: the first byte above it.
        v_end: u64,
        /// Out: the greatest frame with an entry.
        max_mfn: u64,
    }

    /// Argument of `XENMEM_add_to_physmap`.
    struct AddToPhysmap = "struct xen_add_to_physmap" {
        /// In: in whose guest-physical space.
        domid: u16,
        /// In: frames, for the range space.
        size: u16,
        /// In: a `XENMAPSPACE_…` value.
        space: u32,
        /// In: index in that space.
        idx: u64,
        /// In: the guest frame.
        gpfn: u64,
    }

    /// Argument of `XENMEM_add_to_physmap_batch`.
    struct AddToPhysmapBatch = "struct xen_add_to_physmap_batch" {
        /// In: in whose guest-physical space.
        domid: u16,
        /// In: a `XENMAPSPACE_…` value.
        space: u16,
        /// In: frames.
        size: u16,
        /// In: the other domain for the foreign space, else 0.
        foreign_domid: u16 = "u.foreign_domid",
        /// In: address of an array of indexes (`u64`).
        idxs: GuestHandle,
        /// In: address of an array of guest frames (`u64`).
        gpfns: GuestHandle,
        /// Out: address of an array of answers (`i32`).
        errs: GuestHandle,
    }

    /// Argument of `XENMEM_remove_from_physmap`.
    struct RemoveFromPhysmap = "struct xen_remove_from_physmap" {
        /// In: from whose guest-physical space.
        domid: u16,
        /// No meaning.
        _padding: [u16; 3],
        /// In: the guest frame.
        gpfn: u64,
    }

    /// Argument of `XENMEM_memory_map` and `XENMEM_machine_memory_map`.
    struct MemoryMap = "struct xen_memory_map" {
        /// In: room in the array; out: entries there.
        nr_entries: u32,
        /// No meaning.
        _padding: u32,
        /// In: address of an array of [`E820Entry`].
        buffer: GuestHandle,
    }

    /// Argument of `XENMEM_set_memory_map`.
    struct ForeignMemoryMap = "struct xen_foreign_memory_map" {
        /// In: whose map.
        domid: u16,
        /// No meaning.
        _padding: [u16; 3],
        /// In: the map.
        map: MemoryMap,
    }

    /// Argument of `XENMEM_set_pod_target` and `XENMEM_get_pod_target`.
    struct PodTarget = "struct xen_pod_target" {
        /// In: frames wanted.
        target_pages: u64,
        /// Out: frames there are.
        tot_pages: u64,
        /// Out: frames in the cache.
        pod_cache_pages: u64,
        /// Out: entries not yet populated.
        pod_entries: u64,
        /// In: the domain.
        domid: u16,
        /// No meaning.
        _padding: [u16; 3],
    }

    /// Argument of `XENMEM_paging_op`.
    struct MemPagingOp = "struct xen_mem_paging_op" {
        /// In: which.
        op: u8,
        /// No meaning.
        _padding: u8,
        /// In: the domain.
        domain: u16,
        /// No meaning.
        _padding2: u32,
        /// In: address of a frame's content, for `prep`.
        buffer: GuestHandle,
        /// In: the guest frame.
        gfn: u64,
    }

    /// Argument of `XENMEM_access_op`.
    struct MemAccessOp = "struct xen_mem_access_op" {
        /// In: which.
        op: u8,
        /// In or out: the access.
        access: u8,
        /// In: the domain.
        domid: u16,
        /// In: frames.
        nr: u32,
        /// In: the first guest frame, or all ones for the default.
        pfn: u64,
        /// In: address of an array of guest frames.
        pfn_list: GuestHandle,
        /// In: address of an array of accesses.
        access_list: GuestHandle,
    }

    /// Argument of `XENMEM_sharing_op`; the variants' structures come with memory sharing.
    struct MemSharingOp = "struct xen_mem_sharing_op" {
        /// In: which.
        op: u8,
        /// No meaning.
        _padding: u8,
        /// In: the domain.
        domain: u16,
        /// No meaning.
        _padding2: u32,
        /// By operation.
        u: [u64; 5],
    }

    /// One range of `XENMEM_reserved_device_memory_map`.
    struct ReservedDeviceMemory = "struct xen_reserved_device_memory" {
        /// First frame.
        start_pfn: u64,
        /// Frames.
        nr_pages: u64,
    }

    /// Argument of `XENMEM_reserved_device_memory_map`.
    struct ReservedDeviceMemoryMap = "struct xen_reserved_device_memory_map" {
        /// In: [`XENMEM_RDM_ALL`] or zero.
        flags: u32,
        /// In: room in the array; out: entries there are.
        nr_entries: u32,
        /// In: address of an array of [`ReservedDeviceMemory`].
        buffer: GuestHandle,
        /// In: the device.
        device: crate::physdev::PciDevice = "dev.pci",
        /// No meaning.
        _padding: u32,
    }

    /// Argument of `XENMEM_acquire_resource`.
    struct MemAcquireResource = "struct xen_mem_acquire_resource" {
        /// In: whose.
        domid: u16,
        /// In: a `XENMEM_resource_…` type.
        kind: u16 = "type",
        /// In: which of that type.
        id: u32,
        /// In and out: frames wanted; 0 with a null list asks for the resource's size.
        nr_frames: u32,
        /// Must be zero.
        pad: u32,
        /// In: the first frame's index.
        frame: u64,
        /// In or out: address of an array of frames.
        frame_list: GuestHandle,
    }

    /// One memory range of a virtual NUMA topology.
    struct Vmemrange = "struct xen_vmemrange" {
        /// First byte.
        start: u64,
        /// First byte above.
        end: u64,
        /// Zero.
        flags: u32,
        /// Virtual node.
        nid: u32,
    }

    /// Argument of `XENMEM_get_vnumainfo`.
    struct VnumaTopologyInfo = "struct xen_vnuma_topology_info" {
        /// In: the domain.
        domid: u16,
        /// No meaning.
        pad: u16,
        /// In: room; out: there are.
        nr_vnodes: u32,
        /// In: room; out: there are.
        nr_vcpus: u32,
        /// In: room; out: there are.
        nr_vmemranges: u32,
        /// In: address of the distances (`u32`).
        vdistance: GuestHandle,
        /// In: address of every vCPU's node (`u32`).
        vcpu_to_vnode: GuestHandle,
        /// In: address of an array of [`Vmemrange`].
        vmemrange: GuestHandle,
    }
}
