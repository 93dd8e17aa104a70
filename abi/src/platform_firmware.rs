//! `platform.h`, second part: what the firmware told, and calls into EFI.

use crate::xen::GuestHandle;

constants! {
    u32, "What `XENPF_firmware_info` tells ([`FirmwareInfo::kind`])." {
        /// BIOS int 13h, functions 08h, 41h and 48h.
        XEN_FW_DISK_INFO = 1,
        XEN_FW_DISK_MBR_SIGNATURE = 2,
        /// BIOS int 10h, function 4f15h.
        XEN_FW_VBEDDC_INFO = 3,
        XEN_FW_EFI_INFO = 4,
        /// BIOS int 16h, function 02h.
        XEN_FW_KBD_SHIFT_FLAGS = 5,
    }

    u32, "What of EFI ([`FirmwareInfo::index`])." {
        XEN_FW_EFI_VERSION = 0,
        XEN_FW_EFI_CONFIG_TABLE = 1,
        XEN_FW_EFI_VENDOR = 2,
        XEN_FW_EFI_MEM_INFO = 3,
        XEN_FW_EFI_RT_VERSION = 4,
        XEN_FW_EFI_PCI_ROM = 5,
        XEN_FW_EFI_APPLE_PROPERTIES = 6,
    }

    u32, "Function of `XENPF_efi_runtime_call`." {
        XEN_EFI_get_time = 1,
        XEN_EFI_set_time = 2,
        XEN_EFI_get_wakeup_time = 3,
        XEN_EFI_set_wakeup_time = 4,
        XEN_EFI_get_next_high_monotonic_count = 5,
        XEN_EFI_get_variable = 6,
        XEN_EFI_set_variable = 7,
        XEN_EFI_get_next_variable_name = 8,
        XEN_EFI_query_variable_info = 9,
        XEN_EFI_query_capsule_capabilities = 10,
        XEN_EFI_update_capsule = 11,
    }

    u32, "Flag of an EFI runtime call ([`EfiRuntimeCall::misc`])." {
        XEN_EFI_GET_TIME_SET_CLEARS_NS = 1,
        XEN_EFI_GET_WAKEUP_TIME_ENABLED = 1,
        XEN_EFI_GET_WAKEUP_TIME_PENDING = 2,
        XEN_EFI_SET_WAKEUP_TIME_ENABLE = 1,
        XEN_EFI_SET_WAKEUP_TIME_ENABLE_ONLY = 2,
        XEN_EFI_VARIABLE_NON_VOLATILE = 1,
        XEN_EFI_VARIABLE_BOOTSERVICE_ACCESS = 2,
        XEN_EFI_VARIABLE_RUNTIME_ACCESS = 4,
        XEN_EFI_VARINFO_BOOT_SNAPSHOT = 1,
    }
}

structures! {
    /// Request of `XENPF_firmware_info`.
    struct FirmwareInfo = "struct xenpf_firmware_info" {
        /// In: a `XEN_FW_…` value.
        kind: u32 = "type",
        /// In: which of them.
        index: u32,
        /// Out: by type.
        u: [u64; 4],
    }

    /// [`FirmwareInfo::u`] of [`XEN_FW_DISK_INFO`].
    struct DiskInfo = "__typeof__(((struct xenpf_firmware_info *)0)->u.disk_info)" {
        /// Out: BIOS number of the disk.
        device: u8,
        /// Out: version of the extensions.
        version: u8,
        /// Out: what they support.
        interface_support: u16,
        /// Out: greatest cylinder.
        legacy_max_cylinder: u16,
        /// Out: greatest head.
        legacy_max_head: u8,
        /// Out: greatest sector.
        legacy_sectors_per_track: u8,
        /// In: address for the parameters, whose first `u16` holds the room there.
        edd_params: GuestHandle,
    }

    /// [`FirmwareInfo::u`] of [`XEN_FW_DISK_MBR_SIGNATURE`].
    struct DiskMbrSignature = "__typeof__(((struct xenpf_firmware_info *)0)->u.disk_mbr_signature)" {
        /// Out: BIOS number of the disk.
        device: u8,
        /// No meaning.
        _padding: [u8; 3],
        /// Out: the signature.
        mbr_signature: u32,
    }

    /// [`FirmwareInfo::u`] of [`XEN_FW_VBEDDC_INFO`].
    struct VbeddcInfo = "__typeof__(((struct xenpf_firmware_info *)0)->u.vbeddc_info)" {
        /// Out: what the adapter can.
        capabilities: u8,
        /// Out: seconds it takes.
        edid_transfer_time: u8,
        /// No meaning.
        _padding: [u8; 6],
        /// In: address for 128 bytes.
        edid: GuestHandle,
    }

    /// [`FirmwareInfo::u`] of [`XEN_FW_EFI_CONFIG_TABLE`].
    struct EfiConfigTable = "__typeof__(((union xenpf_efi_info *)0)->cfg)" {
        /// Out: machine address of the table.
        addr: u64,
        /// Out: its entries.
        nent: u32,
        /// No meaning.
        _padding: u32,
    }

    /// [`FirmwareInfo::u`] of [`XEN_FW_EFI_VENDOR`].
    struct EfiVendor = "__typeof__(((union xenpf_efi_info *)0)->vendor)" {
        /// Out: revision.
        revision: u32,
        /// In: room for the name, in bytes.
        bufsz: u32,
        /// In: address for the name (UTF-16).
        name: GuestHandle,
    }

    /// [`FirmwareInfo::u`] of [`XEN_FW_EFI_MEM_INFO`].
    struct EfiMem = "__typeof__(((union xenpf_efi_info *)0)->mem)" {
        /// In: an address; out: the first byte of its range.
        addr: u64,
        /// Out: bytes.
        size: u64,
        /// Out: EFI attributes.
        attr: u64,
        /// Out: EFI memory type.
        kind: u32 = "type",
        /// No meaning.
        _padding: u32,
    }

    /// [`FirmwareInfo::u`] of [`XEN_FW_EFI_PCI_ROM`].
    struct EfiPciRom = "__typeof__(((union xenpf_efi_info *)0)->pci_rom)" {
        /// In: segment.
        segment: u16,
        /// In: bus.
        bus: u8,
        /// In: device and function.
        devfn: u8,
        /// In: vendor.
        vendor: u16,
        /// In: device identifier.
        devid: u16,
        /// Out: machine address.
        address: u64,
        /// Out: bytes.
        size: u64,
    }

    /// A time as EFI has it.
    struct EfiTime = "struct xenpf_efi_time" {
        /// Year.
        year: u16,
        /// 1 to 12.
        month: u8,
        /// 1 to 31.
        day: u8,
        /// 0 to 23.
        hour: u8,
        /// 0 to 59.
        min: u8,
        /// 0 to 59.
        sec: u8,
        /// No meaning.
        _padding: u8,
        /// Nanoseconds.
        ns: u32,
        /// Minutes from UTC.
        tz: i16,
        /// Daylight saving bits.
        daylight: u8,
        /// No meaning.
        _padding2: u8,
    }

    /// A vendor's identifier as EFI has it.
    struct EfiGuid = "struct xenpf_efi_guid" {
        /// First part.
        data1: u32,
        /// Second part.
        data2: u16,
        /// Third part.
        data3: u16,
        /// The rest.
        data4: [u8; 8],
    }

    /// Request of `XENPF_efi_runtime_call`.
    struct EfiRuntimeCall = "struct xenpf_efi_runtime_call" {
        /// In: a `XEN_EFI_…` function.
        function: u32,
        /// In and out: flags, or the monotonic count.
        misc: u32,
        /// Out: the EFI status.
        status: u64,
        /// By function.
        u: [u64; 5],
    }

    /// [`EfiRuntimeCall::u`] of [`XEN_EFI_get_time`].
    struct EfiGetTime = "__typeof__(((struct xenpf_efi_runtime_call *)0)->u.get_time)" {
        /// Out: the time.
        time: EfiTime,
        /// Out: ticks a second.
        resolution: u32,
        /// Out: parts in 10^12.
        accuracy: u32,
    }

    /// [`EfiRuntimeCall::u`] of [`XEN_EFI_get_variable`] and [`XEN_EFI_set_variable`].
    struct EfiVariable = "__typeof__(((struct xenpf_efi_runtime_call *)0)->u.get_variable)" {
        /// In: address of the name (UTF-16).
        name: GuestHandle,
        /// In and out: bytes.
        size: u64,
        /// In: address of the data.
        data: GuestHandle,
        /// In: whose variable.
        vendor_guid: EfiGuid,
    }

    /// [`EfiRuntimeCall::u`] of [`XEN_EFI_get_next_variable_name`].
    struct EfiNextVariableName = "__typeof__(((struct xenpf_efi_runtime_call *)0)->u.get_next_variable_name)" {
        /// In and out: bytes.
        size: u64,
        /// In: address of the name (UTF-16).
        name: GuestHandle,
        /// In and out: whose variable.
        vendor_guid: EfiGuid,
    }

    /// [`EfiRuntimeCall::u`] of [`XEN_EFI_query_variable_info`].
    struct EfiVariableInfo = "__typeof__(((struct xenpf_efi_runtime_call *)0)->u.query_variable_info)" {
        /// In: attributes asked about.
        attr: u32,
        /// No meaning.
        _padding: u32,
        /// Out: bytes.
        max_store_size: u64,
        /// Out: bytes.
        remain_store_size: u64,
        /// Out: bytes.
        max_size: u64,
    }

    /// [`EfiRuntimeCall::u`] of [`XEN_EFI_query_capsule_capabilities`].
    struct EfiCapsuleCapabilities = "__typeof__(((struct xenpf_efi_runtime_call *)0)->u.query_capsule_capabilities)" {
        /// In: address of the headers.
        capsule_header_array: GuestHandle,
        /// In: how many.
        capsule_count: u64,
        /// Out: bytes.
        max_capsule_size: u64,
        /// Out: kind of reset needed.
        reset_type: u32,
        /// No meaning.
        _padding: u32,
    }

    /// [`EfiRuntimeCall::u`] of [`XEN_EFI_update_capsule`].
    struct EfiUpdateCapsule = "__typeof__(((struct xenpf_efi_runtime_call *)0)->u.update_capsule)" {
        /// In: address of the headers.
        capsule_header_array: GuestHandle,
        /// In: how many.
        capsule_count: u64,
        /// In: machine address of the scatter list.
        sg_list: u64,
    }
}
