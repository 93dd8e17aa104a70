//! `hypfs.h`: the hypervisor's file system.

constants! {
    u32, "Operation of `hypfs_op`." {
        XEN_HYPFS_OP_get_version = 0,
        XEN_HYPFS_OP_read = 1,
        XEN_HYPFS_OP_write_contents = 2,
    }

    u32, "Version of the interface." {
        XEN_HYPFS_VERSION = 1,
    }

    u8, "What an entry holds." {
        /// For each child a [`DirEntry`], the distance to the next (`u16`) and its name, ended by 0.
        XEN_HYPFS_TYPE_DIR = 0,
        XEN_HYPFS_TYPE_BLOB = 1,
        /// Text, ended by 0.
        XEN_HYPFS_TYPE_STRING = 2,
        XEN_HYPFS_TYPE_UINT = 3,
        XEN_HYPFS_TYPE_INT = 4,
        XEN_HYPFS_TYPE_BOOL = 5,
    }

    u8, "How it is written down." {
        XEN_HYPFS_ENC_PLAIN = 0,
        XEN_HYPFS_ENC_GZIP = 1,
    }
}

structures! {
    /// What an entry is.
    struct DirEntry = "struct xen_hypfs_direntry" {
        /// `XEN_HYPFS_TYPE_…`.
        kind: u8 = "type",
        /// `XEN_HYPFS_ENC_…`.
        encoding: u8,
        /// Zero.
        pad: u16,
        /// Bytes it holds now.
        content_len: u32,
        /// Bytes that may be written; 0 if it is read-only.
        max_write_len: u32,
    }
}
