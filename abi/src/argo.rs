//! `argo.h`: numbers of the message-passing operations.

constants! {
    u32, "Operation of `argo_op`." {
        XEN_ARGO_OP_register_ring = 1,
        XEN_ARGO_OP_unregister_ring = 2,
        XEN_ARGO_OP_sendv = 3,
        XEN_ARGO_OP_notify = 4,
    }
}

/// This module has no structures.
pub const STRUCTURES: &[crate::layout::StructLayout] = &[];
