//! `platform.h`, third part: sleep and the processors' power states.

use crate::xen::GuestHandle;

constants! {
    u32, "Flag of [`EnterAcpiSleep::flags`]: the extended sleep registers." {
        XENPF_ACPI_SLEEP_EXTENDED = 1,
    }

    u32, "Ability in `dom0`'s capability bits." {
        XEN_PROCESSOR_PM_CX = 1,
        XEN_PROCESSOR_PM_PX = 2,
        XEN_PROCESSOR_PM_TX = 4,
    }

    u32, "Kind of [`SetProcessorPminfo::kind`]." {
        XEN_PM_CX = 0,
        XEN_PM_PX = 1,
        XEN_PM_TX = 2,
        XEN_PM_PDC = 3,
    }

    u32, "Part of [`ProcessorPerformance`] that is filled in." {
        XEN_PX_PCT = 1,
        XEN_PX_PSS = 2,
        XEN_PX_PPC = 4,
        XEN_PX_PSD = 8,
    }

    u32, "Coordination of performance states ([`ProcessorPerformance::shared_type`])." {
        XEN_CPUPERF_SHARED_TYPE_HW = 1,
        XEN_CPUPERF_SHARED_TYPE_ALL = 2,
        XEN_CPUPERF_SHARED_TYPE_ANY = 3,
    }
}

structures! {
    /// Request of `XENPF_enter_acpi_sleep`.
    struct EnterAcpiSleep = "struct xenpf_enter_acpi_sleep" {
        /// In: value for PM1a control, or sleep type A.
        val_a: u16,
        /// In: value for PM1b control, or sleep type B.
        val_b: u16,
        /// In: which sleep state (5 is off).
        sleep_state: u32,
        /// In: [`XENPF_ACPI_SLEEP_EXTENDED`] or zero.
        flags: u32,
    }

    /// Request of `XENPF_change_freq`.
    struct ChangeFreq = "struct xenpf_change_freq" {
        /// Must be zero.
        flags: u32,
        /// In: the CPU.
        cpu: u32,
        /// In: Hz.
        freq: u64,
    }

    /// Request of `XENPF_getidletime`.
    struct Getidletime = "struct xenpf_getidletime" {
        /// In and out: address of a bitmap of CPUs; those that are not there are cleared.
        cpumap_bitmap: GuestHandle,
        /// In: bits in it.
        cpumap_nr_cpus: u32,
        /// No meaning.
        _padding: u32,
        /// In: address of an array of nanoseconds (`u64`), by CPU.
        idletime: GuestHandle,
        /// Out: system time of the readings.
        now: u64,
    }

    /// A register as ACPI's generic address has it.
    struct PowerRegister = "struct xen_power_register" {
        /// Address space.
        space_id: u32,
        /// Bits.
        bit_width: u32,
        /// First bit.
        bit_offset: u32,
        /// Size of an access.
        access_size: u32,
        /// Where.
        address: u64,
    }

    /// A group of dependent processors.
    struct ProcessorCsd = "struct xen_processor_csd" {
        /// The group's number.
        domain: u32,
        /// How it is coordinated.
        coord_type: u32,
        /// Processors in it.
        num: u32,
    }

    /// One idle state.
    struct ProcessorCx = "struct xen_processor_cx" {
        /// How to enter it.
        reg: PowerRegister,
        /// Its number.
        kind: u8 = "type",
        /// No meaning.
        _padding: [u8; 3],
        /// Worst latency.
        latency: u32,
        /// Milliwatts.
        power: u32,
        /// Dependencies.
        dpcnt: u32,
        /// Address of an array of [`ProcessorCsd`], or 0.
        dp: GuestHandle,
    }

    /// A processor's idle states.
    struct ProcessorPower = "struct xen_processor_power" {
        /// States.
        count: u32,
        /// Bits: 0 bus-master control, 1 bus-master check, 2 has _CST, 3 set up, 4 bus-master reload.
        flags: u32,
        /// Address of an array of [`ProcessorCx`].
        states: GuestHandle,
    }

    /// A performance register.
    struct PctRegister = "struct xen_pct_register" {
        /// ACPI descriptor.
        descriptor: u8,
        /// No meaning.
        _padding: u8,
        /// Its length.
        length: u16,
        /// Address space.
        space_id: u8,
        /// Bits.
        bit_width: u8,
        /// First bit.
        bit_offset: u8,
        /// No meaning.
        reserved: u8,
        /// Where.
        address: u64,
    }

    /// One performance state.
    struct ProcessorPx = "struct xen_processor_px" {
        /// MHz.
        core_frequency: u64,
        /// Milliwatts.
        power: u64,
        /// Microseconds.
        transition_latency: u64,
        /// Microseconds.
        bus_master_latency: u64,
        /// Value to write.
        control: u64,
        /// Value to expect.
        status: u64,
    }

    /// A group of processors that change frequency together.
    struct PsdPackage = "struct xen_psd_package" {
        /// Entries.
        num_entries: u64,
        /// Revision.
        revision: u64,
        /// The group's number.
        domain: u64,
        /// How it is coordinated.
        coord_type: u64,
        /// Processors in it.
        num_processors: u64,
    }

    /// A processor's performance states.
    struct ProcessorPerformance = "struct xen_processor_performance" {
        /// `XEN_PX_…` bits.
        flags: u32,
        /// Fastest state allowed.
        platform_limit: u32,
        /// Control register.
        control_register: PctRegister,
        /// Status register.
        status_register: PctRegister,
        /// States.
        state_count: u32,
        /// No meaning.
        _padding: u32,
        /// Address of an array of [`ProcessorPx`].
        states: GuestHandle,
        /// Its group.
        domain_info: PsdPackage,
        /// `XEN_CPUPERF_SHARED_TYPE_…`.
        shared_type: u32,
        /// No meaning.
        _padding2: u32,
    }

    /// Request of `XENPF_set_processor_pminfo`.
    struct SetProcessorPminfo = "struct xenpf_set_processor_pminfo" {
        /// In: ACPI identifier of the processor.
        id: u32,
        /// In: a `XEN_PM_…` kind.
        kind: u32 = "type",
        /// In: [`ProcessorPower`], [`ProcessorPerformance`], or the address of the _PDC words.
        u: [u64; 13],
    }
}
