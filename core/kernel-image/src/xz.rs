//! The xz format: its container, LZMA2 chunks, and the filter for x86 branch targets.
//!
//! Layout by the .xz file format specification 1.1.0 (tukaani.org/xz/xz-file-format.txt). Supported are what kernels are
//! made with: LZMA2, alone or behind the x86 filter, and CRC32 or no check.

use crate::error::CorruptData;
use crate::lzma::{Decoder, Output, RangeCoder};

/// Bytes of the stream header: magic, flags, CRC32.
const STREAM_HEADER: usize = 12;

/// Reads the input from the front.
struct Input<'a> {
    data: &'a [u8],
    position: usize,
}

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], CorruptData> {
        let end = self.position.checked_add(count);
        let taken = end.and_then(|end| self.data.get(self.position..end));
        self.position = end.unwrap_or(usize::MAX);
        taken.ok_or(CorruptData::Truncated)
    }

    fn byte(&mut self) -> Result<u8, CorruptData> {
        self.take(1)?.first().copied().ok_or(CorruptData::Truncated)
    }

    /// A number of two bytes, the higher first, plus one: how LZMA2 writes sizes.
    fn size(&mut self) -> Result<usize, CorruptData> {
        let high = usize::from(self.byte()?);
        Ok((high << 8 | usize::from(self.byte()?)) + 1)
    }

    /// A number of seven bits a byte, the lowest first; the top bit says that more follow.
    fn number(&mut self) -> Result<u64, CorruptData> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(CorruptData::Invalid)
    }

    /// Skips to a multiple of four.
    fn align(&mut self) -> Result<(), CorruptData> {
        let padding = self.position.wrapping_neg() & 3;
        self.take(padding).map(|_| ())
    }
}

/// Whether `data` end in their own CRC32; the answer is what is before it.
fn checked(data: &[u8]) -> Result<&[u8], CorruptData> {
    let (contents, sum) = data.split_last_chunk::<4>().ok_or(CorruptData::Truncated)?;
    if crc32fast::hash(contents) != u32::from_le_bytes(*sum) {
        return Err(CorruptData::Checksum);
    }
    Ok(contents)
}

/// Decompresses a whole xz stream that fills `output` exactly.
pub(crate) fn unpack(data: &[u8], output: &mut [u8]) -> Result<(), CorruptData> {
    let mut input = Input { data, position: 0 };
    let header = input.take(STREAM_HEADER)?;
    let flags = checked(header.get(6..).unwrap_or(&[]))?;
    let crc = match flags {
        [0, 0] => false,
        [0, 1] => true,
        _ => return Err(CorruptData::Unsupported),
    };
    let mut decoder = Decoder::new()?;
    let mut output = Output {
        bytes: output,
        position: 0,
        origin: 0,
    };
    // Blocks follow each other until the index, which begins with a zero where a block has its header's size.
    loop {
        let size = input.byte()?;
        if size == 0 {
            break;
        }
        input.position -= 1;
        let x86 = block_filter(input.take((usize::from(size) + 1) * 4)?)?;
        let start = output.position;
        chunks(&mut input, &mut decoder, &mut output)?;
        input.align()?;
        let block = output.bytes.get_mut(start..output.position);
        let block = block.ok_or(CorruptData::Size)?;
        if x86 {
            restore_branches(block);
        }
        if crc && input.take(4)? != crc32fast::hash(block).to_le_bytes() {
            return Err(CorruptData::Checksum);
        }
    }
    if output.position != output.bytes.len() {
        return Err(CorruptData::Size);
    }
    Ok(())
}

/// Reads a block header; whether the x86 filter was applied.
fn block_filter(header: &[u8]) -> Result<bool, CorruptData> {
    const X86: u64 = 4;
    const LZMA2: u64 = 0x21;
    const HAS_SIZES: [u8; 2] = [0x40, 0x80];
    let mut input = Input {
        data: checked(header)?,
        position: 1,
    };
    let flags = input.byte()?;
    for present in HAS_SIZES {
        if flags & present != 0 {
            input.number()?;
        }
    }
    let mut x86 = false;
    let filters = (flags & 3) + 1;
    for place in 1..=filters {
        let filter = input.number()?;
        let properties = usize::try_from(input.number()?).map_err(|_| CorruptData::Invalid)?;
        let properties = input.take(properties)?;
        match filter {
            // LZMA2 is last; its property is the window's size, which is the whole output here.
            LZMA2 if place == filters => {}
            // A start offset is possible, but nobody uses one.
            X86 if place != filters && !x86 && properties.is_empty() => x86 = true,
            _ => return Err(CorruptData::Unsupported),
        }
    }
    Ok(x86)
}

/// Decodes LZMA2 chunks up to their end mark.
fn chunks(
    input: &mut Input<'_>,
    decoder: &mut Decoder,
    output: &mut Output<'_>,
) -> Result<(), CorruptData> {
    const END: u8 = 0;
    const STORED_NEW_WINDOW: u8 = 1;
    const STORED: u8 = 2;
    const FIRST_LZMA: u8 = 0x80;
    // The first chunk must start a window, the first compressed one must bring properties.
    let mut window = false;
    let mut properties = false;
    loop {
        let control = input.byte()?;
        // What a compressed chunk starts anew: 1 the state, 2 the properties too, 3 the window too.
        let anew = (control >> 5) & 3;
        if control == STORED_NEW_WINDOW || (control >= FIRST_LZMA && anew == 3) {
            output.origin = output.position;
            window = true;
        }
        match control {
            END => return Ok(()),
            _ if !window => return Err(CorruptData::Invalid),
            STORED_NEW_WINDOW | STORED => stored(input, output)?,
            3..FIRST_LZMA => return Err(CorruptData::Invalid),
            _ => {
                let unpacked = usize::from(control & 0x1f) << 16;
                let unpacked = unpacked + input.size()?;
                let packed = input.size()?;
                if anew >= 2 {
                    decoder.set_properties(input.byte()?)?;
                    properties = true;
                }
                if !properties {
                    return Err(CorruptData::Invalid);
                }
                if anew >= 1 {
                    decoder.reset();
                }
                let limit = output.position + unpacked;
                if limit > output.bytes.len() {
                    return Err(CorruptData::Size);
                }
                let mut coder = RangeCoder::new(input.take(packed)?)?;
                decoder.run(&mut coder, output, limit)?;
                coder.finish()?;
                if output.position != limit {
                    return Err(CorruptData::Invalid);
                }
            }
        }
    }
}

/// Copies a chunk that is not compressed.
fn stored(input: &mut Input<'_>, output: &mut Output<'_>) -> Result<(), CorruptData> {
    let size = input.size()?;
    let data = input.take(size)?;
    let end = output.position + size;
    let place = output.bytes.get_mut(output.position..end);
    place.ok_or(CorruptData::Size)?.copy_from_slice(data);
    output.position = end;
    Ok(())
}

/// Bytes of a call or jump: the opcode and its displacement.
const BRANCH: usize = 5;

/// Turns the absolute targets of x86 calls (0xe8) and jumps (0xe9) back into displacements.
///
/// The filter takes a branch for one if the top byte of its target is 0 or 0xff and no byte in the four before looked like
/// an opcode; where one did, further rules decide, so that the filter can be undone exactly.
fn restore_branches(block: &mut [u8]) {
    // Which of the three bytes before the current one looked like opcodes without being converted: bit 0 is the last.
    let mut recent = 0_u32;
    let mut previous = None::<usize>;
    let mut position = 0;
    while let Some(opcode) = next_opcode(block, position) {
        let distance = previous.map_or(usize::MAX, |previous| opcode - previous);
        recent = match distance {
            1..=3 => (recent << (distance - 1)) & 7,
            _ => 0,
        };
        previous = Some(opcode);
        let tail = block.get_mut(opcode + 1..opcode + BRANCH);
        let Some(target) = tail.and_then(|tail| tail.first_chunk_mut::<4>()) else {
            return;
        };
        match restored(*target, recent, opcode) {
            Some(displacement) => {
                *target = displacement;
                position = opcode + BRANCH;
            }
            None => {
                recent = (recent << 1 & 7) | 1;
                position = opcode + 1;
            }
        }
    }
}

/// Whether a byte is what the top of a near target is.
const fn is_sign(byte: u8) -> bool {
    byte == 0 || byte == 0xff
}

/// The displacement for a `target` whose opcode is at `opcode`; `None` where the filter did not convert it.
fn restored(target: [u8; 4], recent: u32, opcode: usize) -> Option<[u8; 4]> {
    // How many bytes of the target the last look-alike's own target would have covered. More than one look-alike
    // near each other was never converted.
    let covered: u32 = match recent {
        0 => 0,
        1 => 1,
        2 => 2,
        4 => 3,
        _ => return None,
    };
    let [.., top] = target;
    if !is_sign(top) {
        return None;
    }
    let end = (opcode as u32).wrapping_add(BRANCH as u32);
    let mut number = u32::from_le_bytes(target);
    if covered == 0 {
        return Some(sign_extended(number.wrapping_sub(end)));
    }
    // The byte where the look-alike's target would have ended.
    let shift = 24 - covered * 8;
    if is_sign((number >> shift) as u8) {
        return None;
    }
    loop {
        let displacement = number.wrapping_sub(end);
        if !is_sign((displacement >> shift) as u8) {
            return Some(sign_extended(displacement));
        }
        number = displacement ^ ((1 << (shift + 8)) - 1);
    }
}

/// The bytes of a displacement of 25 bits, sign-extended.
const fn sign_extended(displacement: u32) -> [u8; 4] {
    (((displacement << 7) as i32) >> 7).to_le_bytes()
}

/// The first place from `position` on whose byte is 0xe8 or 0xe9.
#[inline(always)]
fn next_opcode(block: &[u8], mut position: usize) -> Option<usize> {
    const WORD: usize = 8;
    const ONES: u64 = 0x0101_0101_0101_0101;
    loop {
        let Some(word) = block.get(position..).and_then(<[u8]>::first_chunk::<WORD>) else {
            let rest = block.get(position..)?;
            let found = rest.iter().position(|byte| byte & 0xfe == 0xe8);
            return found.map(|found| position + found);
        };
        // A byte that is zero after the difference borrows from its top bit; lower bytes are exact.
        let difference = (u64::from_le_bytes(*word) & !ONES) ^ (ONES * 0xe8);
        let zeros = difference.wrapping_sub(ONES) & !difference & (ONES << 7);
        if zeros != 0 {
            return Some(position + (zeros.trailing_zeros() / 8) as usize);
        }
        position += WORD;
    }
}
