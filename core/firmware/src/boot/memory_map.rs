//! The machine's memory map: regions sorted, cut free of overlaps and merged.

use arrayvec::ArrayVec;

/// Most regions kept. A map that needs more loses the ones that do not fit (they then count as absent).
pub const REGIONS: usize = 128;

/// What a region of memory is for: ACPI's address range types (ACPI 6.5, table 15.2), in the order of precedence
/// where a firmware describes one place twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum MemoryKind {
    /// RAM that is free.
    Usable = 1,
    /// RAM that holds ACPI's tables; free once they are read.
    AcpiReclaimable = 3,
    /// Memory the firmware needs over sleep.
    AcpiNvs = 4,
    /// Not to be touched.
    Reserved = 2,
    /// Broken RAM.
    Unusable = 5,
}

impl MemoryKind {
    /// The kind behind an E820 type number; what is not known is reserved.
    pub const fn from_e820(number: u32) -> Self {
        match number {
            1 => Self::Usable,
            3 => Self::AcpiReclaimable,
            4 => Self::AcpiNvs,
            5 => Self::Unusable,
            _ => Self::Reserved,
        }
    }

    /// The kind behind an EFI memory type (UEFI 2.10, table 7.6), after boot services have ended.
    pub const fn from_efi(number: u32) -> Self {
        match number {
            1..=4 | 7 => Self::Usable,
            9 => Self::AcpiReclaimable,
            10 => Self::AcpiNvs,
            8 => Self::Unusable,
            _ => Self::Reserved,
        }
    }

    /// The E820 type number.
    pub const fn e820(self) -> u32 {
        self as u32
    }

    /// Which of two descriptions of one place holds: the more careful one.
    const fn precedence(self) -> u8 {
        match self {
            Self::Usable => 0,
            Self::AcpiReclaimable => 1,
            Self::AcpiNvs => 2,
            Self::Reserved => 3,
            Self::Unusable => 4,
        }
    }
}

/// One region: machine addresses from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryRegion {
    /// First byte.
    pub start: u64,
    /// After the last byte; above `start`.
    pub end: u64,
    /// What it is.
    pub kind: MemoryKind,
}

/// A sorted map without overlaps.
#[derive(Clone, Debug, Default)]
pub struct MemoryMap {
    regions: ArrayVec<MemoryRegion, REGIONS>,
    dropped: usize,
}

impl MemoryMap {
    /// An empty map.
    pub const fn new() -> Self {
        Self {
            regions: ArrayVec::new_const(),
            dropped: 0,
        }
    }

    /// The regions by rising address.
    pub fn regions(&self) -> &[MemoryRegion] {
        &self.regions
    }

    /// How many regions found no room.
    pub const fn dropped(&self) -> usize {
        self.dropped
    }

    /// Bytes of free RAM.
    pub fn usable_bytes(&self) -> u64 {
        self.regions
            .iter()
            .filter(|region| region.kind == MemoryKind::Usable)
            .fold(0, |sum, region| {
                sum.saturating_add(region.end - region.start)
            })
    }

    /// Adds `length` bytes at `start`. Where the map already says something, the more careful kind wins.
    pub fn add(&mut self, start: u64, length: u64, kind: MemoryKind) {
        let end = start.saturating_add(length);
        if start >= end {
            return;
        }
        let old = core::mem::take(&mut self.regions);
        let mut uncovered = start; // what of the new region comes before or between the old ones
        for region in old {
            if region.start >= end || region.end <= start {
                if uncovered < end && region.start >= end {
                    self.push(uncovered, end, kind);
                    uncovered = end;
                }
                self.push(region.start, region.end, region.kind);
                continue;
            }
            if uncovered < region.start {
                self.push(uncovered, region.start, kind);
            }
            let (low, high) = (region.start.max(start), region.end.min(end));
            let winner = if kind.precedence() > region.kind.precedence() {
                kind
            } else {
                region.kind
            };
            self.push(region.start, low, region.kind);
            self.push(low, high, winner);
            self.push(high, region.end, region.kind);
            uncovered = high;
        }
        if uncovered < end {
            self.push(uncovered, end, kind);
        }
    }

    /// Appends a region that lies above all others, merging it into the last where it continues that.
    fn push(&mut self, start: u64, end: u64, kind: MemoryKind) {
        if start >= end {
            return;
        }
        if let Some(last) = self.regions.last_mut() {
            if last.end == start && last.kind == kind {
                last.end = end;
                return;
            }
        }
        if self
            .regions
            .try_push(MemoryRegion { start, end, kind })
            .is_err()
        {
            self.dropped = self.dropped.saturating_add(1);
        }
    }
}
