//! `version.h`: what `xen_version` tells.

constants! {
    u32, "Operation of `xen_version`." {
        /// Answers major << 16 | minor.
        XENVER_version = 0,
        XENVER_extraversion = 1,
        XENVER_compile_info = 2,
        XENVER_capabilities = 3,
        XENVER_changeset = 4,
        XENVER_platform_parameters = 5,
        XENVER_get_features = 6,
        /// Answers the size of a frame.
        XENVER_pagesize = 7,
        /// Writes the caller's 16-byte handle.
        XENVER_guest_handle = 8,
        XENVER_commandline = 9,
        XENVER_build_id = 10,
    }

    usize, "Bytes of a string, its zero included." {
        XEN_EXTRAVERSION_LEN = 16,
        XEN_CAPABILITIES_INFO_LEN = 1024,
        XEN_CHANGESET_INFO_LEN = 64,
    }
}

/// Bytes of the command line, its zero included (`xen_commandline_t`).
pub const XEN_COMMANDLINE_LEN: usize = 1024;

structures! {
    /// Argument of `XENVER_compile_info`: zero-ended strings.
    struct CompileInfo = "struct xen_compile_info" {
        /// Out: by what.
        compiler: [u8; 64],
        /// Out: by whom.
        compile_by: [u8; 16],
        /// Out: where.
        compile_domain: [u8; 32],
        /// Out: when.
        compile_date: [u8; 32],
    }

    /// Argument of `XENVER_platform_parameters`.
    struct PlatformParameters = "struct xen_platform_parameters" {
        /// Out: first address of the hypervisor's part.
        virt_start: u64,
    }

    /// Argument of `XENVER_get_features`.
    struct FeatureInfo = "struct xen_feature_info" {
        /// In: which 32 features.
        submap_idx: u32,
        /// Out: their bits.
        submap: u32,
    }

    /// Argument of `XENVER_build_id`, before the bytes.
    struct BuildId = "struct xen_build_id" {
        /// In: room for bytes.
        len: u32,
    }
}
