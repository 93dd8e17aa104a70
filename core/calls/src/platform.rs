//! The rows of `physdev_op` and `platform_op`.

operations! {
    /// Operations of `physdev_op` that are done.
    PhysdevOp in physdev {
        Refused IrqUnmaskNotify = PHYSDEVOP_IRQ_UNMASK_NOTIFY, "obsolete since 3.2.2";
        Done IrqStatusQuery = PHYSDEVOP_irq_status_query;
        Done SetIopl = PHYSDEVOP_set_iopl;
        Done SetIobitmap = PHYSDEVOP_set_iobitmap;
        Done ApicRead = PHYSDEVOP_apic_read;
        Done ApicWrite = PHYSDEVOP_apic_write;
        Done AllocIrqVector = PHYSDEVOP_alloc_irq_vector;
        Refused FreeIrqVector = PHYSDEVOP_free_irq_vector, "vectors are the hypervisor's own";
        Done Eoi = PHYSDEVOP_eoi;
        Done MapPirq = PHYSDEVOP_map_pirq => PirqType;
        Done UnmapPirq = PHYSDEVOP_unmap_pirq;
        Done ManagePciAdd = PHYSDEVOP_manage_pci_add;
        Done ManagePciRemove = PHYSDEVOP_manage_pci_remove;
        Done PirqEoiGmfnV1 = PHYSDEVOP_pirq_eoi_gmfn_v1;
        Done RestoreMsi = PHYSDEVOP_restore_msi;
        Done ManagePciAddExt = PHYSDEVOP_manage_pci_add_ext;
        Done SetupGsi = PHYSDEVOP_setup_gsi;
        Done GetFreePirq = PHYSDEVOP_get_free_pirq;
        Done PciMmcfgReserved = PHYSDEVOP_pci_mmcfg_reserved;
        Done PciDeviceAdd = PHYSDEVOP_pci_device_add;
        Done PciDeviceRemove = PHYSDEVOP_pci_device_remove;
        Done RestoreMsiExt = PHYSDEVOP_restore_msi_ext;
        Done PirqEoiGmfnV2 = PHYSDEVOP_pirq_eoi_gmfn_v2;
        Missing DbgpOp = PHYSDEVOP_dbgp_op, "with a USB debug console";
        Done PrepareMsix = PHYSDEVOP_prepare_msix;
        Done ReleaseMsix = PHYSDEVOP_release_msix;
    }

    /// Kinds of interrupt of `PHYSDEVOP_map_pirq` that are done.
    PirqType in physdev {
        Done Msi = MAP_PIRQ_TYPE_MSI;
        Done Gsi = MAP_PIRQ_TYPE_GSI;
        Refused Unknown = MAP_PIRQ_TYPE_UNKNOWN, "names no interrupt";
        Done MsiSegment = MAP_PIRQ_TYPE_MSI_SEG;
        Done MultiMsi = MAP_PIRQ_TYPE_MULTI_MSI, "one message; more need interrupt remapping";
    }

    /// Operations of `platform_op` that are done.
    PlatformOp in platform {
        Done Settime32 = XENPF_settime32;
        Missing AddMemtype = XENPF_add_memtype, "no user since Linux 2.6";
        Missing DelMemtype = XENPF_del_memtype, "no user since Linux 2.6";
        Missing ReadMemtype = XENPF_read_memtype, "no user since Linux 2.6";
        Missing MicrocodeUpdate = XENPF_microcode_update;
        Missing PlatformQuirk = XENPF_platform_quirk, "no user";
        Done GetCpuVersion = XENPF_get_cpu_version;
        Missing EfiRuntimeCall = XENPF_efi_runtime_call => EfiCall;
        Done FirmwareInfo = XENPF_firmware_info => FirmwareInfoType;
        Done EnterAcpiSleep = XENPF_enter_acpi_sleep, "power off; no suspend to memory";
        Refused ChangeFreq = XENPF_change_freq, "only where dom0 governs frequencies, as in Xen";
        Refused Getidletime = XENPF_getidletime, "only where dom0 governs frequencies, as in Xen";
        Missing SetProcessorPminfo = XENPF_set_processor_pminfo => PowerInfoType;
        Done GetCpuinfo = XENPF_get_cpuinfo;
        Done CpuOnline = XENPF_cpu_online, "all run";
        Done CpuOffline = XENPF_cpu_offline, "never: EOPNOTSUPP";
        Missing CpuHotadd = XENPF_cpu_hotadd;
        Missing MemHotadd = XENPF_mem_hotadd;
        Missing CoreParking = XENPF_core_parking;
        Missing ResourceOp = XENPF_resource_op;
        Done Settime64 = XENPF_settime64;
        Missing GetSymbol = XENPF_get_symbol;
    }
}

operations! {
    /// Kinds of `XENPF_firmware_info` that are done.
    FirmwareInfoType in platform_firmware {
        Done DiskInfo = XEN_FW_DISK_INFO;
        Done DiskMbrSignature = XEN_FW_DISK_MBR_SIGNATURE;
        Done VbeddcInfo = XEN_FW_VBEDDC_INFO;
        Missing EfiInfo = XEN_FW_EFI_INFO => EfiInfo;
        Done KbdShiftFlags = XEN_FW_KBD_SHIFT_FLAGS;
    }

    /// Kinds of `XEN_FW_EFI_INFO` that are done.
    EfiInfo in platform_firmware {
        Missing Version = XEN_FW_EFI_VERSION;
        Missing ConfigTable = XEN_FW_EFI_CONFIG_TABLE;
        Missing Vendor = XEN_FW_EFI_VENDOR;
        Missing MemInfo = XEN_FW_EFI_MEM_INFO;
        Missing RtVersion = XEN_FW_EFI_RT_VERSION;
        Missing PciRom = XEN_FW_EFI_PCI_ROM;
        Missing AppleProperties = XEN_FW_EFI_APPLE_PROPERTIES;
    }

    /// Functions of `XENPF_efi_runtime_call` that are done.
    EfiCall in platform_firmware {
        Missing GetTime = XEN_EFI_get_time;
        Missing SetTime = XEN_EFI_set_time;
        Missing GetWakeupTime = XEN_EFI_get_wakeup_time;
        Missing SetWakeupTime = XEN_EFI_set_wakeup_time;
        Missing GetNextHighMonotonicCount = XEN_EFI_get_next_high_monotonic_count;
        Missing GetVariable = XEN_EFI_get_variable;
        Missing SetVariable = XEN_EFI_set_variable;
        Missing GetNextVariableName = XEN_EFI_get_next_variable_name;
        Missing QueryVariableInfo = XEN_EFI_query_variable_info;
        Missing QueryCapsuleCapabilities = XEN_EFI_query_capsule_capabilities;
        Missing UpdateCapsule = XEN_EFI_update_capsule;
    }

    /// Kinds of `XENPF_set_processor_pminfo` that are done.
    PowerInfoType in platform_power {
        Missing Cx = XEN_PM_CX;
        Missing Px = XEN_PM_PX;
        Missing Tx = XEN_PM_TX;
        Missing Pdc = XEN_PM_PDC;
    }
}
