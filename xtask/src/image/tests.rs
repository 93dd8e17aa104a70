//! The written file as a reader of ELF files sees it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use object::read::elf::ElfFile32;

fn segment(kind: u32, address: u64, memory_bytes: u64, data: &[u8]) -> Segment {
    Segment {
        kind,
        flags: elf::PF_R,
        address,
        memory_bytes,
        data: data.to_vec(),
    }
}

#[test]
fn segments_keep_addresses_contents_and_sizes() {
    let segments = [
        segment(elf::PT_LOAD, 0x20_0000, 5000, &[1; 5000]),
        segment(elf::PT_LOAD, 0x20_2000, 0x8000, &[2; 10]),
        segment(elf::PT_NOTE, 0x20_0100, 20, &[1; 20]),
    ];
    let bytes = write_elf32(0x20_0040, &segments).unwrap();
    let file = ElfFile32::<Endianness>::parse(&*bytes).unwrap();
    assert_eq!(file.entry(), 0x20_0040);
    let endian = file.endian();
    let headers = file
        .elf_header()
        .program_headers(endian, file.data())
        .unwrap();
    assert_eq!(headers.len(), 3);
    for (header, segment) in headers.iter().zip(&segments) {
        assert_eq!(header.p_type(endian), segment.kind);
        assert_eq!(u64::from(header.p_paddr(endian)), segment.address);
        assert_eq!(u64::from(header.p_memsz(endian)), segment.memory_bytes);
        assert_eq!(header.data(endian, file.data()).unwrap(), segment.data);
    }
    // Loaders look for the multiboot headers, which begin the first segment, in the first 8 KiB.
    assert_eq!(headers[0].p_offset(endian), 4096);
    // The note is not stored twice.
    assert_eq!(headers[2].p_offset(endian), 4096 + 0x100);
}

#[test]
fn an_image_above_4_gib_is_refused() {
    let segments = [segment(elf::PT_LOAD, 1 << 32, 1, &[1])];
    assert!(write_elf32(0, &segments).is_err());
}
