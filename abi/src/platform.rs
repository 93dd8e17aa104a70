//! `platform.h`: what the first domain asks of the machine.
//!
//! The request of every operation lies in [`PlatformOp::u`]; power management's are in
//! [`crate::platform_power`], firmware's in [`crate::platform_firmware`].

use crate::xen::GuestHandle;

constants! {
    u32, "Version that [`PlatformOp::interface_version`] must have." {
        XENPF_INTERFACE_VERSION = 0x0300_0001,
    }

    u32, "Operation of `platform_op`." {
        XENPF_settime32 = 17,
        XENPF_add_memtype = 31,
        XENPF_del_memtype = 32,
        XENPF_read_memtype = 33,
        XENPF_microcode_update = 35,
        XENPF_platform_quirk = 39,
        XENPF_get_cpu_version = 48,
        XENPF_efi_runtime_call = 49,
        XENPF_firmware_info = 50,
        XENPF_enter_acpi_sleep = 51,
        XENPF_change_freq = 52,
        XENPF_getidletime = 53,
        XENPF_set_processor_pminfo = 54,
        XENPF_get_cpuinfo = 55,
        XENPF_cpu_online = 56,
        XENPF_cpu_offline = 57,
        XENPF_cpu_hotadd = 58,
        XENPF_mem_hotadd = 59,
        XENPF_core_parking = 60,
        XENPF_resource_op = 61,
        XENPF_settime64 = 62,
        XENPF_get_symbol = 63,
    }

    u32, "Quirk of [`PlatformQuirk`]." {
        QUIRK_NOIRQBALANCING = 1,
        QUIRK_IOAPIC_BAD_REGSEL = 2,
        QUIRK_IOAPIC_GOOD_REGSEL = 3,
    }

    u32, "Flag of [`PcpuInfo::flags`]." {
        XEN_PCPU_FLAGS_ONLINE = 1,
        /// There is no such CPU.
        XEN_PCPU_FLAGS_INVALID = 2,
    }

    u32, "Operation of [`CoreParking`]." {
        XEN_CORE_PARKING_SET = 1,
        XEN_CORE_PARKING_GET = 2,
    }

    u32, "Operation of a [`ResourceEntry`]." {
        XEN_RESOURCE_OP_MSR_READ = 0,
        XEN_RESOURCE_OP_MSR_WRITE = 1,
    }
}

structures! {
    /// Argument of `platform_op`.
    struct PlatformOp = "struct xen_platform_op" {
        /// In: a `XENPF_…` operation.
        cmd: u32,
        /// In: [`XENPF_INTERFACE_VERSION`].
        interface_version: u32,
        /// By operation.
        u: [u64; 16],
    }

    /// Request of `XENPF_settime32`: the time of day at a system time.
    struct Settime32 = "struct xenpf_settime32" {
        /// In: seconds since 1970, UTC.
        secs: u32,
        /// In: nanoseconds.
        nsecs: u32,
        /// In: nanoseconds of system time.
        system_time: u64,
    }

    /// Request of `XENPF_settime64`: the time of day at a system time.
    struct Settime64 = "struct xenpf_settime64" {
        /// In: seconds since 1970, UTC.
        secs: u64,
        /// In: nanoseconds.
        nsecs: u32,
        /// Must be zero.
        mbz: u32,
        /// In: nanoseconds of system time.
        system_time: u64,
    }

    /// Request of `XENPF_add_memtype`.
    struct AddMemtype = "struct xenpf_add_memtype" {
        /// In: first frame.
        mfn: u64,
        /// In: frames.
        nr_mfns: u64,
        /// In: memory type as MTRRs have it.
        kind: u32 = "type",
        /// Out: name of the setting.
        handle: u32,
        /// Out: the MTRR.
        reg: u32,
        /// No meaning.
        _padding: u32,
    }

    /// Request of `XENPF_del_memtype`.
    struct DelMemtype = "struct xenpf_del_memtype" {
        /// In: name of the setting, or 0.
        handle: u32,
        /// In: the MTRR.
        reg: u32,
    }

    /// Request of `XENPF_read_memtype`.
    struct ReadMemtype = "struct xenpf_read_memtype" {
        /// In: the MTRR.
        reg: u32,
        /// No meaning.
        _padding: u32,
        /// Out: first frame.
        mfn: u64,
        /// Out: frames.
        nr_mfns: u64,
        /// Out: memory type as MTRRs have it.
        kind: u32 = "type",
        /// No meaning.
        _padding2: u32,
    }

    /// Request of `XENPF_microcode_update`.
    struct MicrocodeUpdate = "struct xenpf_microcode_update" {
        /// In: address of the update.
        data: GuestHandle,
        /// In: its bytes.
        length: u32,
        /// No meaning.
        _padding: u32,
    }

    /// Request of `XENPF_platform_quirk`.
    struct PlatformQuirk = "struct xenpf_platform_quirk" {
        /// In: which.
        quirk_id: u32,
    }

    /// Request of `XENPF_get_cpuinfo`.
    struct PcpuInfo = "struct xenpf_pcpuinfo" {
        /// In: the hypervisor's number of the CPU.
        xen_cpuid: u32,
        /// Out: the greatest number present.
        max_present: u32,
        /// Out: `XEN_PCPU_FLAGS_…` bits.
        flags: u32,
        /// Out: APIC identifier.
        apic_id: u32,
        /// Out: ACPI identifier.
        acpi_id: u32,
    }

    /// Request of `XENPF_get_cpu_version`.
    struct PcpuVersion = "struct xenpf_pcpu_version" {
        /// In: the hypervisor's number of the CPU.
        xen_cpuid: u32,
        /// Out: the greatest number present.
        max_present: u32,
        /// Out: vendor as CPUID spells it.
        vendor_id: [u8; 12],
        /// Out: family.
        family: u32,
        /// Out: model.
        model: u32,
        /// Out: stepping.
        stepping: u32,
    }

    /// Request of `XENPF_cpu_online` and `XENPF_cpu_offline`.
    struct CpuOl = "struct xenpf_cpu_ol" {
        /// In: the hypervisor's number of the CPU.
        cpuid: u32,
    }

    /// Request of `XENPF_cpu_hotadd`.
    struct CpuHotadd = "struct xenpf_cpu_hotadd" {
        /// In: APIC identifier.
        apic_id: u32,
        /// In: ACPI identifier.
        acpi_id: u32,
        /// In: proximity domain.
        pxm: u32,
    }

    /// Request of `XENPF_mem_hotadd`.
    struct MemHotadd = "struct xenpf_mem_hotadd" {
        /// In: first frame.
        spfn: u64,
        /// In: first frame above.
        epfn: u64,
        /// In: proximity domain.
        pxm: u32,
        /// In: flags.
        flags: u32,
    }

    /// Request of `XENPF_core_parking`.
    struct CoreParking = "struct xenpf_core_parking" {
        /// In: `XEN_CORE_PARKING_…`.
        kind: u32 = "type",
        /// In or out: CPUs idled.
        idle_nums: u32,
    }

    /// One entry of `XENPF_resource_op`.
    struct ResourceEntry = "struct xenpf_resource_entry" {
        /// In: `XEN_RESOURCE_OP_…`; out: an error.
        cmd: u32 = "u.cmd",
        /// Must be zero.
        rsvd: u32,
        /// In: the MSR.
        idx: u64,
        /// In or out: its value.
        val: u64,
    }

    /// Request of `XENPF_resource_op`.
    struct ResourceOp = "struct xenpf_resource_op" {
        /// In: entries.
        nr_entries: u32,
        /// In: on which CPU.
        cpu: u32,
        /// In: address of an array of [`ResourceEntry`].
        entries: GuestHandle,
    }

    /// Request of `XENPF_get_symbol`.
    struct Symdata = "struct xenpf_symdata" {
        /// In: room for the name; out: its length.
        namelen: u32,
        /// In: which symbol; out: the next, or the same at the end.
        symnum: u32,
        /// In: address for the name.
        name: GuestHandle,
        /// Out: the symbol's address.
        address: u64,
        /// Out: its type, a letter as `nm` has it.
        kind: u8 = "type",
        /// No meaning.
        _padding: [u8; 7],
    }
}
