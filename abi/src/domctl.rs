//! `domctl.h`: the control interface for one domain: the frame, and what concerns the domain as a whole.
//!
//! The request of every operation lies in [`Domctl::u`]. Those of one vCPU are in [`crate::domctl_vcpu`], those
//! of devices and of what a domain may touch in [`crate::domctl_device`], those of its memory in
//! [`crate::domctl_memory`], those of debuggers and monitors in [`crate::domctl_watch`].

use crate::arch_x86::ArchDomainconfig;
use crate::xen::{GuestHandle, XenctlBitmap};

constants! {
    u32, "Version the caller must name, exactly." {
        XEN_DOMCTL_INTERFACE_VERSION = 0x00000015,
    }

    u32, "Operation of `domctl`." {
        XEN_DOMCTL_createdomain = 1,
        XEN_DOMCTL_destroydomain = 2,
        XEN_DOMCTL_pausedomain = 3,
        XEN_DOMCTL_unpausedomain = 4,
        XEN_DOMCTL_getdomaininfo = 5,
        XEN_DOMCTL_setvcpuaffinity = 9,
        XEN_DOMCTL_shadow_op = 10,
        XEN_DOMCTL_max_mem = 11,
        XEN_DOMCTL_setvcpucontext = 12,
        XEN_DOMCTL_getvcpucontext = 13,
        XEN_DOMCTL_getvcpuinfo = 14,
        XEN_DOMCTL_max_vcpus = 15,
        XEN_DOMCTL_scheduler_op = 16,
        XEN_DOMCTL_setdomainhandle = 17,
        XEN_DOMCTL_setdebugging = 18,
        XEN_DOMCTL_irq_permission = 19,
        XEN_DOMCTL_iomem_permission = 20,
        XEN_DOMCTL_ioport_permission = 21,
        XEN_DOMCTL_hypercall_init = 22,
        XEN_DOMCTL_soft_reset_cont = 23,
        XEN_DOMCTL_settimeoffset = 24,
        XEN_DOMCTL_getvcpuaffinity = 25,
        XEN_DOMCTL_real_mode_area = 26,
        XEN_DOMCTL_resumedomain = 27,
        XEN_DOMCTL_sendtrigger = 28,
        XEN_DOMCTL_subscribe = 29,
        XEN_DOMCTL_gethvmcontext = 33,
        XEN_DOMCTL_sethvmcontext = 34,
        XEN_DOMCTL_set_address_size = 35,
        XEN_DOMCTL_get_address_size = 36,
        XEN_DOMCTL_assign_device = 37,
        XEN_DOMCTL_bind_pt_irq = 38,
        XEN_DOMCTL_memory_mapping = 39,
        XEN_DOMCTL_ioport_mapping = 40,
        XEN_DOMCTL_set_ext_vcpucontext = 42,
        XEN_DOMCTL_get_ext_vcpucontext = 43,
        XEN_DOMCTL_set_opt_feature = 44,
        XEN_DOMCTL_test_assign_device = 45,
        XEN_DOMCTL_set_target = 46,
        XEN_DOMCTL_deassign_device = 47,
        XEN_DOMCTL_unbind_pt_irq = 48,
        XEN_DOMCTL_get_device_group = 50,
        XEN_DOMCTL_debug_op = 54,
        XEN_DOMCTL_gethvmcontext_partial = 55,
        XEN_DOMCTL_vm_event_op = 56,
        XEN_DOMCTL_mem_sharing_op = 57,
        XEN_DOMCTL_gettscinfo = 59,
        XEN_DOMCTL_settscinfo = 60,
        XEN_DOMCTL_getpageframeinfo3 = 61,
        XEN_DOMCTL_setvcpuextstate = 62,
        XEN_DOMCTL_getvcpuextstate = 63,
        XEN_DOMCTL_set_access_required = 64,
        XEN_DOMCTL_audit_p2m = 65,
        XEN_DOMCTL_set_virq_handler = 66,
        XEN_DOMCTL_set_broken_page_p2m = 67,
        XEN_DOMCTL_setnodeaffinity = 68,
        XEN_DOMCTL_getnodeaffinity = 69,
        XEN_DOMCTL_cacheflush = 71,
        XEN_DOMCTL_get_vcpu_msrs = 72,
        XEN_DOMCTL_set_vcpu_msrs = 73,
        XEN_DOMCTL_setvnumainfo = 74,
        XEN_DOMCTL_psr_cmt_op = 75,
        XEN_DOMCTL_monitor_op = 77,
        XEN_DOMCTL_psr_alloc = 78,
        XEN_DOMCTL_soft_reset = 79,
        XEN_DOMCTL_vuart_op = 81,
        XEN_DOMCTL_get_cpu_policy = 82,
        XEN_DOMCTL_set_cpu_policy = 83,
        XEN_DOMCTL_vmtrace_op = 84,
        XEN_DOMCTL_get_paging_mempool_size = 85,
        XEN_DOMCTL_set_paging_mempool_size = 86,
        XEN_DOMCTL_gdbsx_guestmemio = 1000,
        XEN_DOMCTL_gdbsx_pausevcpu = 1001,
        XEN_DOMCTL_gdbsx_unpausevcpu = 1002,
        XEN_DOMCTL_gdbsx_domstatus = 1003,
    }

    u32, "Operation of `XEN_DOMCTL_shadow_op`." {
        XEN_DOMCTL_SHADOW_OP_OFF = 0,
        XEN_DOMCTL_SHADOW_OP_ENABLE = 32,
        XEN_DOMCTL_SHADOW_OP_CLEAN = 11,
        XEN_DOMCTL_SHADOW_OP_PEEK = 12,
        XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION = 30,
        XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION = 31,
        XEN_DOMCTL_SHADOW_OP_ENABLE_TEST = 1,
        XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY = 2,
    }

    u32, "Operation of `XEN_DOMCTL_scheduler_op`." {
        XEN_DOMCTL_SCHEDOP_putinfo = 0,
        XEN_DOMCTL_SCHEDOP_getinfo = 1,
        XEN_DOMCTL_SCHEDOP_putvcpuinfo = 2,
        XEN_DOMCTL_SCHEDOP_getvcpuinfo = 3,
    }

    u32, "Trigger of `XEN_DOMCTL_sendtrigger`." {
        XEN_DOMCTL_SENDTRIGGER_NMI = 0,
        XEN_DOMCTL_SENDTRIGGER_RESET = 1,
        XEN_DOMCTL_SENDTRIGGER_INIT = 2,
        XEN_DOMCTL_SENDTRIGGER_POWER = 3,
        XEN_DOMCTL_SENDTRIGGER_SLEEP = 4,
    }

    u32, "Operation of `XEN_DOMCTL_debug_op`." {
        XEN_DOMCTL_DEBUG_OP_SINGLE_STEP_OFF = 0,
        XEN_DOMCTL_DEBUG_OP_SINGLE_STEP_ON = 1,
    }

    u32, "Ring of `XEN_DOMCTL_vm_event_op`." {
        XEN_DOMCTL_VM_EVENT_OP_PAGING = 1,
        XEN_DOMCTL_VM_EVENT_OP_MONITOR = 2,
        XEN_DOMCTL_VM_EVENT_OP_SHARING = 3,
    }

    u32, "Operation on a ring of `XEN_DOMCTL_vm_event_op`." {
        XEN_VM_EVENT_ENABLE = 0,
        XEN_VM_EVENT_DISABLE = 1,
        XEN_VM_EVENT_RESUME = 2,
        XEN_VM_EVENT_GET_VERSION = 3,
    }

    u32, "Operation of `XEN_DOMCTL_mem_sharing_op`." {
        XEN_DOMCTL_MEM_SHARING_CONTROL = 0,
    }

    u32, "Operation of `XEN_DOMCTL_monitor_op`." {
        XEN_DOMCTL_MONITOR_OP_ENABLE = 0,
        XEN_DOMCTL_MONITOR_OP_DISABLE = 1,
        XEN_DOMCTL_MONITOR_OP_GET_CAPABILITIES = 2,
        XEN_DOMCTL_MONITOR_OP_EMULATE_EACH_REP = 3,
        XEN_DOMCTL_MONITOR_OP_CONTROL_REGISTERS = 4,
    }

    u32, "Event of `XEN_DOMCTL_monitor_op`." {
        XEN_DOMCTL_MONITOR_EVENT_WRITE_CTRLREG = 0,
        XEN_DOMCTL_MONITOR_EVENT_MOV_TO_MSR = 1,
        XEN_DOMCTL_MONITOR_EVENT_SINGLESTEP = 2,
        XEN_DOMCTL_MONITOR_EVENT_SOFTWARE_BREAKPOINT = 3,
        XEN_DOMCTL_MONITOR_EVENT_GUEST_REQUEST = 4,
        XEN_DOMCTL_MONITOR_EVENT_DEBUG_EXCEPTION = 5,
        XEN_DOMCTL_MONITOR_EVENT_CPUID = 6,
        XEN_DOMCTL_MONITOR_EVENT_PRIVILEGED_CALL = 7,
        XEN_DOMCTL_MONITOR_EVENT_INTERRUPT = 8,
        XEN_DOMCTL_MONITOR_EVENT_DESC_ACCESS = 9,
        XEN_DOMCTL_MONITOR_EVENT_EMUL_UNIMPLEMENTED = 10,
        XEN_DOMCTL_MONITOR_EVENT_INGUEST_PAGEFAULT = 11,
        XEN_DOMCTL_MONITOR_EVENT_VMEXIT = 12,
    }

    u32, "Operation of `XEN_DOMCTL_psr_cmt_op`." {
        XEN_DOMCTL_PSR_CMT_OP_DETACH = 0,
        XEN_DOMCTL_PSR_CMT_OP_ATTACH = 1,
        XEN_DOMCTL_PSR_CMT_OP_QUERY_RMID = 2,
    }

    u32, "Operation of `XEN_DOMCTL_psr_alloc`." {
        XEN_DOMCTL_PSR_SET_L3_CBM = 0,
        XEN_DOMCTL_PSR_GET_L3_CBM = 1,
        XEN_DOMCTL_PSR_SET_L3_CODE = 2,
        XEN_DOMCTL_PSR_SET_L3_DATA = 3,
        XEN_DOMCTL_PSR_GET_L3_CODE = 4,
        XEN_DOMCTL_PSR_GET_L3_DATA = 5,
        XEN_DOMCTL_PSR_SET_L2_CBM = 6,
        XEN_DOMCTL_PSR_GET_L2_CBM = 7,
        XEN_DOMCTL_PSR_SET_MBA_THRTL = 8,
        XEN_DOMCTL_PSR_GET_MBA_THRTL = 9,
    }

    u32, "Operation of `XEN_DOMCTL_vuart_op`." {
        XEN_DOMCTL_VUART_OP_INIT = 0,
    }

    u32, "Operation of `XEN_DOMCTL_vmtrace_op`." {
        XEN_DOMCTL_vmtrace_enable = 1,
        XEN_DOMCTL_vmtrace_disable = 2,
        XEN_DOMCTL_vmtrace_reset_and_enable = 3,
        XEN_DOMCTL_vmtrace_output_position = 4,
        XEN_DOMCTL_vmtrace_get_option = 5,
        XEN_DOMCTL_vmtrace_set_option = 6,
    }

    u32, "Flag of [`Createdomain::flags`]." {
        /// An HVM or PVH domain, not a PV one.
        XEN_DOMCTL_CDF_hvm = 1 << 0,
        /// Nested page tables.
        XEN_DOMCTL_CDF_hap = 1 << 1,
        XEN_DOMCTL_CDF_s3_integrity = 1 << 2,
        XEN_DOMCTL_CDF_oos_off = 1 << 3,
        /// It runs XenStore.
        XEN_DOMCTL_CDF_xs_domain = 1 << 4,
        /// It may have devices behind an IOMMU.
        XEN_DOMCTL_CDF_iommu = 1 << 5,
        XEN_DOMCTL_CDF_nested_virt = 1 << 6,
        /// It has a virtual performance monitor.
        XEN_DOMCTL_CDF_vpmu = 1 << 7,
        /// The highest of them.
        XEN_DOMCTL_CDF_MAX = 1 << 7,
    }

    u32, "Flag of [`Createdomain::iommu_opts`]." {
        XEN_DOMCTL_IOMMU_no_sharept = 1 << 0,
        /// The highest of them.
        XEN_DOMCTL_IOMMU_MAX = 1 << 0,
    }

    u32, "Bits of [`Createdomain::grant_opts`] that hold the highest grant-table version." {
        XEN_DOMCTL_GRANT_version_mask = 0xf,
    }

    u32, "Flag of [`Getdomaininfo::flags`]." {
        /// It is being destroyed.
        XEN_DOMINF_dying = 1 << 0,
        XEN_DOMINF_hvm_guest = 1 << 1,
        /// The guest has shut down; the reason is in bits 16 to 23.
        XEN_DOMINF_shutdown = 1 << 2,
        /// Paused by the toolstack.
        XEN_DOMINF_paused = 1 << 3,
        /// No vCPU wants to run.
        XEN_DOMINF_blocked = 1 << 4,
        /// A vCPU runs.
        XEN_DOMINF_running = 1 << 5,
        /// Paused by a debugger.
        XEN_DOMINF_debugged = 1 << 6,
        XEN_DOMINF_xs_domain = 1 << 7,
        XEN_DOMINF_hap = 1 << 8,
        /// Bits of the shutdown reason, after shifting.
        XEN_DOMINF_shutdownmask = 255,
        /// Where the shutdown reason begins.
        XEN_DOMINF_shutdownshift = 16,
    }

    u32, "[`Getdomaininfo::max_vcpu_id`] of a domain without vCPUs." {
        XEN_INVALID_MAX_VCPU_ID = u32::MAX,
    }

    u32, "Scheduler." {
        XEN_SCHEDULER_CREDIT = 5,
        XEN_SCHEDULER_CREDIT2 = 6,
        XEN_SCHEDULER_ARINC653 = 7,
        XEN_SCHEDULER_RTDS = 8,
        XEN_SCHEDULER_NULL = 9,
    }

    u32, "Sub-leaf of a leaf that has none, in errors of `XEN_DOMCTL_set_cpu_policy`." {
        XEN_CPUID_INPUT_UNUSED = 0xffff_ffff,
    }
}

structures! {
    /// Argument of `domctl`.
    struct Domctl = "struct xen_domctl" {
        /// In: a `XEN_DOMCTL_…` operation.
        cmd: u32,
        /// In: [`XEN_DOMCTL_INTERFACE_VERSION`].
        interface_version: u32,
        /// In: which domain (out as well for creation and `getdomaininfo`).
        domain: u16,
        /// No meaning.
        _pad: [u16; 3],
        /// By operation.
        u: [u64; 16],
    }

    /// Request of `XEN_DOMCTL_createdomain`; the new number comes back in [`Domctl::domain`].
    struct Createdomain = "struct xen_domctl_createdomain" {
        /// In: security label.
        ssidref: u32,
        /// In: a name for the toolstack, usually an UUID.
        handle: [u8; 16],
        /// In: `XEN_DOMCTL_CDF_…` bits.
        flags: u32,
        /// In: `XEN_DOMCTL_IOMMU_…` bits.
        iommu_opts: u32,
        /// In: vCPUs it can have.
        max_vcpus: u32,
        /// In: highest event channel it can have.
        max_evtchn_port: u32,
        /// In: frames of its grant table at most; negative for the host's default.
        max_grant_frames: i32,
        /// In: frames of its table of borrowed grants at most; negative for the host's default.
        max_maptrack_frames: i32,
        /// In: grant-table version ([`XEN_DOMCTL_GRANT_version_mask`]).
        grant_opts: u32,
        /// In: bytes of trace buffer for each vCPU; 0 for none.
        vmtrace_size: u32,
        /// In: pool of processors.
        cpupool_id: u32,
        /// In: the processor's part.
        arch: ArchDomainconfig,
    }

    /// Answer of `XEN_DOMCTL_getdomaininfo` and an element of `XEN_SYSCTL_getdomaininfolist`.
    struct Getdomaininfo = "struct xen_domctl_getdomaininfo" {
        /// Its number.
        domain: u16,
        /// No meaning.
        pad1: u16,
        /// `XEN_DOMINF_…` bits.
        flags: u32,
        /// Frames it has.
        tot_pages: u64,
        /// Frames it may have.
        max_pages: u64,
        /// Frames claimed for it and not yet taken.
        outstanding_pages: u64,
        /// Frames it shares copy-on-write.
        shr_pages: u64,
        /// Frames it has paged out.
        paged_pages: u64,
        /// Frame of its shared page.
        shared_info_frame: u64,
        /// Nanoseconds its vCPUs ran.
        cpu_time: u64,
        /// vCPUs that are up.
        nr_online_vcpus: u32,
        /// Highest vCPU number, or [`XEN_INVALID_MAX_VCPU_ID`].
        max_vcpu_id: u32,
        /// Security label.
        ssidref: u32,
        /// The toolstack's name for it.
        handle: [u8; 16],
        /// Pool of processors.
        cpupool: u32,
        /// Bits of a guest-physical address.
        gpaddr_bits: u8,
        /// No meaning.
        pad2: [u8; 7],
        /// The processor's part of its configuration.
        arch_config: ArchDomainconfig,
    }

    /// Request of `XEN_DOMCTL_max_mem`.
    struct MaxMem = "struct xen_domctl_max_mem" {
        /// In: KiB it may have.
        max_memkb: u64,
    }

    /// Request of `XEN_DOMCTL_setnodeaffinity` and answer of `XEN_DOMCTL_getnodeaffinity`.
    struct NodeAffinity = "struct xen_domctl_nodeaffinity" {
        /// Nodes from which its memory comes.
        nodemap: XenctlBitmap,
    }

    /// Request of `XEN_DOMCTL_max_vcpus`.
    struct MaxVcpus = "struct xen_domctl_max_vcpus" {
        /// In: vCPUs to make, the number named at creation.
        max: u32,
    }

    /// Request of `XEN_DOMCTL_setdomainhandle`.
    struct Setdomainhandle = "struct xen_domctl_setdomainhandle" {
        /// In: the toolstack's name for it.
        handle: [u8; 16],
    }

    /// Request of `XEN_DOMCTL_setdebugging`.
    struct Setdebugging = "struct xen_domctl_setdebugging" {
        /// In: not 0 if a debugger is attached.
        enable: u8,
    }

    /// Request of `XEN_DOMCTL_hypercall_init`.
    struct HypercallInit = "struct xen_domctl_hypercall_init" {
        /// In: frame to make a hypercall page.
        gmfn: u64,
    }

    /// Request of `XEN_DOMCTL_settimeoffset`.
    struct Settimeoffset = "struct xen_domctl_settimeoffset" {
        /// In: seconds that its time of day is ahead of the host's.
        time_offset_seconds: i64,
    }

    /// Request of `XEN_DOMCTL_settscinfo` and answer of `XEN_DOMCTL_gettscinfo`.
    struct TscInfo = "struct xen_domctl_tsc_info" {
        /// 0 default, 1 always emulated, 2 never emulated.
        tsc_mode: u32,
        /// Rate the guest sees.
        gtsc_khz: u32,
        /// Times it was restored.
        incarnation: u32,
        /// No meaning.
        pad: u32,
        /// Nanoseconds since its counter was 0.
        elapsed_nsec: u64,
    }

    /// Request of `XEN_DOMCTL_set_address_size` and answer of `XEN_DOMCTL_get_address_size`.
    struct AddressSize = "struct xen_domctl_address_size" {
        /// Bits: 32 or 64.
        size: u32,
    }

    /// Request of `XEN_DOMCTL_set_target`.
    struct SetTarget = "struct xen_domctl_set_target" {
        /// In: the domain over which this one gets power.
        target: u16,
    }

    /// Request of `XEN_DOMCTL_subscribe`.
    struct Subscribe = "struct xen_domctl_subscribe" {
        /// In: the domain's own event channel, sent when it suspends.
        port: u32,
    }

    /// Request of `XEN_DOMCTL_get_cpu_policy` and `XEN_DOMCTL_set_cpu_policy`.
    struct CpuPolicy = "struct xen_domctl_cpu_policy" {
        /// In: elements of `leaves`. Out of a query: elements written.
        nr_leaves: u32,
        /// In: elements of `msrs`. Out of a query: elements written.
        nr_msrs: u32,
        /// In: address of an array of [`crate::arch_x86::CpuidLeaf`].
        leaves: GuestHandle,
        /// In: address of an array of [`crate::arch_x86::MsrEntry`].
        msrs: GuestHandle,
        /// Out of a refused change: the leaf refused, or all ones.
        err_leaf: u32,
        /// Out of a refused change: its sub-leaf, or all ones.
        err_subleaf: u32,
        /// Out of a refused change: the MSR refused, or all ones.
        err_msr: u32,
        /// No meaning.
        _padding: u32,
    }

    /// Request of `XEN_DOMCTL_set_virq_handler`.
    struct SetVirqHandler = "struct xen_domctl_set_virq_handler" {
        /// In: the global virtual interrupt the domain gets from now on.
        virq: u32,
    }

}
