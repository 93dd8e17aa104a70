//! `vcpu.h`: operations on virtual processors.

use crate::xen::GuestHandle;

constants! {
    u32, "Operation of `vcpu_op`." {
        VCPUOP_initialise = 0,
        VCPUOP_up = 1,
        VCPUOP_down = 2,
        VCPUOP_is_up = 3,
        VCPUOP_get_runstate_info = 4,
        VCPUOP_register_runstate_memory_area = 5,
        VCPUOP_set_periodic_timer = 6,
        VCPUOP_stop_periodic_timer = 7,
        VCPUOP_set_singleshot_timer = 8,
        VCPUOP_stop_singleshot_timer = 9,
        VCPUOP_register_vcpu_info = 10,
        VCPUOP_send_nmi = 11,
        VCPUOP_get_physid = 12,
        VCPUOP_register_vcpu_time_memory_area = 13,
    }

    u64, "Flag in [`VcpuRunstateInfo::state_entry_time`] of a registered area while it is being updated." {
        XEN_RUNSTATE_UPDATE = 1 << 63,
    }

    u32, "State of a vCPU, and index into [`VcpuRunstateInfo::time`]." {
        RUNSTATE_running = 0,
        /// Could run, waits for a physical CPU.
        RUNSTATE_runnable = 1,
        RUNSTATE_blocked = 2,
        /// Neither: paused or down.
        RUNSTATE_offline = 3,
    }

    u32, "Flag of [`VcpuSetSingleshotTimer`]: refuse a time that has passed." {
        VCPU_SSHOTTMR_future = 1,
    }
}

structures! {
    /// Where a vCPU's time went.
    struct VcpuRunstateInfo = "struct vcpu_runstate_info" {
        /// A `RUNSTATE_…` value.
        state: i32,
        /// No meaning.
        _padding: u32,
        /// When the state was entered, in nanoseconds of system time.
        state_entry_time: u64,
        /// Nanoseconds spent in each state.
        time: [u64; 4],
    }

    /// Argument of `VCPUOP_register_runstate_memory_area`.
    struct VcpuRegisterRunstateMemoryArea = "struct vcpu_register_runstate_memory_area" {
        /// In: virtual address of a [`VcpuRunstateInfo`].
        addr: GuestHandle,
    }

    /// Argument of `VCPUOP_set_periodic_timer`.
    struct VcpuSetPeriodicTimer = "struct vcpu_set_periodic_timer" {
        /// In: the period in nanoseconds.
        period_ns: u64,
    }

    /// Argument of `VCPUOP_set_singleshot_timer`.
    struct VcpuSetSingleshotTimer = "struct vcpu_set_singleshot_timer" {
        /// In: when, in nanoseconds of system time.
        timeout_abs_ns: u64,
        /// In: [`VCPU_SSHOTTMR_future`] or zero.
        flags: u32,
        /// No meaning.
        _padding: u32,
    }

    /// Argument of `VCPUOP_register_vcpu_info`.
    struct VcpuRegisterVcpuInfo = "struct vcpu_register_vcpu_info" {
        /// In: the frame.
        mfn: u64,
        /// In: the offset in it; the area must not cross into the next frame.
        offset: u32,
        /// No meaning.
        rsvd: u32,
    }

    /// Argument of `VCPUOP_get_physid`.
    struct VcpuGetPhysid = "struct vcpu_get_physid" {
        /// Out: APIC identifier in bits 31..0, ACPI's in 63..32.
        phys_id: u64,
    }

    /// Argument of `VCPUOP_register_vcpu_time_memory_area`.
    struct VcpuRegisterTimeMemoryArea = "struct vcpu_register_time_memory_area" {
        /// In: virtual address of a [`crate::xen::VcpuTimeInfo`].
        addr: GuestHandle,
    }
}
