//! Everything that can be wrong with a kernel file, each in one clear line.

use core::fmt;

use vocabulary::VirtAddr;

use crate::container::Compression;
use crate::features::Features;

/// Why boot module 0 is not a kernel that can run as dom0. `Display` is one line without a line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageError {
    /// The file is neither a bzImage nor an ELF file nor a compressed one.
    NotAKernel,
    /// The bzImage is of a boot protocol too old to say where its payload is.
    OldProtocol {
        /// The protocol's version: major in the high byte, minor in the low one.
        version: u16,
    },
    /// The bzImage's payload lies outside the file: the file is cut short.
    Truncated {
        /// Bytes the header says there are.
        needed: u64,
        /// Bytes there are.
        present: u64,
    },
    /// The payload is of a format that is known but not supported.
    Unsupported(Compression),
    /// The payload starts like no compressed or ELF file.
    UnknownPayload,
    /// The payload does not decompress.
    Corrupt {
        /// Its format.
        compression: Compression,
        /// What went wrong.
        fault: CorruptData,
    },
    /// The payload says that it decompresses to more than a kernel can have.
    TooLarge {
        /// The size it states, in bytes.
        bytes: u64,
    },
    /// The ELF file's headers are broken.
    BrokenElf(&'static str),
    /// The ELF file is for 32-bit processors.
    ThirtyTwoBit,
    /// The ELF file is for another machine than x86-64.
    OtherMachine {
        /// The machine's number in the ELF header.
        machine: u16,
    },
    /// A segment's data reaches beyond the end of the file.
    SegmentBeyondFile {
        /// The segment's number, from 0.
        segment: usize,
    },
    /// A segment's addresses wrap around, or it has less memory than data.
    SegmentBroken {
        /// The segment's number, from 0.
        segment: usize,
    },
    /// Two segments overlap in memory.
    SegmentsOverlap {
        /// Where the second one starts.
        at: VirtAddr,
    },
    /// There is no segment to load.
    NothingToLoad,
    /// There are more segments than are supported.
    TooManySegments,
    /// There are no Xen notes: the kernel is not built for Xen.
    NoXenNotes,
    /// A Xen note's contents are not what its kind demands.
    BrokenNote {
        /// The note's name.
        note: &'static str,
    },
    /// The kernel is for another interface than `xen-3.0`.
    OtherInterface,
    /// The kernel wants another loader than the generic one.
    OtherLoader,
    /// The kernel demands features that this hypervisor does not give.
    LacksFeatures(Features),
    /// The kernel demands a feature of a name that this hypervisor does not know.
    LacksUnnamedFeature,
    /// The kernel says which features it supports, and being dom0 is not among them.
    NotForDom0,
    /// The kernel is to be loaded where it cannot be: outside the address space, or over the hypervisor's part.
    BadPlace {
        /// The first address.
        start: VirtAddr,
        /// The first address after it.
        end: VirtAddr,
    },
    /// An address in a note lies outside what is loaded.
    OutsideKernel {
        /// The note's name.
        note: &'static str,
        /// The address.
        address: VirtAddr,
    },
    /// The kernel wants the hypervisor's part of the address space to start above where it does.
    HypervisorTooLow {
        /// The lowest start the kernel accepts.
        demanded: VirtAddr,
    },
    /// The place for the physical-to-machine table is not a guest address on a page boundary.
    BadP2m {
        /// The address.
        address: VirtAddr,
    },
}

/// What is wrong with compressed data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CorruptData {
    /// It ends early.
    Truncated,
    /// It breaks its format's rules.
    Invalid,
    /// Its checksum does not fit what was decompressed.
    Checksum,
    /// It decompresses to more or less than it says.
    Size,
    /// It uses a part of its format that is not supported.
    Unsupported,
}

impl fmt::Display for CorruptData {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Truncated => "the data end early",
            Self::Invalid => "the data are damaged",
            Self::Checksum => "the checksum is wrong",
            Self::Size => "the size is not the one stated",
            Self::Unsupported => "the data use a filter or option that is not supported",
        })
    }
}

/// What an administrator can do about a damaged file.
const RELOAD: &str = "copy or install the kernel again";
/// What an administrator can do about a kernel of the wrong kind.
const USE_PV: &str = "use a 64-bit kernel with Xen PV support, such as Debian's linux-image-amd64";

impl fmt::Display for ImageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("dom0 kernel: ")?;
        match self {
            Self::NotAKernel
            | Self::OldProtocol { .. }
            | Self::Truncated { .. }
            | Self::Unsupported(_)
            | Self::UnknownPayload
            | Self::Corrupt { .. }
            | Self::TooLarge { .. } => self.explain_file(formatter),
            Self::BrokenElf(_)
            | Self::ThirtyTwoBit
            | Self::OtherMachine { .. }
            | Self::SegmentBeyondFile { .. }
            | Self::SegmentBroken { .. }
            | Self::SegmentsOverlap { .. }
            | Self::NothingToLoad
            | Self::TooManySegments => self.explain_elf(formatter),
            _ => self.explain_notes(formatter),
        }
    }
}

impl ImageError {
    fn explain_file(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OldProtocol { version } => write!(
                formatter,
                "its boot protocol {}.{:02} is too old, 2.08 or later is needed: {USE_PV}",
                version >> 8,
                version & 0xff
            ),
            Self::Truncated { needed, present } => write!(
                formatter,
                "the file is cut short, {present} bytes of at least {needed}: {RELOAD}"
            ),
            Self::Unsupported(compression) => write!(
                formatter,
                "it is compressed with {compression}, which is not supported: use one compressed with gzip, xz, lzma, zstd or lz4"
            ),
            Self::UnknownPayload => write!(
                formatter,
                "what is packed in it is neither an ELF file nor of a known compression: {RELOAD}"
            ),
            Self::Corrupt { compression, fault } => {
                write!(formatter, "its {compression} data do not decompress, {fault}: {RELOAD}")
            }
            Self::TooLarge { bytes } => write!(
                formatter,
                "it claims to decompress to {bytes} bytes, more than a kernel can have: {RELOAD}"
            ),
            _ => write!(
                formatter,
                "boot module 0 is no kernel (neither a bzImage nor an ELF file): give the kernel first, then its initramfs"
            ),
        }
    }

    fn explain_elf(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ThirtyTwoBit => {
                write!(formatter, "it is a 32-bit kernel: {USE_PV}")
            }
            Self::OtherMachine { machine } => write!(
                formatter,
                "it is for another processor (ELF machine {machine}): {USE_PV}"
            ),
            Self::SegmentBeyondFile { segment } => write!(
                formatter,
                "its segment {segment} reaches beyond the end of the file: {RELOAD}"
            ),
            Self::SegmentBroken { segment } => write!(
                formatter,
                "its segment {segment} has impossible sizes or addresses: {RELOAD}"
            ),
            Self::SegmentsOverlap { at } => write!(
                formatter,
                "two of its segments overlap at {at:#x}: {RELOAD}"
            ),
            Self::NothingToLoad => write!(formatter, "it has no segment to load: {USE_PV}"),
            Self::TooManySegments => write!(
                formatter,
                "it has more than {} segments to load: {USE_PV}",
                crate::kernel::MOST_SEGMENTS
            ),
            Self::BrokenElf(what) => {
                write!(formatter, "its ELF headers are broken ({what}): {RELOAD}")
            }
            _ => Ok(()),
        }
    }

    fn explain_notes(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoXenNotes => write!(
                formatter,
                "it has no Xen notes, so it cannot run para-virtualized: {USE_PV}"
            ),
            Self::BrokenNote { note } => {
                write!(formatter, "its Xen note {note} is malformed: {RELOAD}")
            }
            Self::OtherInterface => write!(
                formatter,
                "its Xen note XEN_VERSION is not \"xen-3.0\": {USE_PV}"
            ),
            Self::OtherLoader => write!(
                formatter,
                "its Xen note LOADER is not \"generic\": {USE_PV}"
            ),
            Self::LacksFeatures(features) => write!(
                formatter,
                "it demands features that are not given to a PV dom0 ({features}): {USE_PV}"
            ),
            Self::LacksUnnamedFeature => write!(
                formatter,
                "its Xen note FEATURES demands a feature that is not known: {USE_PV}"
            ),
            Self::NotForDom0 => write!(
                formatter,
                "it is not built to be dom0 (CONFIG_XEN_DOM0): {USE_PV}"
            ),
            Self::BadPlace { start, end } => write!(
                formatter,
                "it is linked at {start:#x} to {end:#x}, which is not free for a guest: {USE_PV}"
            ),
            Self::OutsideKernel { note, address } => write!(
                formatter,
                "its Xen note {note} names {address:#x}, outside what is loaded: {RELOAD}"
            ),
            Self::HypervisorTooLow { demanded } => write!(
                formatter,
                "it wants the hypervisor at {demanded:#x} or above, which is too high: {USE_PV}"
            ),
            Self::BadP2m { address } => write!(
                formatter,
                "its Xen note INIT_P2M names {address:#x}, which is not free for a guest: {RELOAD}"
            ),
            _ => Ok(()),
        }
    }
}

impl core::error::Error for ImageError {}
