//! Every compression, there and back, and damaged ones.

use std::io::Write;
use std::num::NonZeroU64;

use lzma_rust2::{CheckType, FilterType, LzmaOptions, LzmaWriter, XzOptions, XzWriter};
use proptest::prelude::*;

use super::elf::{file, notes, segments};
use super::{bzimage, run, sized};
use crate::*;

fn gzip(data: &[u8]) -> Vec<u8> {
    // With a file name, as the gzip program writes it.
    let mut out = vec![0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3];
    out.extend(b"vmlinux\0");
    out.extend(miniz_oxide::deflate::compress_to_vec(data, 6));
    out.extend(crc32fast::hash(data).to_le_bytes());
    sized(out, data.len())
}

fn xz_with(data: &[u8], change: impl FnOnce(&mut XzOptions)) -> Vec<u8> {
    let mut options = XzOptions::with_preset(3);
    options.set_check_sum_type(CheckType::Crc32);
    change(&mut options);
    let mut writer = XzWriter::new(Vec::new(), options).unwrap();
    writer.write_all(data).unwrap();
    sized(writer.finish().unwrap(), data.len())
}

/// As Linux makes it.
fn xz(data: &[u8]) -> Vec<u8> {
    xz_with(data, |options| {
        options.prepend_pre_filter(FilterType::BcjX86, 0)
    })
}

fn lzma(data: &[u8], known_size: bool) -> Vec<u8> {
    let options = LzmaOptions::with_preset(3);
    let size = known_size.then_some(data.len() as u64);
    let mut writer = LzmaWriter::new_use_header(Vec::new(), &options, size).unwrap();
    writer.write_all(data).unwrap();
    sized(writer.finish().unwrap(), data.len())
}

fn zstd(data: &[u8]) -> Vec<u8> {
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    sized(ruzstd::encoding::compress_to_vec(data, level), data.len())
}

fn lz4(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x02, 0x21, 0x4c, 0x18];
    for block in data.chunks(8 << 20) {
        let packed = lz4_flex::block::compress(block);
        out.extend((packed.len() as u32).to_le_bytes());
        out.extend(packed);
    }
    sized(out, data.len())
}

fn unpacked(payload: &[u8]) -> Result<Vec<u8>, ImageError> {
    let image = bzimage(payload);
    let container = recognise(&image)?;
    // A buffer larger than needed, with something in it.
    let mut buffer = vec![0xaa; container.unpacked_bytes() + 100];
    container.unpack(&mut buffer).map(<[u8]>::to_vec)
}

#[test]
fn every_compression_gives_the_kernel_back() {
    let kernel = file(&notes(), &segments());
    for (compression, payload) in [
        (Compression::Gzip, gzip(&kernel)),
        (Compression::Xz, xz(&kernel)),
        (Compression::Lzma, lzma(&kernel, true)),
        (Compression::Lzma, lzma(&kernel, false)),
        (Compression::Zstd, zstd(&kernel)),
        (Compression::Lz4, lz4(&kernel)),
    ] {
        let image = bzimage(&payload);
        let container = recognise(&image).unwrap();
        assert_eq!(container.compression(), compression);
        assert!(container.as_elf().is_none());
        assert_eq!(unpacked(&payload).unwrap(), kernel, "{compression}");
        assert!(run(&image).is_ok(), "{compression}");
    }
}

#[test]
fn a_gzipped_elf_file_needs_no_bzimage() {
    let kernel = file(&notes(), &segments());
    assert!(run(&gzip(&kernel)).is_ok());
}

#[test]
fn xz_in_other_makes() {
    let kernel = vec![file(&notes(), &segments()); 40].concat();
    let plain = xz_with(&kernel, |_| {});
    let no_check = xz_with(&kernel, |options| {
        options.set_check_sum_type(CheckType::None)
    });
    let blocks = xz_with(&kernel, |options| {
        options.lzma_options.dict_size = 1 << 16;
        options.set_block_size(NonZeroU64::new(1 << 16));
    });
    let properties = xz_with(&kernel, |options| {
        options.lzma_options.lc = 1;
        options.lzma_options.lp = 2;
        options.lzma_options.pb = 0;
    });
    for payload in [plain, no_check, blocks, properties] {
        assert!(unpacked(&payload).unwrap() == kernel);
    }
    let unsupported = ImageError::Corrupt {
        compression: Compression::Xz,
        fault: CorruptData::Unsupported,
    };
    let delta = xz_with(&kernel, |options| {
        options.prepend_pre_filter(FilterType::Delta, 1)
    });
    assert_eq!(unpacked(&delta), Err(unsupported));
    let other_check = xz_with(&kernel, |options| {
        options.set_check_sum_type(CheckType::Crc64)
    });
    assert_eq!(unpacked(&other_check), Err(unsupported));
}

#[test]
fn a_buffer_too_small_is_refused() {
    let payload = gzip(&file(&notes(), &segments()));
    let image = bzimage(&payload);
    let container = recognise(&image).unwrap();
    let mut buffer = vec![0; container.unpacked_bytes() - 1];
    assert!(container.unpack(&mut buffer).is_err());
}

#[test]
fn a_wrong_size_is_noticed() {
    let kernel = file(&notes(), &segments());
    for pack in [xz, zstd, lz4, gzip, |data: &[u8]| lzma(data, false)] {
        for wrong in [kernel.len() - 1, kernel.len() + 1] {
            let mut payload = pack(&kernel);
            let end = payload.len() - 4;
            payload[end..].copy_from_slice(&(wrong as u32).to_le_bytes());
            assert!(unpacked(&payload).is_err());
        }
    }
}

#[test]
fn data_cut_short_are_noticed() {
    let kernel = file(&notes(), &segments());
    for pack in [xz, zstd, lz4, gzip, |data: &[u8]| lzma(data, false)] {
        let payload = pack(&kernel);
        let data = &payload[..payload.len() - 4];
        for keep in [0, 3, 7, 14, 40, data.len() / 2, data.len() * 9 / 10] {
            let short = sized(data[..keep].to_vec(), kernel.len());
            assert!(unpacked(&short).is_err(), "{keep} of {}", data.len());
        }
    }
}

/// Data as programs have them: runs, repeats, branches near and far.
fn program_like() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..40),
        prop::collection::vec(
            prop::sample::select(vec![0xe8_u8, 0xe9, 0, 0xff, 0xe8, 1, 0x80]),
            1..60
        ),
        (any::<u8>(), 1..700_usize).prop_map(|(byte, count)| vec![byte; count]),
        (prop::collection::vec(any::<u8>(), 1..20), 1..60_usize)
            .prop_map(|(bytes, count)| bytes.repeat(count)),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn xz_and_its_filter_give_back_any_data(
        data in program_like(),
        literal_context in 0..=4_u32,
        literal_position in 0..=4_u32,
        position in 0..=4_u32,
    ) {
        let payload = xz_with(&data, |options| {
            options.lzma_options.lc = literal_context;
            options.lzma_options.lp = literal_position.min(4 - literal_context);
            options.lzma_options.pb = position;
            options.prepend_pre_filter(FilterType::BcjX86, 0);
        });
        prop_assert_eq!(unpacked(&payload).unwrap(), data);
    }

    #[test]
    fn the_others_give_back_any_data(data in program_like()) {
        for payload in [lzma(&data, true), lzma(&data, false), zstd(&data), lz4(&data), gzip(&data)] {
            prop_assert_eq!(&unpacked(&payload).unwrap(), &data);
        }
    }

    #[test]
    fn damage_is_noticed_or_harmless(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        format in 0..5_usize,
    ) {
        let kernel = file(&notes(), &segments());
        let pack = [xz, zstd, lz4, gzip, |data: &[u8]| lzma(data, false)][format];
        let mut payload = pack(&kernel);
        let end = payload.len() - 4;
        for (place, byte) in damage {
            payload[place.index(end)] = byte;
        }
        // xz, gzip and (with its checksum) zstd notice all damage to what is in them.
        if let (Ok(data), 0 | 3) = (unpacked(&payload), format) {
            prop_assert!(data == kernel);
        }
    }
}
