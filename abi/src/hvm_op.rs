//! `hvm/hvm_op.h`: numbers of the operations on and by HVM guests.

constants! {
    u32, "Operation of `hvm_op`." {
        HVMOP_set_param = 0,
        HVMOP_get_param = 1,
        HVMOP_flush_tlbs = 5,
        HVMOP_pagetable_dying = 9,
        HVMOP_get_time = 10,
        HVMOP_xentrace = 11,
        HVMOP_set_mem_access = 12,
        HVMOP_get_mem_access = 13,
        HVMOP_get_mem_type = 15,
        HVMOP_set_evtchn_upcall_vector = 23,
        HVMOP_guest_request_vm_event = 24,
        HVMOP_altp2m = 25,
    }

    u32, "Operation of `HVMOP_altp2m`." {
        HVMOP_altp2m_get_domain_state = 1,
        HVMOP_altp2m_set_domain_state = 2,
        HVMOP_altp2m_vcpu_enable_notify = 3,
        HVMOP_altp2m_create_p2m = 4,
        HVMOP_altp2m_destroy_p2m = 5,
        HVMOP_altp2m_switch_p2m = 6,
        HVMOP_altp2m_set_mem_access = 7,
        HVMOP_altp2m_change_gfn = 8,
        HVMOP_altp2m_set_mem_access_multi = 9,
        HVMOP_altp2m_set_suppress_ve = 10,
        HVMOP_altp2m_get_suppress_ve = 11,
        HVMOP_altp2m_get_mem_access = 12,
        HVMOP_altp2m_vcpu_disable_notify = 13,
        HVMOP_altp2m_get_p2m_idx = 14,
        HVMOP_altp2m_set_suppress_ve_multi = 15,
        HVMOP_altp2m_set_visibility = 16,
    }

    u32, "Version of `HVMOP_altp2m`." {
        HVMOP_ALTP2M_INTERFACE_VERSION = 0x00000001,
    }
}

/// This module has no structures.
pub const STRUCTURES: &[crate::layout::StructLayout] = &[];
