//! The multiboot 1 information structure (Multiboot Specification 0.6.96, section 3.3).

use super::info::{text, BootInfo, Framebuffer, Protocol, Video};
use super::memory_map::MemoryKind;
use crate::memory::{u16_at, u32_at, u64_at, u8_at, FirmwareMemory};

/// What eax holds when such a loader enters.
pub(super) const MAGIC: u32 = 0x2bad_b002;

const FLAG_MEMORY: u32 = 1 << 0;
const FLAG_COMMAND_LINE: u32 = 1 << 2;
const FLAG_MODULES: u32 = 1 << 3;
const FLAG_MEMORY_MAP: u32 = 1 << 6;
const FLAG_LOADER_NAME: u32 = 1 << 9;
const FLAG_FRAMEBUFFER: u32 = 1 << 12;

const INFORMATION_BYTES: usize = 116;
const MODULE_BYTES: u64 = 16;

/// Reads the structure at machine address `address`; `None` where it does not lie in reach.
pub(super) fn parse(memory: &dyn FirmwareMemory, address: u64, boot: &mut BootInfo) -> Option<()> {
    let information = memory.slice(address, INFORMATION_BYTES)?;
    let field = |offset| u32_at(information, offset).unwrap_or(0);
    let flags = field(0);
    boot.protocol = Protocol::Multiboot1;

    if flags & FLAG_COMMAND_LINE != 0 {
        boot.command_line = text(memory.string(u64::from(field(16))));
    }
    if flags & FLAG_LOADER_NAME != 0 {
        boot.loader = text(memory.string(u64::from(field(64))));
    }
    if flags & FLAG_MODULES != 0 {
        for index in 0..u64::from(field(20)) {
            let at = u64::from(field(24)).saturating_add(index * MODULE_BYTES);
            let Some(module) = memory.slice(at, MODULE_BYTES as usize) else {
                break;
            };
            let part = |offset| u64::from(u32_at(module, offset).unwrap_or(0));
            boot.add_module(part(0), part(4), memory.string(part(8)));
        }
    }
    if flags & FLAG_MEMORY_MAP != 0 {
        let map = memory
            .slice(u64::from(field(48)), field(44) as usize)
            .unwrap_or(&[]);
        parse_memory_map(map, boot);
    } else if flags & FLAG_MEMORY != 0 {
        boot.memory
            .add(0, u64::from(field(4)) << 10, MemoryKind::Usable);
        boot.memory
            .add(1 << 20, u64::from(field(8)) << 10, MemoryKind::Usable);
    }
    boot.video = if flags & FLAG_FRAMEBUFFER != 0 {
        parse_video(information).unwrap_or_default()
    } else {
        // A loader that says nothing (QEMU's) was started by a BIOS, which leaves text mode on.
        Video::Text {
            columns: 80,
            rows: 25,
        }
    };
    Some(())
}

/// Entries of varying length, each with its length (without that field itself) first.
fn parse_memory_map(mut map: &[u8], boot: &mut BootInfo) {
    while let (Some(size), Some(start), Some(length), Some(kind)) = (
        u32_at(map, 0),
        u64_at(map, 4),
        u64_at(map, 12),
        u32_at(map, 20),
    ) {
        boot.memory.add(start, length, MemoryKind::from_e820(kind));
        let Some(rest) = map.get((size as usize).saturating_add(4)..) else {
            break;
        };
        map = rest;
    }
}

/// The framebuffer fields at 88, which GRUB fills.
fn parse_video(information: &[u8]) -> Option<Video> {
    let (width, height) = (u32_at(information, 100)?, u32_at(information, 104)?);
    match u8_at(information, 109)? {
        1 => Some(Video::Framebuffer(Framebuffer {
            address: u64_at(information, 88)?,
            pitch: u32_at(information, 96)?,
            width,
            height,
            bits_per_pixel: u8_at(information, 108)?,
            red: colour(information, 110)?,
            green: colour(information, 112)?,
            blue: colour(information, 114)?,
        })),
        2 => Some(Video::Text {
            columns: width,
            rows: height,
        }),
        _ => None,
    }
}

/// A colour's position and width, two bytes.
fn colour(information: &[u8], offset: usize) -> Option<(u8, u8)> {
    let pair = u16_at(information, offset)?.to_le_bytes();
    Some((pair[0], pair[1]))
}
