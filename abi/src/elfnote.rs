//! `elfnote.h`: notes by which a kernel says how it wants to be loaded.

constants! {
    u32, "Type of a note whose owner is `Xen`." {
        /// `name=value` text.
        XEN_ELFNOTE_INFO = 0,
        /// Virtual address of the entry point.
        XEN_ELFNOTE_ENTRY = 1,
        /// Virtual address of the page to fill with hypercall stubs.
        XEN_ELFNOTE_HYPERCALL_PAGE = 2,
        /// Virtual address of guest-physical zero; 0 if absent.
        XEN_ELFNOTE_VIRT_BASE = 3,
        /// What to take from ELF physical addresses; 0 if absent.
        XEN_ELFNOTE_PADDR_OFFSET = 4,
        /// Interface version it was built for, as text.
        XEN_ELFNOTE_XEN_VERSION = 5,
        /// Name of the system, as text.
        XEN_ELFNOTE_GUEST_OS = 6,
        /// Version of the system, as text.
        XEN_ELFNOTE_GUEST_VERSION = 7,
        /// How to load it, as text.
        XEN_ELFNOTE_LOADER = 8,
        /// 32-bit kernels: `yes`, `no` or `bimodal`.
        XEN_ELFNOTE_PAE_MODE = 9,
        /// Names of features, separated by `|`, a required one with `!`.
        XEN_ELFNOTE_FEATURES = 10,
        /// `yes` to load the symbol table.
        XEN_ELFNOTE_BSD_SYMTAB = 11,
        /// Lowest start of the hypervisor's part it bears.
        XEN_ELFNOTE_HV_START_LOW = 12,
        /// Pairs of mask and value that tell a non-present entry which holds a frame.
        XEN_ELFNOTE_L1_MFN_VALID = 13,
        /// Non-zero if a suspend may be called off.
        XEN_ELFNOTE_SUSPEND_CANCEL = 14,
        /// Virtual address where it wants its physical-to-machine table.
        XEN_ELFNOTE_INIT_P2M = 15,
        /// Non-zero if its module may be unmapped, named by frame.
        XEN_ELFNOTE_MOD_START_PFN = 16,
        /// Bitmap of features it supports.
        XEN_ELFNOTE_SUPPORTED_FEATURES = 17,
        /// 32-bit physical entry point of a PVH kernel.
        XEN_ELFNOTE_PHYS32_ENTRY = 18,
        /// In a crash dump: the hypervisor's own data.
        XEN_ELFNOTE_CRASH_INFO = 0x1000001,
        /// In a crash dump: one CPU's registers.
        XEN_ELFNOTE_CRASH_REGS = 0x1000002,
        /// In a domain's dump: marks the file.
        XEN_ELFNOTE_DUMPCORE_NONE = 0x2000000,
        /// In a domain's dump: its header.
        XEN_ELFNOTE_DUMPCORE_HEADER = 0x2000001,
        /// In a domain's dump: the hypervisor's version.
        XEN_ELFNOTE_DUMPCORE_XEN_VERSION = 0x2000002,
        /// In a domain's dump: the format's version.
        XEN_ELFNOTE_DUMPCORE_FORMAT_VERSION = 0x2000003,
    }
}

/// This module has no structures.
pub const STRUCTURES: &[crate::layout::StructLayout] = &[];
