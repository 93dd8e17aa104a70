//! `arch-x86/xen-mca.h`: machine checks, told to the first domain.

use crate::xen::{GuestHandle, XenctlBitmap};

constants! {
    u32, "The machine-check hypercall." {
        __HYPERVISOR_mca = crate::xen::__HYPERVISOR_arch_0,
    }

    u32, "The virtual interrupt of a machine check." {
        VIRQ_MCA = crate::xen::VIRQ_ARCH_0,
    }

    u32, "Version that [`Mc::interface_version`] must have." {
        XEN_MCA_INTERFACE_VERSION = 0x01ec_c003,
    }

    u32, "Operation of `mca`." {
        XEN_MC_fetch = 1,
        XEN_MC_notifydomain = 2,
        XEN_MC_physcpuinfo = 3,
        XEN_MC_msrinject = 4,
        XEN_MC_mceinject = 5,
        XEN_MC_inject_v2 = 6,
    }

    u32, "What to fetch ([`McFetch::flags`], in)." {
        XEN_MC_NONURGENT = 1,
        XEN_MC_URGENT = 2,
        /// Says that what was fetched is stored.
        XEN_MC_ACK = 4,
    }

    u32, "What came of it ([`McFetch::flags`], out)." {
        XEN_MC_OK = 0,
        XEN_MC_FETCHFAILED = 1,
        XEN_MC_NODATA = 2,
        XEN_MC_NOMATCH = 4,
        XEN_MC_CANNOTHANDLE = 8,
        XEN_MC_NOTDELIVERED = 0x10,
    }

    u16, "No vCPU." {
        XEN_MC_VCPUID_INVALID = 0xffff,
    }

    u16, "Type of a record ([`McinfoCommon::kind`])." {
        MC_TYPE_GLOBAL = 0,
        MC_TYPE_BANK = 1,
        MC_TYPE_EXTENDED = 2,
        MC_TYPE_RECOVERY = 3,
    }

    u32, "Flag of [`McinfoGlobal::mc_flags`]." {
        MC_FLAG_CORRECTABLE = 1 << 0,
        MC_FLAG_UNCORRECTABLE = 1 << 1,
        MC_FLAG_RECOVERABLE = 1 << 2,
        MC_FLAG_POLLED = 1 << 3,
        MC_FLAG_RESET = 1 << 4,
        MC_FLAG_CMCI = 1 << 5,
        MC_FLAG_MCE = 1 << 6,
    }

    u8, "What recovery did ([`McinfoRecovery::action_flags`])." {
        REC_ACTION_RECOVERED = 1,
        REC_ACTION_NONE = 2,
        REC_ACTION_NEED_RESET = 4,
    }

    u8, "How ([`McinfoRecovery::action_types`])." {
        MC_ACTION_PAGE_OFFLINE = 1,
        MC_ACTION_CPU_OFFLINE = 2,
        MC_ACTION_CACHE_SHRINK = 4,
    }

    usize, "Size." {
        MCINFO_HYPERCALLSIZE = 1024,
        MCINFO_MAXSIZE = 768,
        /// Words of [`McinfoLogicalCpu::mc_cpu_caps`].
        MC_NCAPS = 7,
        /// Entries of [`McMsrinject::mcinj_msr`].
        MC_MSRINJ_MAXMSRS = 8,
    }

    u32, "Flag of [`McInfo::flags`]: records were dropped." {
        MCINFO_FLAGS_UNCOMPLETE = 1,
    }

    usize, "Index into [`McinfoLogicalCpu::mc_cpu_caps`]." {
        MC_CAPS_STD_EDX = 0,
        MC_CAPS_AMD_EDX = 1,
        MC_CAPS_TM = 2,
        MC_CAPS_LINUX = 3,
        MC_CAPS_STD_ECX = 4,
        MC_CAPS_VIA = 5,
        MC_CAPS_AMD_ECX = 6,
    }

    u32, "Flag of [`McMsrinject::mcinj_flags`]." {
        MC_MSRINJ_F_INTERPOSE = 1,
        MC_MSRINJ_F_GPADDR = 2,
    }

    u32, "Flag of [`McInjectV2::flags`]." {
        XEN_MC_INJECT_TYPE_MASK = 7,
        XEN_MC_INJECT_TYPE_MCE = 0,
        XEN_MC_INJECT_TYPE_CMCI = 1,
        XEN_MC_INJECT_TYPE_LMCE = 2,
        XEN_MC_INJECT_CPU_BROADCAST = 8,
    }
}

structures! {
    /// The beginning of every record.
    struct McinfoCommon = "struct mcinfo_common" {
        /// A `MC_TYPE_…` value.
        kind: u16 = "type",
        /// Bytes of the record.
        size: u16,
    }

    /// What holds for the whole machine check.
    struct McinfoGlobal = "struct mcinfo_global" {
        /// Type and size.
        common: McinfoCommon,
        /// Domain that ran.
        mc_domid: u16,
        /// vCPU that ran.
        mc_vcpuid: u16,
        /// Socket.
        mc_socketid: u32,
        /// Core.
        mc_coreid: u16,
        /// Thread.
        mc_core_threadid: u16,
        /// APIC identifier.
        mc_apicid: u32,
        /// `MC_FLAG_…` bits.
        mc_flags: u32,
        /// MCG_STATUS.
        mc_gstatus: u64,
    }

    /// What one bank told.
    struct McinfoBank = "struct mcinfo_bank" {
        /// Type and size.
        common: McinfoCommon,
        /// Bank.
        mc_bank: u16,
        /// Domain the address belongs to.
        mc_domid: u16,
        /// MCi_STATUS.
        mc_status: u64,
        /// MCi_ADDR.
        mc_addr: u64,
        /// MCi_MISC.
        mc_misc: u64,
        /// MCi_CTL2.
        mc_ctrl2: u64,
        /// TSC.
        mc_tsc: u64,
    }

    /// One MSR.
    struct McinfoMsr = "struct mcinfo_msr" {
        /// Its index.
        reg: u64,
        /// Its value.
        value: u64,
    }

    /// More MSRs.
    struct McinfoExtended = "struct mcinfo_extended" {
        /// Type and size.
        common: McinfoCommon,
        /// Valid entries.
        mc_msrs: u32,
        /// The entries.
        mc_msr: [McinfoMsr; 32],
    }

    /// What recovery did.
    struct McinfoRecovery = "struct mcinfo_recovery" {
        /// Type and size.
        common: McinfoCommon,
        /// Bank.
        mc_bank: u16,
        /// `REC_ACTION_…` bits.
        action_flags: u8,
        /// `MC_ACTION_…` bits.
        action_types: u8,
        /// By type: a frame and its state, or a CPU.
        action_info: [u64; 2],
    }

    /// All records of one machine check.
    struct McInfo = "struct mc_info" {
        /// Records.
        mi_nentries: u32,
        /// [`MCINFO_FLAGS_UNCOMPLETE`] or zero.
        flags: u32,
        /// The records.
        mi_data: [u64; (MCINFO_MAXSIZE - 1) / 8],
    }

    /// One physical CPU.
    struct McinfoLogicalCpu = "struct mcinfo_logical_cpu" {
        /// The hypervisor's number of it.
        mc_cpunr: u32,
        /// Socket.
        mc_chipid: u32,
        /// Core.
        mc_coreid: u16,
        /// Thread.
        mc_threadid: u16,
        /// APIC identifier.
        mc_apicid: u32,
        /// Cluster.
        mc_clusterid: u32,
        /// Cores in the socket.
        mc_ncores: u32,
        /// Of them in use.
        mc_ncores_active: u32,
        /// Threads in the core.
        mc_nthreads: u32,
        /// Greatest CPUID leaf.
        mc_cpuid_level: i32,
        /// Family.
        mc_family: u32,
        /// Vendor.
        mc_vendor: u32,
        /// Model.
        mc_model: u32,
        /// Stepping.
        mc_step: u32,
        /// Vendor as CPUID spells it.
        mc_vendorid: [u8; 16],
        /// Brand as CPUID spells it.
        mc_brandid: [u8; 64],
        /// Feature words, by `MC_CAPS_…`.
        mc_cpu_caps: [u32; MC_NCAPS],
        /// KiB of cache.
        mc_cache_size: u32,
        /// Bytes of a cache line.
        mc_cache_alignment: u32,
        /// Valid entries below.
        mc_nmsrvals: i32,
        /// No meaning.
        _padding: u32,
        /// MSRs.
        mc_msrvalues: [McinfoMsr; 8],
    }

    /// Request of `XEN_MC_fetch`.
    struct McFetch = "struct xen_mc_fetch" {
        /// In and out: `XEN_MC_…` bits.
        flags: u32,
        /// No meaning.
        _pad0: u32,
        /// Out: to acknowledge by; in: what is acknowledged.
        fetch_id: u64,
        /// In: address for a [`McInfo`].
        data: GuestHandle,
    }

    /// Request of `XEN_MC_notifydomain`.
    struct McNotifydomain = "struct xen_mc_notifydomain" {
        /// In: whom.
        mc_domid: u16,
        /// In: which vCPU.
        mc_vcpuid: u16,
        /// In and out: `XEN_MC_…` bits.
        flags: u32,
    }

    /// Request of `XEN_MC_physcpuinfo`.
    struct McPhyscpuinfo = "struct xen_mc_physcpuinfo" {
        /// In: room; out: CPUs there are.
        ncpus: u32,
        /// No meaning.
        _pad0: u32,
        /// In: address of an array of [`McinfoLogicalCpu`], or 0 to learn how many.
        info: GuestHandle,
    }

    /// Request of `XEN_MC_msrinject`.
    struct McMsrinject = "struct xen_mc_msrinject" {
        /// In: the CPU.
        mcinj_cpunr: u32,
        /// In: `MC_MSRINJ_F_…` bits.
        mcinj_flags: u32,
        /// In: valid entries.
        mcinj_count: u32,
        /// In: the domain whose addresses these are.
        mcinj_domid: u16,
        /// No meaning.
        _pad0: u16,
        /// In: the entries.
        mcinj_msr: [McinfoMsr; MC_MSRINJ_MAXMSRS],
    }

    /// Request of `XEN_MC_mceinject`.
    struct McMceinject = "struct xen_mc_mceinject" {
        /// In: the CPU.
        mceinj_cpunr: u32,
    }

    /// Request of `XEN_MC_inject_v2`.
    struct McInjectV2 = "struct xen_mc_inject_v2" {
        /// In: `XEN_MC_INJECT_…` bits.
        flags: u32,
        /// No meaning.
        _padding: u32,
        /// In: the CPUs.
        cpumap: XenctlBitmap,
    }

    /// Argument of `mca`.
    struct Mc = "struct xen_mc" {
        /// In: a `XEN_MC_…` operation.
        cmd: u32,
        /// In: [`XEN_MCA_INTERFACE_VERSION`].
        interface_version: u32,
        /// By operation.
        u: [u64; 18],
    }
}
