//! `xen.h`: hypercall numbers, virtual interrupts, domain numbers, memory-management requests and the
//! pages a guest shares with the hypervisor.

use crate::arch_x86::{ArchSharedInfo, ArchVcpuInfo, XEN_LEGACY_MAX_VCPUS};

/// An address in the calling guest's memory, as structures of the interface hold it (`XEN_GUEST_HANDLE`).
pub type GuestHandle = u64;

constants! {
    u32, "Number of a hypercall (in `rax`)." {
        __HYPERVISOR_set_trap_table = 0,
        __HYPERVISOR_mmu_update = 1,
        __HYPERVISOR_set_gdt = 2,
        __HYPERVISOR_stack_switch = 3,
        __HYPERVISOR_set_callbacks = 4,
        __HYPERVISOR_fpu_taskswitch = 5,
        /// Superseded by `sched_op`.
        __HYPERVISOR_sched_op_compat = 6,
        __HYPERVISOR_platform_op = 7,
        __HYPERVISOR_set_debugreg = 8,
        __HYPERVISOR_get_debugreg = 9,
        __HYPERVISOR_update_descriptor = 10,
        __HYPERVISOR_memory_op = 12,
        __HYPERVISOR_multicall = 13,
        __HYPERVISOR_update_va_mapping = 14,
        __HYPERVISOR_set_timer_op = 15,
        /// Superseded by `event_channel_op`.
        __HYPERVISOR_event_channel_op_compat = 16,
        __HYPERVISOR_xen_version = 17,
        __HYPERVISOR_console_io = 18,
        /// Superseded by `physdev_op`.
        __HYPERVISOR_physdev_op_compat = 19,
        __HYPERVISOR_grant_table_op = 20,
        __HYPERVISOR_vm_assist = 21,
        __HYPERVISOR_update_va_mapping_otherdomain = 22,
        __HYPERVISOR_iret = 23,
        __HYPERVISOR_vcpu_op = 24,
        __HYPERVISOR_set_segment_base = 25,
        __HYPERVISOR_mmuext_op = 26,
        __HYPERVISOR_xsm_op = 27,
        __HYPERVISOR_nmi_op = 28,
        __HYPERVISOR_sched_op = 29,
        __HYPERVISOR_callback_op = 30,
        __HYPERVISOR_xenoprof_op = 31,
        __HYPERVISOR_event_channel_op = 32,
        __HYPERVISOR_physdev_op = 33,
        __HYPERVISOR_hvm_op = 34,
        __HYPERVISOR_sysctl = 35,
        __HYPERVISOR_domctl = 36,
        __HYPERVISOR_kexec_op = 37,
        __HYPERVISOR_tmem_op = 38,
        __HYPERVISOR_argo_op = 39,
        __HYPERVISOR_xenpmu_op = 40,
        __HYPERVISOR_dm_op = 41,
        __HYPERVISOR_hypfs_op = 42,
        /// On x86 the machine-check hypercall (`__HYPERVISOR_mca`).
        __HYPERVISOR_arch_0 = 48,
        /// On x86 the hypervisor's own continuation of a paging `domctl`.
        __HYPERVISOR_arch_1 = 49,
        __HYPERVISOR_arch_2 = 50,
        __HYPERVISOR_arch_3 = 51,
        __HYPERVISOR_arch_4 = 52,
        __HYPERVISOR_arch_5 = 53,
        __HYPERVISOR_arch_6 = 54,
        __HYPERVISOR_arch_7 = 55,
    }

    u32, "Number of a virtual interrupt." {
        /// Per vCPU: the guest's timer.
        VIRQ_TIMER = 0,
        /// Per vCPU: asks the guest to print what it knows of itself.
        VIRQ_DEBUG = 1,
        /// Global, control domain: input on the emergency console.
        VIRQ_CONSOLE = 2,
        /// Global, control domain: a domain died, was shut down or wants attention.
        VIRQ_DOM_EXC = 3,
        /// Global, control domain: trace records are waiting.
        VIRQ_TBUF = 4,
        /// Global, control domain: a domain stopped for a debugger.
        VIRQ_DEBUGGER = 6,
        /// Per vCPU: a profiling sample.
        VIRQ_XENOPROF = 7,
        /// Global, control domain: the console ring has new text.
        VIRQ_CON_RING = 8,
        /// Global, control domain: a physical CPU came or went.
        VIRQ_PCPU_STATE = 9,
        /// Global, control domain: a memory event.
        VIRQ_MEM_EVENT = 10,
        /// Global: an Argo message arrived.
        VIRQ_ARGO = 11,
        /// Global, control domain: memory runs low.
        VIRQ_ENOMEM = 12,
        /// Per vCPU: a performance counter overflowed.
        VIRQ_XENPMU = 13,
        /// First of the architecture's; on x86 `VIRQ_MCA`, global, a machine check was recorded.
        VIRQ_ARCH_0 = 16,
        VIRQ_ARCH_1 = 17,
        VIRQ_ARCH_2 = 18,
        VIRQ_ARCH_3 = 19,
        VIRQ_ARCH_4 = 20,
        VIRQ_ARCH_5 = 21,
        VIRQ_ARCH_6 = 22,
        VIRQ_ARCH_7 = 23,
        /// How many numbers there are.
        NR_VIRQS = 24,
    }

    u32, "Command in bits 1..0 of [`MmuUpdate::ptr`]." {
        /// Checked write of a page-table entry; `ptr` is its machine address.
        MMU_NORMAL_PT_UPDATE = 0,
        /// Write of the machine-to-physical entry of the frame that holds machine address `ptr`.
        MMU_MACHPHYS_UPDATE = 1,
        /// As a normal update, but the accessed and dirty bits already there are kept.
        MMU_PT_UPDATE_PRESERVE_AD = 2,
        /// As a normal update, but the frame in `val` is never translated.
        MMU_PT_UPDATE_NO_TRANSLATE = 3,
    }

    u32, "Command of an [`MmuextOp`]." {
        MMUEXT_PIN_L1_TABLE = 0,
        MMUEXT_PIN_L2_TABLE = 1,
        MMUEXT_PIN_L3_TABLE = 2,
        MMUEXT_PIN_L4_TABLE = 3,
        MMUEXT_UNPIN_TABLE = 4,
        /// Loads the guest kernel's top-level table.
        MMUEXT_NEW_BASEPTR = 5,
        MMUEXT_TLB_FLUSH_LOCAL = 6,
        MMUEXT_INVLPG_LOCAL = 7,
        MMUEXT_TLB_FLUSH_MULTI = 8,
        MMUEXT_INVLPG_MULTI = 9,
        MMUEXT_TLB_FLUSH_ALL = 10,
        MMUEXT_INVLPG_ALL = 11,
        MMUEXT_FLUSH_CACHE = 12,
        MMUEXT_SET_LDT = 13,
        /// Loads the guest user mode's top-level table.
        MMUEXT_NEW_USER_BASEPTR = 15,
        MMUEXT_CLEAR_PAGE = 16,
        MMUEXT_COPY_PAGE = 17,
        MMUEXT_FLUSH_CACHE_GLOBAL = 18,
        MMUEXT_MARK_SUPER = 19,
        MMUEXT_UNMARK_SUPER = 20,
    }

    u64, "Flag of `update_va_mapping` (argument 3)." {
        UVMF_NONE = 0,
        /// Flush whole TLBs.
        UVMF_TLB_FLUSH = 1,
        /// Flush the one address.
        UVMF_INVLPG = 2,
        UVMF_FLUSHTYPE_MASK = 3,
        /// On the vCPUs of the bitmap whose address the flags carry above bit 2.
        UVMF_MULTI = 0,
        /// On this vCPU: `UVMF_MULTI` without a bitmap.
        UVMF_LOCAL = 0,
        /// On every vCPU of the domain.
        UVMF_ALL = 4,
    }

    u32, "Command of `console_io`." {
        CONSOLEIO_write = 0,
        CONSOLEIO_read = 1,
    }

    u32, "Command of `vm_assist` (argument 1)." {
        VMASST_CMD_enable = 0,
        VMASST_CMD_disable = 1,
    }

    u32, "Type of `vm_assist` (argument 2), a bit number in [`crate::arch_x86::VcpuGuestContext::vm_assist`]." {
        VMASST_TYPE_4gb_segments = 0,
        VMASST_TYPE_4gb_segments_notify = 1,
        /// Trapped writes to last-level page tables are emulated.
        VMASST_TYPE_writable_pagetables = 2,
        VMASST_TYPE_pae_extended_cr3 = 3,
        /// The virtual IOPL follows the architecture: set by `iret`, shown in bounce frames.
        VMASST_TYPE_architectural_iopl = 4,
        /// The runstate area is updated under `XEN_RUNSTATE_UPDATE`.
        VMASST_TYPE_runstate_update_flag = 5,
        /// The machine-to-physical table stays out of user-mode page tables.
        VMASST_TYPE_m2p_strict = 32,
    }

    u32, "Special domain number." {
        /// First number no ordinary domain has.
        DOMID_FIRST_RESERVED = 0x7ff0,
        DOMID_SELF = 0x7ff0,
        DOMID_IO = 0x7ff1,
        DOMID_XEN = 0x7ff2,
        DOMID_COW = 0x7ff3,
        DOMID_INVALID = 0x7ff4,
        DOMID_IDLE = 0x7fff,
        DOMID_MASK = 0x7fff,
    }

    u8, "Bit of [`VcpuTimeInfo::flags`]." {
        /// Time never goes backwards between vCPUs.
        XEN_PVCLOCK_TSC_STABLE_BIT = 1,
        XEN_PVCLOCK_GUEST_STOPPED = 2,
    }

    u32, "Newest interface version the headers describe." {
        __XEN_LATEST_INTERFACE_VERSION__ = 0x0004_0e00,
    }
}

structures! {
    /// One request of `mmu_update`.
    struct MmuUpdate = "struct mmu_update" {
        /// Machine address of the entry, with an `MMU_…` command in bits 1..0.
        ptr: u64,
        /// The new value.
        val: u64,
    }

    /// One request of `mmuext_op`.
    struct MmuextOp = "struct mmuext_op" {
        /// A `MMUEXT_…` command.
        cmd: u32,
        /// No meaning.
        _padding: u32,
        /// A machine frame, or a virtual address for the INVLPG commands and SET_LDT.
        arg1: u64,
        /// A bitmap's address (MULTI commands), a source frame (COPY_PAGE), or in the low 32 bits a
        /// number of descriptors (SET_LDT).
        arg2: u64,
    }

    /// One call in a `multicall`.
    struct MulticallEntry = "struct multicall_entry" {
        /// The hypercall's number.
        op: u64,
        /// What it answered.
        result: u64,
        /// Its arguments.
        args: [u64; 6],
    }

    /// A vCPU's clock; see [`VcpuInfo::time`].
    struct VcpuTimeInfo = "struct vcpu_time_info" {
        /// Odd while an update is under way; grows by two with each.
        version: u32,
        /// No meaning.
        pad0: u32,
        /// TSC at the last update.
        tsc_timestamp: u64,
        /// System time at the last update, in nanoseconds.
        system_time: u64,
        /// Nanoseconds per shifted tick, as a fraction of 2^32.
        tsc_to_system_mul: u32,
        /// Left shift (right if negative) of the ticks since the last update.
        tsc_shift: i8,
        /// `XEN_PVCLOCK_…` bits.
        flags: u8,
        /// No meaning.
        pad1: [u8; 2],
    }

    /// What a vCPU and the hypervisor share: 64 bytes, in the shared page or where the guest registered it.
    struct VcpuInfo = "struct vcpu_info" {
        /// Non-zero when an event waits. Set by the hypervisor, cleared by the guest.
        evtchn_upcall_pending: u8,
        /// Non-zero when the guest takes no upcall.
        evtchn_upcall_mask: u8,
        /// No meaning.
        _padding: [u8; 6],
        /// Two-level events: which words of `evtchn_pending` to look at.
        evtchn_pending_sel: u64,
        /// The architecture's part.
        arch: ArchVcpuInfo,
        /// The vCPU's clock.
        time: VcpuTimeInfo,
    }

    /// The page a domain shares with the hypervisor.
    struct SharedInfo = "struct shared_info" {
        /// The first 32 vCPUs' areas, unless registered elsewhere.
        vcpu_info: [VcpuInfo; XEN_LEGACY_MAX_VCPUS],
        /// Two-level events: pending bits.
        evtchn_pending: [u64; 64],
        /// Two-level events: mask bits.
        evtchn_mask: [u64; 64],
        /// Odd while the wall clock is being updated.
        wc_version: u32,
        /// Wall-clock seconds at system time zero, low half.
        wc_sec: u32,
        /// Wall-clock nanoseconds at system time zero.
        wc_nsec: u32,
        /// Wall-clock seconds at system time zero, high half.
        wc_sec_hi: u32,
        /// The architecture's part.
        arch: ArchSharedInfo,
    }

    /// A set of CPUs or nodes as `domctl`, `sysctl` and `mca` take it.
    struct XenctlBitmap = "struct xenctl_bitmap" {
        /// Address of the bytes.
        bitmap: GuestHandle,
        /// Number of bits there.
        nr_bits: u32,
        /// No meaning.
        _padding: u32,
    }
}
