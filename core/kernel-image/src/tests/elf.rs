//! Small ELF files, built field by field, and what is read from good ones.

use vocabulary::VirtAddr;

use super::{bzimage, run};
use crate::*;

/// A program header: kind, offset, virtual and physical address, size in the file and in memory.
pub(super) type Program = (u32, u64, u64, u64, u64, u64);

/// Where the first segment's data lie in the file.
pub(super) const DATA: u64 = 0x1000;
/// What is linked where Linux is.
pub(super) const BASE: u64 = 0xffff_ffff_8000_0000;

/// An ELF file of these notes and segments, with 0x2000 bytes of contents. The notes are the last segment.
pub(super) fn file(notes: &[(u32, Vec<u8>)], segments: &[Program]) -> Vec<u8> {
    file_with_owner(b"Xen\0", notes, segments)
}

pub(super) fn file_with_owner(
    owner: &[u8; 4],
    notes: &[(u32, Vec<u8>)],
    segments: &[Program],
) -> Vec<u8> {
    let mut blob = Vec::new();
    for (kind, contents) in notes {
        for word in [4, contents.len() as u32, *kind] {
            blob.extend(word.to_le_bytes());
        }
        blob.extend(owner);
        blob.extend(contents);
        blob.resize(blob.len().next_multiple_of(4), 0);
    }
    let note = (4, DATA + 0x1000, 0, 0, blob.len() as u64, 0);
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend(2_u16.to_le_bytes());
    bytes.extend(62_u16.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    for word in [0x100_0000_u64, 64, 0] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(0_u32.to_le_bytes());
    let count = segments.len() as u16 + 1;
    for half in [64, 56, count, 64, 0, 0] {
        bytes.extend(half.to_le_bytes());
    }
    for (kind, offset, address, physical, stored, memory) in segments.iter().chain([&note]) {
        bytes.extend(kind.to_le_bytes());
        bytes.extend(7_u32.to_le_bytes());
        for word in [*offset, *address, *physical, *stored, *memory, 4] {
            bytes.extend(word.to_le_bytes());
        }
    }
    // Contents that compress, but not to nothing.
    bytes.resize(DATA as usize, 0);
    bytes.extend((0..0x1000_u32).map(|place| ((place * place) >> 7) as u8));
    bytes.extend(blob);
    bytes.resize(DATA as usize + 0x2000, 0x55);
    bytes
}

pub(super) fn number(value: u64) -> Vec<u8> {
    value.to_le_bytes().to_vec()
}

pub(super) fn text(value: &str) -> Vec<u8> {
    [value.as_bytes(), b"\0"].concat()
}

/// The notes of a Linux kernel.
pub(super) fn notes() -> Vec<(u32, Vec<u8>)> {
    vec![
        (6, text("linux")),
        (7, text("2.6")),
        (5, text("xen-3.0")),
        (3, number(BASE)),
        (15, number(0x80_0000_0000)),
        (1, number(BASE + 0x100_0040)),
        (2, number(BASE + 0x100_1000)),
        (
            10,
            text("!writable_page_tables|pae_pgdir_above_4gb|newer_feature"),
        ),
        (17, 0x8801_u32.to_le_bytes().to_vec()),
        (9, text("yes")),
        (8, text("generic")),
        (13, [number(1), number(1)].concat()),
        (14, 1_u32.to_le_bytes().to_vec()),
        (16, 1_u32.to_le_bytes().to_vec()),
        (12, number(0xffff_8000_0000_0000)),
        (4, number(0)),
        (18, number(0x100_0850)),
        (99, text("a later one")),
    ]
}

/// The notes with one of them replaced, or left out.
pub(super) fn notes_but(kind: u32, contents: Option<Vec<u8>>) -> Vec<(u32, Vec<u8>)> {
    let mut notes = notes();
    notes.retain(|(other, _)| *other != kind);
    notes.extend(contents.map(|contents| (kind, contents)));
    notes
}

/// Code, then a per-CPU segment at virtual address 0, then data with room behind, out of order.
pub(super) fn segments() -> Vec<Program> {
    vec![
        (
            1,
            DATA + 0x800,
            BASE + 0x110_0000,
            0x110_0000,
            0x400,
            0x3000,
        ),
        (1, DATA, BASE + 0x100_0000, 0x100_0000, 0x800, 0x2000),
        (1, DATA + 0xc00, 0, 0x100_2000, 0x100, 0x100),
    ]
}

#[test]
fn a_kernel_like_linux() {
    let file = file(&notes(), &segments());
    let kernel = examine(&file, Features::PV_DOM0).unwrap();
    let places: Vec<_> = kernel
        .segments
        .iter()
        .map(|segment| {
            (
                segment.address.0 - BASE,
                segment.memory_bytes,
                kernel.physical(segment),
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            (0x100_0000, 0x2000, 0x100_0000),
            (0x100_2000, 0x100, 0x100_2000),
            (0x110_0000, 0x3000, 0x110_0000)
        ]
    );
    assert_eq!(kernel.segments[0].data, &file[0x1000..0x1800]);
    assert_eq!(kernel.segments[1].data, &file[0x1c00..0x1d00]);
    assert_eq!(kernel.start, VirtAddr(BASE + 0x100_0000));
    assert_eq!(kernel.end, VirtAddr(BASE + 0x110_3000));
    assert_eq!(kernel.entry, VirtAddr(BASE + 0x100_0040));
    assert_eq!(kernel.base, VirtAddr(BASE));
    let notes = kernel.notes;
    assert_eq!(notes.guest_os, Some(&b"linux"[..]));
    assert_eq!(notes.required, Features::WRITABLE_PAGE_TABLES);
    assert!(notes
        .supported
        .contains(Features::DOM0 | Features::PAE_PGDIR_ABOVE_4GB));
    assert_eq!(notes.l1_mfn_valid, Some((1, 1)));
    assert!(notes.suspend_cancel && notes.module_by_frame && !notes.wants_symbols);
    assert_eq!(notes.init_p2m, Some(VirtAddr(0x80_0000_0000)));
    assert_eq!(notes.phys32_entry, Some(0x100_0850));
}

#[test]
fn without_an_entry_note_the_elf_header_counts() {
    let segments = [(1, DATA, 0, 0x100_0000, 0x800, 0x2000)];
    let notes = vec![(5, text("xen-3.0"))];
    let file = file(&notes, &segments);
    let kernel = examine(&file, Features::PV_DOM0).unwrap();
    assert_eq!((kernel.entry.0, kernel.base.0), (0x100_0000, 0));
}

#[test]
fn the_physical_offset_is_taken_off() {
    let segments = [(1, DATA, 0, BASE + 0x100_0000, 0x800, 0x2000)];
    let file = file(&notes_but(4, Some(number(BASE))), &segments);
    let kernel = examine(&file, Features::PV_DOM0).unwrap();
    assert_eq!(kernel.start.0, BASE + 0x100_0000);
}

#[test]
fn notes_in_sections_count_where_no_segment_has_them() {
    let mut file = file(&notes(), &segments());
    // The note segment becomes of another kind, and one section of notes is appended.
    let last_program = 64 + 3 * 56;
    let size: [u8; 8] = file[last_program + 32..last_program + 40]
        .try_into()
        .unwrap();
    file[last_program] = 0x70;
    assert_eq!(run(&file), Err(ImageError::NoXenNotes));
    let sections = file.len() as u64;
    file[40..48].copy_from_slice(&sections.to_le_bytes());
    file[60..62].copy_from_slice(&1_u16.to_le_bytes());
    let mut section = [0; 64];
    section[4..8].copy_from_slice(&7_u32.to_le_bytes());
    section[24..32].copy_from_slice(&(DATA + 0x1000).to_le_bytes());
    section[32..40].copy_from_slice(&size);
    section[48..56].copy_from_slice(&4_u64.to_le_bytes());
    file.extend(section);
    assert!(run(&file).is_ok());
}

#[test]
fn a_bare_elf_file_and_one_in_a_bzimage_are_the_same_kernel() {
    let file = file(&notes(), &segments());
    assert_eq!(run(&file), run(&bzimage(&file)));
    assert!(run(&file).is_ok());
}
