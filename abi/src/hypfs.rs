//! `hypfs.h`: numbers of the hypervisor's file system.

constants! {
    u32, "Operation of `hypfs_op`." {
        XEN_HYPFS_OP_get_version = 0,
        XEN_HYPFS_OP_read = 1,
        XEN_HYPFS_OP_write_contents = 2,
    }

    u32, "Version of the interface." {
        XEN_HYPFS_VERSION = 1,
    }
}

/// This module has no structures.
pub const STRUCTURES: &[crate::layout::StructLayout] = &[];
