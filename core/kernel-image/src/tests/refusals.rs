//! Every refusal, and what it says.

use proptest::prelude::*;

use super::elf::{
    file, file_with_owner, notes, notes_but, number, segments, text, Program, BASE, DATA,
};
use super::{bzimage, run, sized};
use crate::*;

fn refused(file: &[u8]) -> ImageError {
    let error = run(file).unwrap_err();
    let line = error.to_string();
    assert!(line.starts_with("dom0 kernel: "), "{line}");
    assert!(
        line.contains(": ") && !line.contains('\n') && line.len() < 200,
        "{line}"
    );
    error
}

fn with_note(kind: u32, contents: Vec<u8>) -> ImageError {
    refused(&file(&notes_but(kind, Some(contents)), &segments()))
}

fn with_segments(segments: &[Program]) -> ImageError {
    refused(&file(&notes(), segments))
}

#[test]
fn files_that_are_no_kernels() {
    assert_eq!(refused(b""), ImageError::NotAKernel);
    assert_eq!(refused(&[0; 5000]), ImageError::NotAKernel);
    assert_eq!(refused(b"070701 an initramfs"), ImageError::NotAKernel);
    assert_eq!(
        ImageError::NotAKernel.to_string(),
        "dom0 kernel: boot module 0 is no kernel (neither a bzImage nor an ELF file): give the kernel first, then its initramfs"
    );
}

#[test]
fn images_that_are_old_or_cut_short() {
    let image = bzimage(&file(&notes(), &segments()));
    let mut old = image.clone();
    old[0x206..0x208].copy_from_slice(&0x207_u16.to_le_bytes());
    assert_eq!(refused(&old), ImageError::OldProtocol { version: 0x207 });
    let needed = image.len() as u64 - 16;
    assert_eq!(
        refused(&image[..1_500]),
        ImageError::Truncated {
            needed,
            present: 1_500
        }
    );
    assert!(matches!(
        refused(&image[..0x210]),
        ImageError::Truncated { .. }
    ));
    assert_eq!(
        ImageError::Truncated { needed: 9, present: 5 }.to_string(),
        "dom0 kernel: the file is cut short, 5 bytes of at least 9: copy or install the kernel again"
    );
}

#[test]
fn payloads_that_cannot_be_unpacked() {
    assert_eq!(
        refused(&bzimage(&sized(b"BZh91AY".to_vec(), 9))),
        ImageError::Unsupported(Compression::Bzip2)
    );
    assert_eq!(
        refused(&bzimage(&sized(b"\x89LZO\0\r\n".to_vec(), 9))),
        ImageError::Unsupported(Compression::Lzo)
    );
    assert_eq!(refused(&bzimage(b"nonsense")), ImageError::UnknownPayload);
    assert_eq!(refused(&bzimage(b"")), ImageError::UnknownPayload);
    let large = sized(b"\xfd7zXZ\0".to_vec(), 0xffff_ffff);
    assert_eq!(
        refused(&bzimage(&large)),
        ImageError::TooLarge { bytes: 0xffff_ffff }
    );
    assert!(matches!(
        refused(&bzimage(&[0x1f, 0x8b, 8])),
        ImageError::Corrupt { .. }
    ));
}

#[test]
fn elf_files_of_the_wrong_kind() {
    let good = file(&notes(), &segments());
    let mut small = good.clone();
    small[4] = 1;
    assert_eq!(refused(&small), ImageError::ThirtyTwoBit);
    let mut arm = good.clone();
    arm[18] = 183;
    assert_eq!(refused(&arm), ImageError::OtherMachine { machine: 183 });
    let mut big_endian = good.clone();
    big_endian[5] = 2;
    assert!(matches!(refused(&big_endian), ImageError::BrokenElf(_)));
    assert!(matches!(refused(&good[..40]), ImageError::BrokenElf(_)));
    assert!(matches!(refused(&good[..100]), ImageError::BrokenElf(_)));
    assert!(matches!(
        examine(b"not ELF", Features::PV_DOM0),
        Err(ImageError::BrokenElf(_))
    ));
}

#[test]
fn segments_that_cannot_be_loaded() {
    let code = (1, DATA, 0, 0x100_0000, 0x800, 0x2000);
    let beyond = (1, DATA, 0, 0x200_0000, 0x10_0000, 0x20_0000);
    assert_eq!(
        with_segments(&[code, beyond]),
        ImageError::SegmentBeyondFile { segment: 1 }
    );
    let wraps = (1, DATA, 0, 0x7fff_f000, 0x10, 0x2000);
    assert_eq!(
        with_segments(&[code, wraps]),
        ImageError::SegmentBroken { segment: 1 }
    );
    let shrinks = (1, DATA, 0, 0x200_0000, 0x100, 0x80);
    assert_eq!(
        with_segments(&[code, shrinks]),
        ImageError::SegmentBroken { segment: 1 }
    );
    let overlaps = (1, DATA, 0, 0x100_1fff, 0x100, 0x100);
    assert!(matches!(
        with_segments(&[code, overlaps]),
        ImageError::SegmentsOverlap { .. }
    ));
    assert_eq!(with_segments(&[]), ImageError::NothingToLoad);
    let many: Vec<Program> = (0..17)
        .map(|number| (1, DATA, 0, 0x100_0000 + number * 0x1000, 0x100, 0x100))
        .collect();
    assert_eq!(with_segments(&many), ImageError::TooManySegments);
}

#[test]
fn notes_that_are_missing_or_malformed() {
    assert_eq!(refused(&file(&[], &segments())), ImageError::NoXenNotes);
    let others = file_with_owner(b"GNU\0", &notes(), &segments());
    assert_eq!(refused(&others), ImageError::NoXenNotes);
    for (kind, note) in [
        (1, "ENTRY"),
        (2, "HYPERCALL_PAGE"),
        (3, "VIRT_BASE"),
        (4, "PADDR_OFFSET"),
        (12, "HV_START_LOW"),
        (13, "L1_MFN_VALID"),
        (14, "SUSPEND_CANCEL"),
        (15, "INIT_P2M"),
        (16, "MOD_START_PFN"),
        (17, "SUPPORTED_FEATURES"),
        (18, "PHYS32_ENTRY"),
    ] {
        assert_eq!(
            with_note(kind, vec![1, 2, 3]),
            ImageError::BrokenNote { note }
        );
    }
    // A note whose size reaches beyond its segment.
    let mut broken = file(&notes(), &segments());
    broken[DATA as usize + 0x1004] = 0xff;
    broken[DATA as usize + 0x1005] = 0xff;
    assert_eq!(refused(&broken), ImageError::BrokenElf("a note"));
}

#[test]
fn demands_that_cannot_be_met() {
    assert_eq!(with_note(5, text("xen-4.0")), ImageError::OtherInterface);
    assert_eq!(with_note(8, text("special")), ImageError::OtherLoader);
    let lacking = with_note(10, text("!auto_translated_physmap|!supervisor_mode_kernel"));
    assert_eq!(
        lacking,
        ImageError::LacksFeatures(
            Features::AUTO_TRANSLATED_PHYSMAP | Features::SUPERVISOR_MODE_KERNEL
        )
    );
    assert!(lacking
        .to_string()
        .contains("(auto_translated_physmap supervisor_mode_kernel)"));
    assert_eq!(
        with_note(10, text("!telepathy")),
        ImageError::LacksUnnamedFeature
    );
    assert_eq!(with_note(17, number(1)), ImageError::NotForDom0);
    assert!(matches!(
        with_note(12, number(0xffff_8800_0000_0000)),
        ImageError::HypervisorTooLow { .. }
    ));
    for bad in [0xffff_8000_0000_0000, 0x8000_0000_0000, 0x80_0000_0001] {
        assert!(matches!(
            with_note(15, number(bad)),
            ImageError::BadP2m { .. }
        ));
    }
}

#[test]
fn places_that_are_not_the_guests() {
    for base in [
        0xffff_8000_0000_0000,
        0xffff_8200_0000_0000,
        0x7fff_ff00_0000,
        0xffff_7fff_0000_0000,
    ] {
        assert!(matches!(
            with_note(3, number(base)),
            ImageError::BadPlace { .. }
        ));
    }
    // One end on each side of the hypervisor's part.
    let wide = [(1, DATA, 0, 0x100_0000, 0x800, 0xffff_9000_0000_0000)];
    let wide = file(&notes_but(3, Some(number(0))), &wide);
    assert!(matches!(refused(&wide), ImageError::BadPlace { .. }));
    for outside in [0, BASE, BASE + 0x110_3000] {
        assert!(matches!(
            with_note(1, number(outside)),
            ImageError::OutsideKernel { note: "ENTRY", .. }
        ));
        assert!(matches!(
            with_note(2, number(outside)),
            ImageError::OutsideKernel {
                note: "HYPERCALL_PAGE",
                ..
            }
        ));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn damaged_elf_files_do_no_harm(
        damage in prop::collection::vec((0..0x1400_usize, any::<u8>()), 1..6),
        headers_only: bool,
        cut in 0..0x3000_usize,
    ) {
        let mut bytes = file(&notes(), &segments());
        for (place, byte) in damage {
            // Most of the file is contents: half of the time only headers and notes are hit.
            let place = match (headers_only, place < 0xa00) {
                (true, true) => place % 300,
                (true, false) => DATA as usize + 0x1000 + place % 0x300,
                (false, _) => place,
            };
            bytes[place] = byte;
        }
        bytes.truncate(bytes.len().min(cut + 0x1000));
        if let Err(error) = run(&bytes) {
            prop_assert!(!error.to_string().contains('\n'));
        }
        if let Err(error) = run(&bzimage(&bytes)) {
            prop_assert!(!error.to_string().contains('\n'));
        }
    }

    #[test]
    fn what_is_accepted_can_be_loaded(
        addresses in prop::collection::vec((any::<u64>(), 0..0x5000_u64, any::<u64>()), 1..4),
        base: u64,
        entry: u64,
    ) {
        let segments: Vec<Program> = addresses
            .into_iter()
            .map(|(address, stored, memory)| (1, DATA, 0, address, stored, memory))
            .collect();
        let mut notes = notes_but(3, Some(number(base)));
        notes.retain(|(kind, _)| *kind != 1);
        notes.push((1, number(entry)));
        if let Ok(kernel) = examine(&file(&notes, &segments), Features::PV_DOM0) {
            let mut last = kernel.start;
            for segment in &kernel.segments {
                prop_assert!(segment.address >= last && segment.data.len() as u64 <= segment.memory_bytes);
                last = segment.end();
            }
            prop_assert!(kernel.start.is_guest() && last == kernel.end);
        }
    }

    #[test]
    fn any_bytes_do_no_harm(bytes: Vec<u8>, header: bool) {
        let file = if header { bzimage(&bytes) } else { bytes };
        let _ = run(&file);
    }
}
