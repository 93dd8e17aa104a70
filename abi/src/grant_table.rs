//! `grant_table.h`: lending frames to other domains.

use crate::xen::GuestHandle;

constants! {
    u32, "Reserved entry of a grant table." {
        /// How many are kept for the toolstack.
        GNTTAB_NR_RESERVED_ENTRIES = 8,
        GNTTAB_RESERVED_CONSOLE = 0,
        GNTTAB_RESERVED_XENSTORE = 1,
    }

    u16, "Type, bits 1..0 of an entry's flags." {
        GTF_invalid = 0,
        GTF_permit_access = 1,
        GTF_accept_transfer = 2,
        /// Version 2: stands for a grant the lender has itself.
        GTF_transitive = 3,
        GTF_type_mask = 3,
    }

    u16, "Flag of an entry that permits access." {
        GTF_readonly = 1 << 2,
        /// Set by the hypervisor: mapped for reading.
        GTF_reading = 1 << 3,
        /// Set by the hypervisor: mapped for writing.
        GTF_writing = 1 << 4,
        GTF_PWT = 1 << 5,
        GTF_PCD = 1 << 6,
        GTF_PAT = 1 << 7,
        /// Version 2: part of the frame, to copy only.
        GTF_sub_page = 1 << 8,
    }

    u16, "Flag of an entry that accepts a transfer, set by the hypervisor." {
        GTF_transfer_committed = 1 << 2,
        GTF_transfer_completed = 1 << 3,
    }

    u32, "Operation of `grant_table_op`." {
        GNTTABOP_map_grant_ref = 0,
        GNTTABOP_unmap_grant_ref = 1,
        GNTTABOP_setup_table = 2,
        GNTTABOP_dump_table = 3,
        GNTTABOP_transfer = 4,
        GNTTABOP_copy = 5,
        GNTTABOP_query_size = 6,
        GNTTABOP_unmap_and_replace = 7,
        GNTTABOP_set_version = 8,
        GNTTABOP_get_status_frames = 9,
        GNTTABOP_get_version = 10,
        GNTTABOP_swap_grant_ref = 11,
        GNTTABOP_cache_flush = 12,
    }

    u16, "Flag of [`GnttabCopy::flags`]: that side is a grant, not a frame." {
        GNTCOPY_source_gref = 1,
        GNTCOPY_dest_gref = 2,
    }

    u32, "Operation of [`GnttabCacheFlush`]." {
        GNTTAB_CACHE_CLEAN = 1,
        GNTTAB_CACHE_INVAL = 2,
        GNTTAB_CACHE_SOURCE_GREF = 1 << 31,
    }

    u32, "Flag of [`GnttabMapGrantRef::flags`]." {
        /// For devices.
        GNTMAP_device_map = 1 << 0,
        /// For the processor.
        GNTMAP_host_map = 1 << 1,
        GNTMAP_readonly = 1 << 2,
        /// Guest user mode may use it too.
        GNTMAP_application_map = 1 << 3,
        /// `host_addr` is the machine address of the page-table entry to write.
        GNTMAP_contains_pte = 1 << 4,
        /// The bits to put into the entry's available ones.
        GNTMAP_guest_avail_mask = 0xffff << 16,
    }

    i16, "Answer of one grant operation." {
        GNTST_okay = 0,
        GNTST_general_error = -1,
        GNTST_bad_domain = -2,
        GNTST_bad_gntref = -3,
        GNTST_bad_handle = -4,
        GNTST_bad_virt_addr = -5,
        GNTST_bad_dev_addr = -6,
        GNTST_no_device_space = -7,
        GNTST_permission_denied = -8,
        GNTST_bad_page = -9,
        GNTST_bad_copy_arg = -10,
        GNTST_address_too_big = -11,
        GNTST_eagain = -12,
        GNTST_no_space = -13,
    }
}

structures! {
    /// An entry of a version-1 table.
    struct GrantEntryV1 = "struct grant_entry_v1" {
        /// `GTF_…` type and flags.
        flags: u16,
        /// To whom.
        domid: u16,
        /// Which frame.
        frame: u32,
    }

    /// The beginning of every entry.
    struct GrantEntryHeader = "struct grant_entry_header" {
        /// `GTF_…` type and flags.
        flags: u16,
        /// To whom.
        domid: u16,
    }

    /// An entry of a version-2 table that lends a whole frame.
    struct GrantEntryV2FullPage = "__typeof__(((union grant_entry_v2 *)0)->full_page)" {
        /// Type, flags, to whom.
        hdr: GrantEntryHeader,
        /// No meaning.
        pad0: u32,
        /// Which frame.
        frame: u64,
    }

    /// An entry of a version-2 table that lends a part of a frame.
    struct GrantEntryV2SubPage = "__typeof__(((union grant_entry_v2 *)0)->sub_page)" {
        /// Type, flags, to whom.
        hdr: GrantEntryHeader,
        /// First byte.
        page_off: u16,
        /// Bytes.
        length: u16,
        /// Which frame.
        frame: u64,
    }

    /// An entry of a version-2 table that lends what the lender was lent.
    struct GrantEntryV2Transitive = "__typeof__(((union grant_entry_v2 *)0)->transitive)" {
        /// Type, flags, to whom.
        hdr: GrantEntryHeader,
        /// Whose grant it stands for.
        trans_domid: u16,
        /// No meaning.
        pad0: u16,
        /// Which grant it stands for.
        gref: u32,
    }

    /// Any entry of a version-2 table, as words.
    struct GrantEntryV2 = "union grant_entry_v2" {
        /// Type, flags, to whom.
        hdr: GrantEntryHeader,
        /// By type.
        _padding: u32,
        /// By type.
        frame: u64 = "full_page.frame",
    }

    /// Argument of `GNTTABOP_map_grant_ref`.
    struct GnttabMapGrantRef = "struct gnttab_map_grant_ref" {
        /// In: virtual address, or machine address of a page-table entry.
        host_addr: u64,
        /// In: `GNTMAP_…` bits.
        flags: u32,
        /// In: which grant.
        grant_ref: u32 = "ref",
        /// In: whose grant.
        dom: u16,
        /// Out: a `GNTST_…` value.
        status: i16,
        /// Out: the mapping's number.
        handle: u32,
        /// Out: the address devices use.
        dev_bus_addr: u64,
    }

    /// Argument of `GNTTABOP_unmap_grant_ref`.
    struct GnttabUnmapGrantRef = "struct gnttab_unmap_grant_ref" {
        /// In: as mapped, or 0.
        host_addr: u64,
        /// In: as mapped, or 0.
        dev_bus_addr: u64,
        /// In: the mapping's number.
        handle: u32,
        /// Out: a `GNTST_…` value.
        status: i16,
        /// No meaning.
        _padding: u16,
    }

    /// Argument of `GNTTABOP_setup_table`.
    struct GnttabSetupTable = "struct gnttab_setup_table" {
        /// In: whose table.
        dom: u16,
        /// No meaning.
        _padding: u16,
        /// In: frames wanted.
        nr_frames: u32,
        /// Out: a `GNTST_…` value.
        status: i16,
        /// No meaning.
        _padding2: [u16; 3],
        /// In: address of an array for the frames (`u64`).
        frame_list: GuestHandle,
    }

    /// Argument of `GNTTABOP_dump_table`.
    struct GnttabDumpTable = "struct gnttab_dump_table" {
        /// In: whose table.
        dom: u16,
        /// Out: a `GNTST_…` value.
        status: i16,
    }

    /// Argument of `GNTTABOP_transfer`.
    struct GnttabTransfer = "struct gnttab_transfer" {
        /// In: the frame to give away.
        mfn: u64,
        /// In: to whom.
        domid: u16,
        /// No meaning.
        _padding: u16,
        /// In: by which grant.
        grant_ref: u32 = "ref",
        /// Out: a `GNTST_…` value.
        status: i16,
        /// No meaning.
        _padding2: [u16; 3],
    }

    /// One side of a copy.
    struct GnttabCopyPtr = "struct gnttab_copy_ptr" {
        /// A grant reference in the low 32 bits, or a frame.
        u: u64,
        /// Whose.
        domid: u16,
        /// First byte in the frame.
        offset: u16,
        /// No meaning.
        _padding: u32,
    }

    /// Argument of `GNTTABOP_copy`.
    struct GnttabCopy = "struct gnttab_copy" {
        /// In: from where.
        source: GnttabCopyPtr,
        /// In: to where.
        dest: GnttabCopyPtr,
        /// In: bytes.
        len: u16,
        /// In: `GNTCOPY_…` bits.
        flags: u16,
        /// Out: a `GNTST_…` value.
        status: i16,
        /// No meaning.
        _padding: u16,
    }

    /// Argument of `GNTTABOP_query_size`.
    struct GnttabQuerySize = "struct gnttab_query_size" {
        /// In: whose table.
        dom: u16,
        /// No meaning.
        _padding: u16,
        /// Out: frames it has.
        nr_frames: u32,
        /// Out: frames it may have.
        max_nr_frames: u32,
        /// Out: a `GNTST_…` value.
        status: i16,
        /// No meaning.
        _padding2: u16,
    }

    /// Argument of `GNTTABOP_unmap_and_replace`.
    struct GnttabUnmapAndReplace = "struct gnttab_unmap_and_replace" {
        /// In: as mapped.
        host_addr: u64,
        /// In: virtual address whose mapping moves there.
        new_addr: u64,
        /// In: the mapping's number.
        handle: u32,
        /// Out: a `GNTST_…` value.
        status: i16,
        /// No meaning.
        _padding: u16,
    }

    /// Argument of `GNTTABOP_set_version`.
    struct GnttabSetVersion = "struct gnttab_set_version" {
        /// In: the version wanted; out: the version it has.
        version: u32,
    }

    /// Argument of `GNTTABOP_get_status_frames`.
    struct GnttabGetStatusFrames = "struct gnttab_get_status_frames" {
        /// In: frames wanted.
        nr_frames: u32,
        /// In: whose table.
        dom: u16,
        /// Out: a `GNTST_…` value.
        status: i16,
        /// In: address of an array for the frames (`u64`).
        frame_list: GuestHandle,
    }

    /// Argument of `GNTTABOP_get_version`.
    struct GnttabGetVersion = "struct gnttab_get_version" {
        /// In: whose table.
        dom: u16,
        /// No meaning.
        pad: u16,
        /// Out: its version.
        version: u32,
    }

    /// Argument of `GNTTABOP_swap_grant_ref`.
    struct GnttabSwapGrantRef = "struct gnttab_swap_grant_ref" {
        /// In: one grant.
        ref_a: u32,
        /// In: the other.
        ref_b: u32,
        /// Out: a `GNTST_…` value.
        status: i16,
        /// No meaning.
        _padding: u16,
    }

    /// Argument of `GNTTABOP_cache_flush`.
    struct GnttabCacheFlush = "struct gnttab_cache_flush" {
        /// In: a device address, or a grant reference in the low 32 bits.
        a: u64,
        /// In: first byte.
        offset: u16,
        /// In: bytes.
        length: u16,
        /// In: `GNTTAB_CACHE_…` bits.
        op: u32,
    }
}
