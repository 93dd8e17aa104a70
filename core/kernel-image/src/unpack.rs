//! The other formats: gzip, Zstandard and LZ4, by the crates that know them.

use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{decompress, DecompressorOxide};
use miniz_oxide::inflate::TINFLStatus;
use ruzstd::decoding::FrameDecoder;

use crate::error::CorruptData;

/// Decompresses a gzip file of one member (RFC 1952) that fills `output` exactly.
pub(crate) fn gzip(data: &[u8], output: &mut [u8]) -> Result<(), CorruptData> {
    let body = gzip_body(data)?;
    let mut inflater = alloc::boxed::Box::<DecompressorOxide>::default();
    let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (status, read, written) = decompress(&mut inflater, body, output, 0, flags);
    match status {
        TINFLStatus::Done => {}
        TINFLStatus::HasMoreOutput => return Err(CorruptData::Size),
        TINFLStatus::NeedsMoreInput | TINFLStatus::FailedCannotMakeProgress => {
            return Err(CorruptData::Truncated);
        }
        _ => return Err(CorruptData::Invalid),
    }
    if written != output.len() {
        return Err(CorruptData::Size);
    }
    let sum = body.get(read..).and_then(<[u8]>::first_chunk::<4>);
    let sum = u32::from_le_bytes(*sum.ok_or(CorruptData::Truncated)?);
    if sum != crc32fast::hash(output) {
        return Err(CorruptData::Checksum);
    }
    Ok(())
}

/// The deflated data behind a gzip header, with the trailer.
fn gzip_body(data: &[u8]) -> Result<&[u8], CorruptData> {
    const FIXED: usize = 10;
    const DEFLATE: u8 = 8;
    const HEADER_CRC: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    let short = CorruptData::Truncated;
    let (header, mut rest) = data.split_at_checked(FIXED).ok_or(short)?;
    let flags = match *header {
        [_, _, DEFLATE, flags, ..] => flags,
        _ => return Err(CorruptData::Unsupported),
    };
    if flags & EXTRA != 0 {
        let (size, after) = rest.split_first_chunk::<2>().ok_or(short)?;
        rest = after
            .get(usize::from(u16::from_le_bytes(*size))..)
            .ok_or(short)?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let end = rest.iter().position(|byte| *byte == 0).ok_or(short)?;
            rest = rest.get(end + 1..).ok_or(short)?;
        }
    }
    if flags & HEADER_CRC != 0 {
        rest = rest.get(2..).ok_or(short)?;
    }
    Ok(rest)
}

/// Decompresses Zstandard frames (RFC 8878) that fill `output` exactly.
pub(crate) fn zstd(data: &[u8], output: &mut [u8]) -> Result<(), CorruptData> {
    let mut decoder = FrameDecoder::new();
    let written = decoder.decode_all(data, output).map_err(|error| {
        use ruzstd::decoding::errors::FrameDecoderError as Error;
        match error {
            Error::TargetTooSmall => CorruptData::Size,
            Error::FailedToReadBlockHeader(_) | Error::FailedToReadChecksum(_) => {
                CorruptData::Truncated
            }
            _ => CorruptData::Invalid,
        }
    })?;
    if written != output.len() {
        return Err(CorruptData::Size);
    }
    let stated = decoder.get_checksum_from_data();
    if stated.is_some() && stated != decoder.get_calculated_checksum() {
        return Err(CorruptData::Checksum);
    }
    Ok(())
}

/// Decompresses LZ4 in the legacy frame (LZ4 frame format description, "Legacy frame"): blocks of up to 8 MiB, each behind
/// its packed size, that fill `output` exactly.
pub(crate) fn lz4(data: &[u8], output: &mut [u8]) -> Result<(), CorruptData> {
    const BLOCK: usize = 8 << 20;
    /// The frame's magic number. Files put together from several have it between blocks.
    const MAGIC: u32 = 0x184c_2102;
    let mut rest = data;
    let mut written = 0;
    while let Some((size, after)) = rest.split_first_chunk::<4>() {
        let size = u32::from_le_bytes(*size);
        rest = after;
        if size == MAGIC {
            continue;
        }
        let size = usize::try_from(size).map_err(|_| CorruptData::Invalid)?;
        let (block, after) = rest.split_at_checked(size).ok_or(CorruptData::Truncated)?;
        rest = after;
        let room = output.len().min(written + BLOCK);
        let place = output.get_mut(written..room).ok_or(CorruptData::Size)?;
        let bytes =
            lz4_flex::block::decompress_into(block, place).map_err(|_| CorruptData::Invalid)?;
        written += bytes;
    }
    if written != output.len() {
        return Err(CorruptData::Size);
    }
    Ok(())
}
