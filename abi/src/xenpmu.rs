//! `pmu.h` and `arch-x86/pmu.h`: performance counters shared with guests.

constants! {
    u32, "Operation of `xenpmu_op`." {
        XENPMU_mode_get = 0,
        XENPMU_mode_set = 1,
        XENPMU_feature_get = 2,
        XENPMU_feature_set = 3,
        XENPMU_init = 4,
        XENPMU_finish = 5,
        XENPMU_lvtpc_set = 6,
        XENPMU_flush = 7,
    }

    u64, "Mode, who may profile whom." {
        XENPMU_MODE_OFF = 0,
        XENPMU_MODE_SELF = 1,
        XENPMU_MODE_HV = 2,
        XENPMU_MODE_ALL = 4,
    }

    u64, "Feature." {
        XENPMU_FEATURE_INTEL_BTS = 1,
        XENPMU_FEATURE_IPC_ONLY = 2,
        XENPMU_FEATURE_ARCH_ONLY = 4,
    }

    u64, "Flag of [`PmuArch::pmu_flags`]." {
        /// The counters are in the context, not in the processor.
        PMU_CACHED = 1,
        PMU_SAMPLE_USER = 2,
        PMU_SAMPLE_REAL = 4,
        PMU_SAMPLE_PV = 8,
    }
}

structures! {
    /// Argument of `xenpmu_op`.
    struct PmuParams = "struct xen_pmu_params" {
        /// In and out: major version.
        version_major: u32 = "version.maj",
        /// In and out: minor version.
        version_minor: u32 = "version.min",
        /// In or out: by operation.
        val: u64,
        /// In: the vCPU.
        vcpu: u32,
        /// No meaning.
        pad: u32,
    }

    /// Registers of what was running.
    struct PmuRegs = "struct xen_pmu_regs" {
        /// Instruction pointer.
        ip: u64,
        /// Stack pointer.
        sp: u64,
        /// Flags.
        flags: u64,
        /// Code selector.
        cs: u16,
        /// Stack selector.
        ss: u16,
        /// Privilege level.
        cpl: u8,
        /// No meaning.
        pad: [u8; 3],
    }

    /// AMD's counters, before their values.
    struct PmuAmdContext = "struct xen_pmu_amd_ctxt" {
        /// Offset of the counters.
        counters: u32,
        /// Offset of their controls.
        ctrls: u32,
        /// Aligns what follows, the values.
        _padding: [u64; 0],
    }

    /// Intel's counters, before their values.
    struct PmuIntelContext = "struct xen_pmu_intel_ctxt" {
        /// Offset of the fixed counters.
        fixed_counters: u32,
        /// Offset of the others.
        arch_counters: u32,
        /// MSR.
        global_ctrl: u64,
        /// MSR.
        global_ovf_ctrl: u64,
        /// MSR.
        global_status: u64,
        /// MSR.
        fixed_ctrl: u64,
        /// MSR.
        ds_area: u64,
        /// MSR.
        pebs_enable: u64,
        /// MSR.
        debugctl: u64,
    }

    /// The processor's part of a sample.
    struct PmuArch = "struct xen_pmu_arch" {
        /// Begins with [`PmuRegs`].
        r: [u64; 8],
        /// `PMU_…` bits.
        pmu_flags: u64,
        /// APIC LVTPC in the low 32 bits.
        l: u64,
        /// [`PmuAmdContext`] or [`PmuIntelContext`].
        c: [u64; 16],
    }

    /// The page of samples of a vCPU.
    struct PmuData = "struct xen_pmu_data" {
        /// Which vCPU.
        vcpu_id: u32,
        /// On which CPU.
        pcpu_id: u32,
        /// Which domain.
        domain_id: u16,
        /// No meaning.
        pad: [u8; 6],
        /// The processor's part.
        pmu: PmuArch,
    }
}
