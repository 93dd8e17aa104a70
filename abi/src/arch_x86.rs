//! `arch-x86/xen.h` and `arch-x86/xen-x86_64.h`: the 64-bit processor's part of the interface.

/// vCPUs that have their `vcpu_info` in the shared page.
pub const XEN_LEGACY_MAX_VCPUS: usize = 32;

/// The bytes before an instruction that ask for its emulation (`ud2; "xen"`); only CPUID is honoured.
pub const XEN_EMULATE_PREFIX: [u8; 5] = [0x0f, 0x0b, 0x78, 0x65, 0x6e];

/// Bits of [`TrapInfo::flags`] that hold the privilege level from which `int n` may enter.
pub const TRAP_DPL_MASK: u8 = 3;
/// Bit of [`TrapInfo::flags`] that masks events on entry.
pub const TRAP_MASKS_EVENTS: u8 = 4;

constants! {
    u16, "Selector of a descriptor the hypervisor keeps at the end of every guest's GDT." {
        FLAT_RING3_CS32 = 0xe023,
        FLAT_RING3_CS64 = 0xe033,
        FLAT_RING3_DS32 = 0xe02b,
        FLAT_RING3_DS64 = 0,
        FLAT_RING3_SS32 = 0xe02b,
        FLAT_RING3_SS64 = 0xe02b,
        FLAT_KERNEL_DS64 = 0,
        FLAT_KERNEL_DS32 = 0xe02b,
        FLAT_KERNEL_DS = 0,
        FLAT_KERNEL_CS64 = 0xe033,
        FLAT_KERNEL_CS32 = 0xe023,
        FLAT_KERNEL_CS = 0xe033,
        FLAT_KERNEL_SS64 = 0xe02b,
        FLAT_KERNEL_SS32 = 0xe02b,
        FLAT_KERNEL_SS = 0xe02b,
        FLAT_USER_DS64 = 0,
        FLAT_USER_DS32 = 0xe02b,
        FLAT_USER_DS = 0,
        FLAT_USER_CS64 = 0xe033,
        FLAT_USER_CS32 = 0xe023,
        FLAT_USER_CS = 0xe033,
        FLAT_USER_SS64 = 0xe02b,
        FLAT_USER_SS32 = 0xe02b,
        FLAT_USER_SS = 0xe02b,
    }

    u32, "Where the hypervisor's part of a GDT begins: the guest may set the entries below." {
        FIRST_RESERVED_GDT_PAGE = 14,
        FIRST_RESERVED_GDT_BYTE = 14 * 4096,
        FIRST_RESERVED_GDT_ENTRY = 14 * 512,
    }

    u64, "Bound of the hypervisor's part of every address space." {
        HYPERVISOR_VIRT_START = 0xffff_8000_0000_0000,
        /// First byte above.
        HYPERVISOR_VIRT_END = 0xffff_8800_0000_0000,
        /// Where guests read the machine-to-physical table.
        MACH2PHYS_VIRT_START = 0xffff_8000_0000_0000,
        /// First byte above the machine-to-physical table.
        MACH2PHYS_VIRT_END = 0xffff_8040_0000_0000,
        /// Entries, 8 bytes each, that fit there.
        MACH2PHYS_NR_ENTRIES = (MACH2PHYS_VIRT_END - MACH2PHYS_VIRT_START) >> 3,
    }

    u32, "Base that `set_segment_base` sets (argument 1)." {
        SEGBASE_FS = 0,
        /// The GS base of guest user mode.
        SEGBASE_GS_USER = 1,
        /// The GS base of the guest kernel.
        SEGBASE_GS_KERNEL = 2,
        /// Loads the selector in bits 15..0 into the user's GS.
        SEGBASE_GS_USER_SEL = 3,
    }

    u64, "Flag of [`VcpuGuestContext::flags`]." {
        VGCF_I387_VALID = 1 << 0,
        /// The vCPU runs its guest kernel.
        VGCF_IN_KERNEL = 1 << 2,
        VGCF_i387_valid = 1 << 0,
        VGCF_in_kernel = 1 << 2,
        VGCF_failsafe_disables_events = 1 << 3,
        VGCF_syscall_disables_events = 1 << 4,
        /// The vCPU is up.
        VGCF_online = 1 << 5,
    }

    u64, "Flag of [`IretContext::flags`]: return by `sysret`, giving up `rcx`, `r11`, `cs` and `ss`." {
        VGCF_in_syscall = 1 << 8,
        VGCF_IN_SYSCALL = 1 << 8,
    }

    u16, "I/O port whose bytes go to the hypervisor's console." {
        XEN_HVM_DEBUGCONS_IOPORT = 0xe9,
    }

    u32, "Sub-leaf of a CPUID leaf that has none." {
        XEN_CPUID_NO_SUBLEAF = 0xffff_ffff,
    }

    u32, "Emulated device of a domain (`xen_arch_domainconfig.emulation_flags`)." {
        XEN_X86_EMU_LAPIC = 1 << 0,
        XEN_X86_EMU_HPET = 1 << 1,
        XEN_X86_EMU_PM = 1 << 2,
        XEN_X86_EMU_RTC = 1 << 3,
        XEN_X86_EMU_IOAPIC = 1 << 4,
        XEN_X86_EMU_PIC = 1 << 5,
        XEN_X86_EMU_VGA = 1 << 6,
        XEN_X86_EMU_IOMMU = 1 << 7,
        XEN_X86_EMU_PIT = 1 << 8,
        XEN_X86_EMU_USE_PIRQ = 1 << 9,
        XEN_X86_EMU_VPCI = 1 << 10,
        XEN_X86_EMU_ALL = 0x7ff,
    }

    u32, "Flag of a domain (`xen_arch_domainconfig.misc_flags`)." {
        /// Accesses to unknown MSRs are ignored instead of faulting.
        XEN_X86_MSR_RELAXED = 1,
    }
}

structures! {
    /// One entry of a virtual interrupt table. A zero `address` ends the array of `set_trap_table`.
    struct TrapInfo = "struct trap_info" {
        /// The vector.
        vector: u8,
        /// [`TRAP_DPL_MASK`] and [`TRAP_MASKS_EVENTS`].
        flags: u8,
        /// Selector of the handler.
        cs: u16,
        /// No meaning.
        _padding: u32,
        /// Virtual address of the handler.
        address: u64,
    }

    /// The frame `iret` finds at the guest kernel's stack pointer.
    struct IretContext = "struct iret_context" {
        /// Restored.
        rax: u64,
        /// Restored unless returning by `sysret`.
        r11: u64,
        /// Restored unless returning by `sysret`.
        rcx: u64,
        /// [`VGCF_in_syscall`] or zero.
        flags: u64,
        /// Where to go on.
        rip: u64,
        /// Its low two bits tell guest user (3) from guest kernel (others).
        cs: u64,
        /// Flags to load; the interrupt flag becomes the upcall mask's opposite.
        rflags: u64,
        /// Stack pointer to load.
        rsp: u64,
        /// Stack selector to load.
        ss: u64,
    }

    /// A vCPU's general registers.
    struct CpuUserRegs = "struct cpu_user_regs" {
        /// General register.
        r15: u64,
        /// General register.
        r14: u64,
        /// General register.
        r13: u64,
        /// General register.
        r12: u64,
        /// General register.
        rbp: u64,
        /// General register.
        rbx: u64,
        /// General register.
        r11: u64,
        /// General register.
        r10: u64,
        /// General register.
        r9: u64,
        /// General register.
        r8: u64,
        /// General register.
        rax: u64,
        /// General register.
        rcx: u64,
        /// General register.
        rdx: u64,
        /// General register.
        rsi: u64,
        /// General register.
        rdi: u64,
        /// The hypervisor's own.
        error_code: u32,
        /// The hypervisor's own.
        entry_vector: u32,
        /// Instruction pointer.
        rip: u64,
        /// Code selector.
        cs: u16,
        /// No meaning.
        _pad0: u16,
        /// The upcall mask at the time.
        saved_upcall_mask: u8,
        /// No meaning.
        _pad1: [u8; 3],
        /// Flags; the interrupt flag is the upcall mask's opposite.
        rflags: u64,
        /// Stack pointer.
        rsp: u64,
        /// Stack selector.
        ss: u16,
        /// No meaning.
        _pad2: [u16; 3],
        /// Data selector.
        es: u16,
        /// No meaning.
        _pad3: [u16; 3],
        /// Data selector.
        ds: u16,
        /// No meaning.
        _pad4: [u16; 3],
        /// Data selector.
        fs: u16,
        /// No meaning.
        _pad5: [u16; 3],
        /// Data selector.
        gs: u16,
        /// No meaning.
        _pad6: [u16; 3],
    }

    /// A vCPU's whole state, as `vcpu_op` initialises it and `domctl` saves and restores it.
    struct VcpuGuestContext = "struct vcpu_guest_context" {
        /// FXSAVE image, valid with [`VGCF_I387_VALID`].
        fpu_ctxt: [u8; 512],
        /// `VGCF_…` bits.
        flags: u64,
        /// General registers.
        user_regs: CpuUserRegs,
        /// The virtual interrupt table, by vector.
        trap_ctxt: [TrapInfo; 256],
        /// Virtual address of the LDT.
        ldt_base: u64,
        /// Descriptors in the LDT.
        ldt_ents: u64,
        /// Machine frames of the GDT.
        gdt_frames: [u64; 16],
        /// Descriptors in the GDT.
        gdt_ents: u64,
        /// Stack selector of the guest kernel.
        kernel_ss: u64,
        /// Stack pointer on entry to the guest kernel.
        kernel_sp: u64,
        /// CR0 to CR7, except that index 1 holds the user mode's page-table base.
        ctrlreg: [u64; 8],
        /// DR0 to DR7.
        debugreg: [u64; 8],
        /// Handler of event upcalls.
        event_callback_eip: u64,
        /// Handler of a failed return to the guest.
        failsafe_callback_eip: u64,
        /// Handler of `syscall` from guest user mode.
        syscall_callback_eip: u64,
        /// `VMASST_TYPE_…` bits.
        vm_assist: u64,
        /// FS base.
        fs_base: u64,
        /// GS base of the guest kernel.
        gs_base_kernel: u64,
        /// GS base of guest user mode.
        gs_base_user: u64,
    }

    /// The processor's part of the shared page. The guest writes it, the toolstack reads it.
    struct ArchSharedInfo = "struct arch_shared_info" {
        /// Entries in the physical-to-machine table.
        max_pfn: u64,
        /// Root frame of the three-level physical-to-machine tree; 0 none yet, all ones unusable.
        pfn_to_mfn_frame_list_list: u64,
        /// `XEN_NMIREASON_…` bits, from the hypervisor.
        nmi_reason: u64,
        /// Page-table base under which `p2m_vaddr` is valid, or 0.
        p2m_cr3: u64,
        /// Virtual address of the linear physical-to-machine table.
        p2m_vaddr: u64,
        /// Odd while the guest changes that table's mappings.
        p2m_generation: u64,
    }

    /// The processor's part of a vCPU's shared area.
    struct ArchVcpuInfo = "struct arch_vcpu_info" {
        /// Address of the last page fault.
        cr2: u64,
        /// No meaning.
        pad: u64,
    }

    /// The processor's part of a domain's configuration.
    struct ArchDomainconfig = "struct xen_arch_domainconfig" {
        /// `XEN_X86_EMU_…` bits; a PV domain has none.
        emulation_flags: u32,
        /// [`XEN_X86_MSR_RELAXED`] or zero.
        misc_flags: u32,
    }

    /// One CPUID leaf as policies are written down.
    struct CpuidLeaf = "struct xen_cpuid_leaf" {
        /// Leaf.
        leaf: u32,
        /// Sub-leaf or [`XEN_CPUID_NO_SUBLEAF`].
        subleaf: u32,
        /// EAX.
        a: u32,
        /// EBX.
        b: u32,
        /// ECX.
        c: u32,
        /// EDX.
        d: u32,
    }

    /// One MSR as policies are written down.
    struct MsrEntry = "struct xen_msr_entry" {
        /// Its index.
        idx: u32,
        /// Must be zero.
        flags: u32,
        /// Its value.
        val: u64,
    }
}
