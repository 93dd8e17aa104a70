//! `kexec.h`: numbers of loading and starting another kernel.

constants! {
    u32, "Operation of `kexec_op`." {
        KEXEC_CMD_kexec = 0,
        KEXEC_CMD_kexec_load_v1 = 1,
        KEXEC_CMD_kexec_unload_v1 = 2,
        KEXEC_CMD_kexec_get_range = 3,
        KEXEC_CMD_kexec_load = 4,
        KEXEC_CMD_kexec_unload = 5,
        KEXEC_CMD_kexec_status = 6,
    }

    u32, "Kind of image." {
        KEXEC_TYPE_DEFAULT = 0,
        KEXEC_TYPE_CRASH = 1,
    }

    u32, "Range asked for." {
        KEXEC_RANGE_MA_CRASH = 0,
        KEXEC_RANGE_MA_XEN = 1,
        KEXEC_RANGE_MA_CPU = 2,
        KEXEC_RANGE_MA_XENHEAP = 3,
        KEXEC_RANGE_MA_BOOT_PARAM = 4,
        KEXEC_RANGE_MA_EFI_MEMMAP = 5,
        KEXEC_RANGE_MA_VMCOREINFO = 6,
    }
}

structures! {
    /// Argument of `KEXEC_CMD_kexec_get_range`.
    struct KexecRange = "struct xen_kexec_range" {
        /// In: which range.
        range: i32,
        /// In: which of several.
        nr: i32,
        /// Out: bytes.
        size: u64,
        /// Out: machine address.
        start: u64,
    }
}
