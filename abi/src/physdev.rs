//! `physdev.h`: interrupts, I/O privilege and PCI devices of a domain that drives hardware.

use crate::xen::GuestHandle;

constants! {
    u32, "Operation of `physdev_op`." {
        /// Obsolete since 3.2.2.
        PHYSDEVOP_IRQ_UNMASK_NOTIFY = 4,
        PHYSDEVOP_irq_status_query = 5,
        PHYSDEVOP_set_iopl = 6,
        PHYSDEVOP_set_iobitmap = 7,
        PHYSDEVOP_apic_read = 8,
        PHYSDEVOP_apic_write = 9,
        PHYSDEVOP_alloc_irq_vector = 10,
        PHYSDEVOP_free_irq_vector = 11,
        PHYSDEVOP_eoi = 12,
        PHYSDEVOP_map_pirq = 13,
        PHYSDEVOP_unmap_pirq = 14,
        PHYSDEVOP_manage_pci_add = 15,
        PHYSDEVOP_manage_pci_remove = 16,
        /// Also makes `eoi` unmask the event channel.
        PHYSDEVOP_pirq_eoi_gmfn_v1 = 17,
        PHYSDEVOP_restore_msi = 19,
        PHYSDEVOP_manage_pci_add_ext = 20,
        PHYSDEVOP_setup_gsi = 21,
        PHYSDEVOP_get_free_pirq = 23,
        PHYSDEVOP_pci_mmcfg_reserved = 24,
        PHYSDEVOP_pci_device_add = 25,
        PHYSDEVOP_pci_device_remove = 26,
        PHYSDEVOP_restore_msi_ext = 27,
        PHYSDEVOP_pirq_eoi_gmfn_v2 = 28,
        PHYSDEVOP_dbgp_op = 29,
        PHYSDEVOP_prepare_msix = 30,
        PHYSDEVOP_release_msix = 31,
    }

    u32, "Flag of [`IrqStatusQuery::flags`]." {
        /// The guest must say when it has served the interrupt.
        XENIRQSTAT_needs_eoi = 1,
        XENIRQSTAT_shared = 2,
    }

    i32, "Kind of interrupt to map ([`MapPirq::kind`])." {
        MAP_PIRQ_TYPE_MSI = 0,
        MAP_PIRQ_TYPE_GSI = 1,
        MAP_PIRQ_TYPE_UNKNOWN = 2,
        /// The bus field's upper half is the segment.
        MAP_PIRQ_TYPE_MSI_SEG = 3,
        /// Several vectors at once; the segment as above.
        MAP_PIRQ_TYPE_MULTI_MSI = 4,
    }

    u32, "Flag of [`PciMmcfgReserved`]." {
        XEN_PCI_MMCFG_RESERVED = 1,
    }

    u32, "Flag of [`PciDeviceAdd`]." {
        XEN_PCI_DEV_EXTFN = 1,
        XEN_PCI_DEV_VIRTFN = 2,
        /// The structure is followed by a proximity domain (`u32`).
        XEN_PCI_DEV_PXM = 4,
    }

    u8, "Operation of [`DbgpOp`]." {
        PHYSDEVOP_DBGP_RESET_PREPARE = 1,
        PHYSDEVOP_DBGP_RESET_DONE = 2,
    }

    u8, "Bus of [`DbgpOp`]." {
        PHYSDEVOP_DBGP_BUS_UNKNOWN = 0,
        PHYSDEVOP_DBGP_BUS_PCI = 1,
    }
}

structures! {
    /// Argument of `PHYSDEVOP_eoi`.
    struct Eoi = "struct physdev_eoi" {
        /// In: the physical interrupt.
        irq: u32,
    }

    /// Argument of `PHYSDEVOP_pirq_eoi_gmfn_v1` and `_v2`.
    struct PirqEoiGmfn = "struct physdev_pirq_eoi_gmfn" {
        /// In: the frame that gets one bit an interrupt.
        gmfn: u64,
    }

    /// Argument of `PHYSDEVOP_irq_status_query`.
    struct IrqStatusQuery = "struct physdev_irq_status_query" {
        /// In: the physical interrupt.
        irq: u32,
        /// Out: `XENIRQSTAT_…` bits.
        flags: u32,
    }

    /// Argument of `PHYSDEVOP_set_iopl`.
    struct SetIopl = "struct physdev_set_iopl" {
        /// In: 0 to 3.
        iopl: u32,
    }

    /// Argument of `PHYSDEVOP_set_iobitmap`.
    struct SetIobitmap = "struct physdev_set_iobitmap" {
        /// In: address of the bitmap; a clear bit allows the port.
        bitmap: GuestHandle,
        /// In: ports it covers.
        nr_ports: u32,
        /// No meaning.
        _padding: u32,
    }

    /// Argument of `PHYSDEVOP_apic_read` and `PHYSDEVOP_apic_write`.
    struct Apic = "struct physdev_apic" {
        /// In: physical address of the I/O APIC.
        apic_physbase: u64,
        /// In: its register.
        reg: u32,
        /// In or out: the value.
        value: u32,
    }

    /// Argument of `PHYSDEVOP_alloc_irq_vector` and `PHYSDEVOP_free_irq_vector`.
    struct Irq = "struct physdev_irq" {
        /// In: the interrupt.
        irq: u32,
        /// Out: its vector.
        vector: u32,
    }

    /// Argument of `PHYSDEVOP_map_pirq`.
    struct MapPirq = "struct physdev_map_pirq" {
        /// In: for whom.
        domid: u16,
        /// No meaning.
        _padding: u16,
        /// In: a `MAP_PIRQ_TYPE_…` value.
        kind: i32 = "type",
        /// In: the GSI.
        index: i32,
        /// In: the number wanted, negative for any; out: the number it has.
        pirq: i32,
        /// In: PCI bus, with the segment above bit 15 for some kinds.
        bus: i32,
        /// In: PCI device and function.
        devfn: i32,
        /// In: MSI-X entry, or number of vectors; out for several vectors: how many it got.
        entry_nr: i32,
        /// No meaning.
        _padding2: u32,
        /// In: machine address of the MSI-X table, 0 for MSI.
        table_base: u64,
    }

    /// Argument of `PHYSDEVOP_unmap_pirq`.
    struct UnmapPirq = "struct physdev_unmap_pirq" {
        /// In: whose.
        domid: u16,
        /// No meaning.
        _padding: u16,
        /// In: the physical interrupt.
        pirq: i32,
    }

    /// Argument of `PHYSDEVOP_manage_pci_add` and `PHYSDEVOP_manage_pci_remove`.
    struct ManagePci = "struct physdev_manage_pci" {
        /// In: bus.
        bus: u8,
        /// In: device and function.
        devfn: u8,
    }

    /// Argument of `PHYSDEVOP_restore_msi`.
    struct RestoreMsi = "struct physdev_restore_msi" {
        /// In: bus.
        bus: u8,
        /// In: device and function.
        devfn: u8,
    }

    /// Argument of `PHYSDEVOP_manage_pci_add_ext`.
    struct ManagePciExt = "struct physdev_manage_pci_ext" {
        /// In: bus.
        bus: u8,
        /// In: device and function.
        devfn: u8,
        /// No meaning.
        _padding: u16,
        /// In: non-zero for an extended function.
        is_extfn: u32,
        /// In: non-zero for a virtual function.
        is_virtfn: u32,
        /// In: bus of the physical function.
        physfn_bus: u8 = "physfn.bus",
        /// In: device and function of the physical function.
        physfn_devfn: u8 = "physfn.devfn",
        /// No meaning.
        _padding2: u16,
    }

    /// Argument of `PHYSDEVOP_setup_gsi`.
    struct SetupGsi = "struct physdev_setup_gsi" {
        /// In: the GSI.
        gsi: i32,
        /// In: 0 edge, 1 level.
        triggering: u8,
        /// In: 0 high, 1 low.
        polarity: u8,
        /// No meaning.
        _padding: u16,
    }

    /// Argument of `PHYSDEVOP_get_free_pirq`.
    struct GetFreePirq = "struct physdev_get_free_pirq" {
        /// In: a `MAP_PIRQ_TYPE_…` value.
        kind: i32 = "type",
        /// Out: the number.
        pirq: u32,
    }

    /// Argument of `PHYSDEVOP_pci_mmcfg_reserved`.
    struct PciMmcfgReserved = "struct physdev_pci_mmcfg_reserved" {
        /// In: machine address of the window.
        address: u64,
        /// In: PCI segment.
        segment: u16,
        /// In: first bus.
        start_bus: u8,
        /// In: last bus.
        end_bus: u8,
        /// In: [`XEN_PCI_MMCFG_RESERVED`] or zero.
        flags: u32,
    }

    /// Argument of `PHYSDEVOP_pci_device_add`, before its optional array of `u32`.
    struct PciDeviceAdd = "struct physdev_pci_device_add" {
        /// In: segment.
        seg: u16,
        /// In: bus.
        bus: u8,
        /// In: device and function.
        devfn: u8,
        /// In: `XEN_PCI_DEV_…` bits.
        flags: u32,
        /// In: bus of the physical function.
        physfn_bus: u8 = "physfn.bus",
        /// In: device and function of the physical function.
        physfn_devfn: u8 = "physfn.devfn",
        /// No meaning.
        _padding: u16,
    }

    /// Argument of the operations that name a PCI device.
    struct PciDevice = "struct physdev_pci_device" {
        /// In: segment.
        seg: u16,
        /// In: bus.
        bus: u8,
        /// In: device and function.
        devfn: u8,
    }

    /// Argument of `PHYSDEVOP_dbgp_op`.
    struct DbgpOp = "struct physdev_dbgp_op" {
        /// In: which.
        op: u8,
        /// In: on what bus.
        bus: u8,
        /// In: the device.
        pci: PciDevice = "u.pci",
    }
}
