//! `nmi.h`: non-maskable interrupts of the first domain.

constants! {
    u32, "Operation of `nmi_op`." {
        XENNMI_register_callback = 0,
        XENNMI_unregister_callback = 1,
    }

    u64, "Why an NMI came ([`crate::arch_x86::ArchSharedInfo::nmi_reason`])." {
        /// I/O check (port 0x61, bit 6).
        XEN_NMIREASON_io_error = 1,
        /// PCI SERR (port 0x61, bit 7).
        XEN_NMIREASON_pci_serr = 2,
        XEN_NMIREASON_unknown = 4,
    }
}

structures! {
    /// Argument of `XENNMI_register_callback`.
    struct XennmiCallback = "struct xennmi_callback" {
        /// In: virtual address.
        handler_address: u64,
        /// No meaning.
        pad: u64,
    }
}
