//! Newtypes for the numbers of the interface, so that one kind is never taken for another.

/// log2 of the frame size.
pub const PAGE_SHIFT: u32 = 12;
/// Bytes in a frame.
pub const PAGE_SIZE: usize = 1 << PAGE_SHIFT;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(pub $inner);

        impl core::fmt::Display for $name {
            fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(&self.0, formatter)
            }
        }

        impl core::fmt::LowerHex for $name {
            fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::LowerHex::fmt(&self.0, formatter)
            }
        }
    };
}

number! {
    /// A machine frame: the machine address shifted right by 12.
    Mfn(u64)
}
number! {
    /// A pseudo-physical frame: what a PV guest believes its memory to be numbered by.
    Pfn(u64)
}
number! {
    /// A frame in the guest's own numbering: an `Mfn` for a PV guest, a guest-physical frame for others.
    Gfn(u64)
}
number! {
    /// An address in machine memory, in bytes.
    MachineAddr(u64)
}
number! {
    /// A virtual address, in bytes.
    VirtAddr(u64)
}
number! {
    /// A domain's number (0 is the first; 0x7ff0 and above are special).
    DomainId(u16)
}
number! {
    /// A virtual processor's number within its domain.
    VcpuId(u32)
}
number! {
    /// An event channel's local port.
    Port(u32)
}
number! {
    /// The index of an entry in a domain's grant table.
    GrantRef(u32)
}
number! {
    /// Nanoseconds: of system time where a point is meant, else a duration.
    Nanos(u64)
}

impl Mfn {
    /// The frame that is no frame (all ones), as the interface writes it.
    pub const INVALID: Self = Self(u64::MAX);

    /// The address of the frame's first byte. Bits that do not fit are dropped.
    pub const fn address(self) -> MachineAddr {
        MachineAddr(self.0 << PAGE_SHIFT)
    }

    /// The frame `count` after this one, saturating.
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }
}

impl MachineAddr {
    /// The frame that holds the address.
    pub const fn frame(self) -> Mfn {
        Mfn(self.0 >> PAGE_SHIFT)
    }

    /// The offset of the address in its frame.
    pub const fn offset(self) -> usize {
        (self.0 & (PAGE_SIZE as u64 - 1)) as usize
    }
}

impl VirtAddr {
    /// First byte of the hypervisor's part of every PV address space.
    pub const HYPERVISOR_START: Self = Self(0xffff_8000_0000_0000);
    /// First byte above the hypervisor's part.
    pub const HYPERVISOR_END: Self = Self(0xffff_8800_0000_0000);

    /// Whether bits 63..47 are all equal, as the processor demands.
    pub const fn is_canonical(self) -> bool {
        let top = self.0 >> 47;
        top == 0 || top == 0x1_ffff
    }

    /// Whether a guest may have the address as its own: canonical and outside the hypervisor's part.
    pub const fn is_guest(self) -> bool {
        self.is_canonical()
            && (self.0 < Self::HYPERVISOR_START.0 || self.0 >= Self::HYPERVISOR_END.0)
    }
}

impl DomainId {
    /// The caller itself (`DOMID_SELF`).
    pub const SELF: Self = Self(0x7ff0);
    /// Owner of machine memory that is not RAM (`DOMID_IO`).
    pub const IO: Self = Self(0x7ff1);
    /// The hypervisor itself (`DOMID_XEN`).
    pub const XEN: Self = Self(0x7ff2);
    /// Owner of shared copy-on-write pages (`DOMID_COW`).
    pub const COW: Self = Self(0x7ff3);
    /// No domain (`DOMID_INVALID`).
    pub const INVALID: Self = Self(0x7ff4);
    /// The idle domain (`DOMID_IDLE`).
    pub const IDLE: Self = Self(0x7fff);
    /// First number that names no ordinary domain (`DOMID_FIRST_RESERVED`).
    pub const FIRST_RESERVED: Self = Self(0x7ff0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hypervisors_part_and_the_hole_are_no_guest_addresses() {
        assert!(VirtAddr(0).is_guest());
        assert!(VirtAddr(0x7fff_ffff_ffff).is_guest());
        assert!(!VirtAddr(0x8000_0000_0000).is_guest());
        assert!(!VirtAddr(0xffff_8000_0000_0000).is_guest());
        assert!(!VirtAddr(0xffff_87ff_ffff_ffff).is_guest());
        assert!(VirtAddr(0xffff_8800_0000_0000).is_guest());
        assert!(!VirtAddr(0xffff_7fff_ffff_ffff).is_guest());
    }
}
