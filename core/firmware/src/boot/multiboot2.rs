//! The multiboot 2 information tags (Multiboot2 Specification 2.0, section 3.6).

use vocabulary::MachineAddr;

use super::info::{text, AcpiRoot, BootInfo, Efi, Framebuffer, Protocol, Video};
use super::memory_map::MemoryKind;
use crate::memory::{u32_at, u64_at, u8_at, FirmwareMemory};

/// What eax holds when such a loader enters.
pub(super) const MAGIC: u32 = 0x36d7_6289;

const TAG_END: u32 = 0;
const TAG_COMMAND_LINE: u32 = 1;
const TAG_LOADER_NAME: u32 = 2;
const TAG_MODULE: u32 = 3;
const TAG_BASIC_MEMORY: u32 = 4;
const TAG_MEMORY_MAP: u32 = 6;
const TAG_FRAMEBUFFER: u32 = 8;
const TAG_EFI32_SYSTEM_TABLE: u32 = 11;
const TAG_EFI64_SYSTEM_TABLE: u32 = 12;
const TAG_ACPI_OLD: u32 = 14;
const TAG_ACPI_NEW: u32 = 15;
const TAG_EFI_MEMORY_MAP: u32 = 17;

/// Bytes of a tag's own header: its type and its size.
const TAG_HEADER: usize = 8;
/// log2 of an EFI page.
const EFI_PAGE_SHIFT: u32 = 12;

/// Maps of lower value, used only where the better ones are missing.
#[derive(Default)]
struct Fallback<'a> {
    basic: Option<(u32, u32)>,
    efi: Option<&'a [u8]>,
}

/// Reads the tags at machine address `address`; `None` where they are out of reach or end badly.
pub(super) fn parse(memory: &dyn FirmwareMemory, address: u64, boot: &mut BootInfo) -> Option<()> {
    let total = u32_at(memory.slice(address, TAG_HEADER)?, 0)? as usize;
    let mut rest = memory.slice(address, total)?.get(TAG_HEADER..)?;
    boot.protocol = Protocol::Multiboot2;
    let mut fallback = Fallback::default();
    loop {
        let (kind, size) = (u32_at(rest, 0)?, u32_at(rest, 4)? as usize);
        if kind == TAG_END {
            break;
        }
        let content = rest.get(TAG_HEADER..size)?;
        // A tag that is shorter than its kind asks for is left out.
        let _ = parse_tag(kind, content, boot, &mut fallback);
        rest = rest.get(size.checked_next_multiple_of(8)?..)?;
    }
    if boot.memory.regions().is_empty() {
        use_fallback(&fallback, boot);
    }
    Some(())
}

/// Takes over what one tag says; `content` is what follows its header.
fn parse_tag<'a>(
    kind: u32,
    content: &'a [u8],
    boot: &mut BootInfo,
    fallback: &mut Fallback<'a>,
) -> Option<()> {
    match kind {
        TAG_COMMAND_LINE => boot.command_line = text(content),
        TAG_LOADER_NAME => boot.loader = text(content),
        TAG_MODULE => boot.add_module(
            u64::from(u32_at(content, 0)?),
            u64::from(u32_at(content, 4)?),
            content.get(8..)?,
        ),
        TAG_BASIC_MEMORY => fallback.basic = Some((u32_at(content, 0)?, u32_at(content, 4)?)),
        TAG_MEMORY_MAP => {
            for entry in entries(content, u32_at(content, 0)?, 24, 8)? {
                let kind = MemoryKind::from_e820(u32_at(entry, 16)?);
                boot.memory.add(u64_at(entry, 0)?, u64_at(entry, 8)?, kind);
            }
        }
        TAG_EFI_MEMORY_MAP => fallback.efi = Some(content),
        TAG_FRAMEBUFFER => boot.video = framebuffer(content)?,
        TAG_EFI32_SYSTEM_TABLE => {
            boot.efi = Some(Efi {
                system_table: u64::from(u32_at(content, 0)?),
                is_64_bit: false,
            });
        }
        TAG_EFI64_SYSTEM_TABLE => {
            boot.efi = Some(Efi {
                system_table: u64_at(content, 0)?,
                is_64_bit: true,
            });
        }
        // The newer root pointer wins whichever comes first.
        TAG_ACPI_OLD if boot.acpi.is_none() => {
            let rsdt = u32_at(content, 16)?;
            boot.acpi = Some(AcpiRoot::Rsdt(MachineAddr(u64::from(rsdt))));
        }
        TAG_ACPI_NEW => boot.acpi = Some(AcpiRoot::Xsdt(MachineAddr(u64_at(content, 24)?))),
        _ => {}
    }
    Some(())
}

/// The entries of a map: `size` bytes each (at least `least`), from `first` on.
fn entries(
    content: &[u8],
    size: u32,
    least: usize,
    first: usize,
) -> Option<core::slice::ChunksExact<'_, u8>> {
    let size = size as usize;
    (size >= least).then_some(())?;
    Some(content.get(first..)?.chunks_exact(size))
}

/// Builds the memory map from EFI's, or from the two sizes a BIOS knows, where the loader gave no better one.
fn use_fallback(fallback: &Fallback<'_>, boot: &mut BootInfo) {
    if let Some(map) = fallback.efi {
        let size = u32_at(map, 0).unwrap_or(0);
        for entry in entries(map, size, 40, 8).into_iter().flatten() {
            if let (Some(kind), Some(start), Some(pages)) =
                (u32_at(entry, 0), u64_at(entry, 8), u64_at(entry, 24))
            {
                let length = pages.saturating_mul(1 << EFI_PAGE_SHIFT);
                boot.memory.add(start, length, MemoryKind::from_efi(kind));
            }
        }
    } else if let Some((lower, upper)) = fallback.basic {
        let (lower, upper) = (u64::from(lower) << 10, u64::from(upper) << 10);
        boot.memory.add(0, lower, MemoryKind::Usable);
        boot.memory.add(1 << 20, upper, MemoryKind::Usable);
    }
}

/// The framebuffer tag's content.
fn framebuffer(content: &[u8]) -> Option<Video> {
    let (width, height) = (u32_at(content, 12)?, u32_at(content, 16)?);
    let colour = |offset| Some((u8_at(content, offset)?, u8_at(content, offset + 1)?));
    // The type is a byte, the reserved field after it two (specification and GRUB disagree on the text: GRUB's holds).
    match u8_at(content, 21)? {
        1 => Some(Video::Framebuffer(Framebuffer {
            address: u64_at(content, 0)?,
            pitch: u32_at(content, 8)?,
            width,
            height,
            bits_per_pixel: u8_at(content, 20)?,
            red: colour(24)?,
            green: colour(26)?,
            blue: colour(28)?,
        })),
        2 => Some(Video::Text {
            columns: width,
            rows: height,
        }),
        _ => None,
    }
}
