//! The feature flags that kernel and hypervisor agree by (public header `features.h`).

use core::fmt;

bitflags::bitflags! {
    /// A set of features; bit n is `XENFEAT_` number n.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Features: u32 {
        /// The guest's page tables may be written to directly.
        const WRITABLE_PAGE_TABLES = 1 << 0;
        /// The guest's descriptor tables may be written to directly.
        const WRITABLE_DESCRIPTOR_TABLES = 1 << 1;
        /// The hypervisor translates the guest's frame numbers.
        const AUTO_TRANSLATED_PHYSMAP = 1 << 2;
        /// The guest's kernel runs in ring 0.
        const SUPERVISOR_MODE_KERNEL = 1 << 3;
        /// Page directories may lie above 4 GiB.
        const PAE_PGDIR_ABOVE_4GB = 1 << 4;
        /// `MMU_PT_UPDATE_PRESERVE_AD` is there.
        const MMU_PT_UPDATE_PRESERVE_AD = 1 << 5;
        /// `MMUEXT_CLEAR_PAGE` and `MMUEXT_COPY_PAGE` are there.
        const HIGHMEM_ASSIST = 1 << 6;
        /// Grant mappings honour flags for the available bits.
        const GNTTAB_MAP_AVAIL_BITS = 1 << 7;
        /// The callback vector of hardware-assisted guests is there.
        const HVM_CALLBACK_VECTOR = 1 << 8;
        /// The PV clock is safe in hardware-assisted guests.
        const HVM_SAFE_PVCLOCK = 1 << 9;
        /// Hardware-assisted guests may use physical interrupts.
        const HVM_PIRQS = 1 << 10;
        /// Operation as dom0.
        const DOM0 = 1 << 11;
        /// Grants are mapped at their own frame numbers too (not used any more).
        const GRANT_MAP_IDENTITY = 1 << 12;
        /// `XENMEMF_vnode` is there.
        const MEMORY_OP_VNODE_SUPPORTED = 1 << 13;
        /// Arm only.
        const ARM_SMCCC_SUPPORTED = 1 << 14;
        /// PVH: the ACPI root pointer may lie anywhere.
        const LINUX_RSDP_UNRESTRICTED = 1 << 15;
        /// The guest's frame numbers are not machine frame numbers.
        const NOT_DIRECT_MAPPED = 1 << 16;
        /// The guest's frame numbers are machine frame numbers.
        const DIRECT_MAPPED = 1 << 17;

        /// What a para-virtualized dom0 gets here. Direct writes to page tables are on the list because they are emulated.
        const PV_DOM0 = Self::WRITABLE_PAGE_TABLES.bits()
            | Self::PAE_PGDIR_ABOVE_4GB.bits()
            | Self::MMU_PT_UPDATE_PRESERVE_AD.bits()
            | Self::HIGHMEM_ASSIST.bits()
            | Self::GNTTAB_MAP_AVAIL_BITS.bits()
            | Self::DOM0.bits()
            | Self::MEMORY_OP_VNODE_SUPPORTED.bits()
            | Self::NOT_DIRECT_MAPPED.bits();
    }
}

impl Features {
    /// The feature that a note names: the header's name without `XENFEAT_`.
    pub(crate) fn from_note_name(name: &[u8]) -> Option<Self> {
        Self::all()
            .iter_names()
            .filter(|(_, feature)| feature.bits().is_power_of_two())
            .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name))
            .map(|(_, feature)| feature)
    }
}

impl fmt::Display for Features {
    /// The names as the notes write them, separated by blanks.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for (name, feature) in Self::all().iter_names() {
            if !feature.bits().is_power_of_two() || !self.contains(feature) {
                continue;
            }
            if !first {
                formatter.write_str(" ")?;
            }
            first = false;
            for letter in name.chars() {
                write!(formatter, "{}", letter.to_ascii_lowercase())?;
            }
        }
        Ok(())
    }
}
