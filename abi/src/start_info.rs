//! What a guest finds at its start: `xen.h` for PV, `arch-x86/hvm/start_info.h` for PVH.

constants! {
    u32, "Flag of [`StartInfo::flags`] and [`HvmStartInfo::flags`]." {
        SIF_PRIVILEGED = 1 << 0,
        /// The first domain.
        SIF_INITDOMAIN = 1 << 1,
        /// The module is a list of [`MultibootModList`].
        SIF_MULTIBOOT_MOD = 1 << 2,
        /// `mod_start` is a frame, not an address.
        SIF_MOD_START_PFN = 1 << 3,
        /// The toolstack understands a linear physical-to-machine table.
        SIF_VIRT_P2M_4TOOLS = 1 << 4,
        /// Power-management options.
        SIF_PM_MASK = 0xff << 8,
    }

    usize, "Bytes of [`StartInfo::cmd_line`], its zero included." {
        MAX_GUEST_CMDLINE = 1024,
    }

    u8, "Kind of screen ([`Dom0VgaConsoleInfo::video_type`])." {
        XEN_VGATYPE_TEXT_MODE_3 = 0x03,
        XEN_VGATYPE_VESA_LFB = 0x23,
        XEN_VGATYPE_EFI_LFB = 0x70,
    }

    u32, "What [`HvmStartInfo::magic`] holds." {
        XEN_HVM_START_MAGIC_VALUE = 0x336e_c578,
    }

    u32, "Type of a [`HvmMemmapTableEntry`]." {
        XEN_HVM_MEMMAP_TYPE_RAM = 1,
        XEN_HVM_MEMMAP_TYPE_RESERVED = 2,
        XEN_HVM_MEMMAP_TYPE_ACPI = 3,
        XEN_HVM_MEMMAP_TYPE_NVS = 4,
        XEN_HVM_MEMMAP_TYPE_UNUSABLE = 5,
        XEN_HVM_MEMMAP_TYPE_DISABLED = 6,
        XEN_HVM_MEMMAP_TYPE_PMEM = 7,
    }
}

structures! {
    /// The page whose address a PV kernel finds in `rsi`.
    struct StartInfo = "struct start_info" {
        /// `xen-<version>-<platform>`, zero-ended.
        magic: [u8; 32],
        /// Frames of the domain.
        nr_pages: u64,
        /// Machine address of [`crate::xen::SharedInfo`].
        shared_info: u64,
        /// `SIF_…` bits.
        flags: u32,
        /// No meaning.
        _padding: u32,
        /// Machine frame of the store's ring.
        store_mfn: u64,
        /// Its port.
        store_evtchn: u32,
        /// No meaning.
        _padding2: u32,
        /// [`StartInfoConsoleDomU`], or [`StartInfoConsoleDom0`] in the first domain.
        console: [u64; 2],
        /// Virtual address of the top-level table.
        pt_base: u64,
        /// Frames of the initial page tables.
        nr_pt_frames: u64,
        /// Virtual address of the physical-to-machine table.
        mfn_list: u64,
        /// Virtual address, or with [`SIF_MOD_START_PFN`] frame, of the module.
        mod_start: u64,
        /// Its bytes.
        mod_len: u64,
        /// Zero-ended.
        cmd_line: [u8; MAX_GUEST_CMDLINE],
        /// First frame of the physical-to-machine table.
        first_p2m_pfn: u64,
        /// Its frames.
        nr_p2m_frames: u64,
    }

    /// [`StartInfo::console`] of an ordinary domain.
    struct StartInfoConsoleDomU = "__typeof__(((struct start_info *)0)->console.domU)" {
        /// Machine frame of the console's ring.
        mfn: u64,
        /// Its port.
        evtchn: u32,
        /// No meaning.
        _padding: u32,
    }

    /// [`StartInfo::console`] of the first domain.
    struct StartInfoConsoleDom0 = "__typeof__(((struct start_info *)0)->console.dom0)" {
        /// Offset of a [`Dom0VgaConsoleInfo`] from the page's start.
        info_off: u32,
        /// Its bytes.
        info_size: u32,
    }

    /// One module of a list of modules.
    struct MultibootModList = "struct xen_multiboot_mod_list" {
        /// First byte; 0 ends the list.
        mod_start: u32,
        /// Last byte.
        mod_end: u32,
        /// Where its command line is.
        cmdline: u32,
        /// Must be zero.
        pad: u32,
    }

    /// The screen the first domain gets.
    struct Dom0VgaConsoleInfo = "struct dom0_vga_console_info" {
        /// A `XEN_VGATYPE_…` value.
        video_type: u8,
        /// No meaning.
        _padding: [u8; 3],
        /// [`VgaTextMode3`] or [`VgaVesaLfb`].
        u: [u32; 9],
    }

    /// [`Dom0VgaConsoleInfo::u`] of a text screen.
    struct VgaTextMode3 = "__typeof__(((struct dom0_vga_console_info *)0)->u.text_mode_3)" {
        /// Pixels.
        font_height: u16,
        /// Column.
        cursor_x: u16,
        /// Row.
        cursor_y: u16,
        /// Rows.
        rows: u16,
        /// Columns.
        columns: u16,
    }

    /// [`Dom0VgaConsoleInfo::u`] of a frame buffer.
    struct VgaVesaLfb = "__typeof__(((struct dom0_vga_console_info *)0)->u.vesa_lfb)" {
        /// Pixels.
        width: u16,
        /// Pixels.
        height: u16,
        /// Bytes a line.
        bytes_per_line: u16,
        /// Bits a pixel.
        bits_per_pixel: u16,
        /// Machine address, low half.
        lfb_base: u32,
        /// Size, in units of 64 KiB.
        lfb_size: u32,
        /// First bit of red.
        red_pos: u8,
        /// Bits of red.
        red_size: u8,
        /// First bit of green.
        green_pos: u8,
        /// Bits of green.
        green_size: u8,
        /// First bit of blue.
        blue_pos: u8,
        /// Bits of blue.
        blue_size: u8,
        /// First reserved bit.
        rsvd_pos: u8,
        /// Reserved bits.
        rsvd_size: u8,
        /// VESA capabilities.
        gbl_caps: u32,
        /// VESA mode attributes.
        mode_attrs: u16,
        /// No meaning.
        pad: u16,
        /// Machine address, high half.
        ext_lfb_base: u32,
    }

    /// What a PVH kernel finds at the address in `ebx`.
    struct HvmStartInfo = "struct hvm_start_info" {
        /// [`XEN_HVM_START_MAGIC_VALUE`].
        magic: u32,
        /// 1.
        version: u32,
        /// `SIF_…` bits.
        flags: u32,
        /// Modules.
        nr_modules: u32,
        /// Address of an array of [`HvmModlistEntry`].
        modlist_paddr: u64,
        /// Address of the command line.
        cmdline_paddr: u64,
        /// Address of the RSDP.
        rsdp_paddr: u64,
        /// Address of an array of [`HvmMemmapTableEntry`].
        memmap_paddr: u64,
        /// Entries there.
        memmap_entries: u32,
        /// Must be zero.
        reserved: u32,
    }

    /// One module of a PVH guest.
    struct HvmModlistEntry = "struct hvm_modlist_entry" {
        /// Address.
        paddr: u64,
        /// Bytes.
        size: u64,
        /// Address of its command line.
        cmdline_paddr: u64,
        /// No meaning.
        reserved: u64,
    }

    /// One range of a PVH guest's memory.
    struct HvmMemmapTableEntry = "struct hvm_memmap_table_entry" {
        /// First byte.
        addr: u64,
        /// Bytes.
        size: u64,
        /// A `XEN_HVM_MEMMAP_TYPE_…` value.
        kind: u32 = "type",
        /// Must be zero.
        reserved: u32,
    }
}
