//! LZMA: the decoder that the xz format and the old lzma format share.
//!
//! It is written here rather than taken from a crate because those keep a window of their own: a kernel's is 32 MiB, and
//! every byte would be copied twice. This one decodes into the caller's buffer, which is its window, and needs 32 KiB.
//! The format is that of the LZMA specification (7-Zip's `lzma-specification.txt`).

use alloc::boxed::Box;
use alloc::vec;

use crate::error::CorruptData;

/// Room for all probabilities: those of [`model`], then the literals'. A power of two so that a masked index is in bounds.
const PROBABILITIES: usize = 1 << 14;
/// The most bits of context for literals, `lc + lp`, that fit; also LZMA2's limit.
const MOST_LITERAL_BITS: u8 = 4;
/// A probability of one half, in 1/2048.
const HALF: u16 = 1 << 10;

/// Where each set of probabilities starts, in the order of the specification.
mod model {
    pub(super) const POSITIONS: usize = 16;
    pub(super) const STATES: usize = 12;
    pub(super) const IS_MATCH: usize = 0;
    pub(super) const IS_REPEAT: usize = IS_MATCH + STATES * POSITIONS;
    pub(super) const IS_REPEAT_0: usize = IS_REPEAT + STATES;
    pub(super) const IS_REPEAT_1: usize = IS_REPEAT_0 + STATES;
    pub(super) const IS_REPEAT_2: usize = IS_REPEAT_1 + STATES;
    pub(super) const IS_LONG_REPEAT: usize = IS_REPEAT_2 + STATES;
    pub(super) const DISTANCE_SLOT: usize = IS_LONG_REPEAT + STATES * POSITIONS;
    pub(super) const DISTANCE_LOW: usize = DISTANCE_SLOT + 4 * 64;
    pub(super) const DISTANCE_ALIGN: usize = DISTANCE_LOW + 128;
    pub(super) const MATCH_LENGTH: usize = DISTANCE_ALIGN + 16;
    pub(super) const REPEAT_LENGTH: usize = MATCH_LENGTH + LENGTHS;
    pub(super) const LITERAL: usize = REPEAT_LENGTH + LENGTHS;
    /// A length coder: two choices, then the three ranges.
    pub(super) const LENGTHS: usize = 2 + POSITIONS * 8 + POSITIONS * 8 + 256;
    /// A set of literal probabilities.
    pub(super) const LITERAL_SET: usize = 0x300;
}

const _: () = assert!(model::LITERAL + (model::LITERAL_SET << MOST_LITERAL_BITS) <= PROBABILITIES);

/// The probabilities.
type Model = [u16; PROBABILITIES];

/// The range coder over one piece of input. Past the end it reads zeros and remembers.
#[derive(Clone, Copy)]
pub(crate) struct RangeCoder<'a> {
    range: u32,
    code: u32,
    input: &'a [u8],
    position: usize,
}

impl<'a> RangeCoder<'a> {
    /// Starts on `input`, whose first byte is always 0 and whose next four are the first code.
    pub(crate) fn new(input: &'a [u8]) -> Result<Self, CorruptData> {
        let first = input.first_chunk::<5>().ok_or(CorruptData::Truncated)?;
        let [0, a, b, c, d] = *first else {
            return Err(CorruptData::Invalid);
        };
        Ok(Self {
            range: u32::MAX,
            code: u32::from_be_bytes([a, b, c, d]),
            input,
            position: 5,
        })
    }

    /// Whether what was decoded was all there.
    pub(crate) fn finish(mut self) -> Result<(), CorruptData> {
        self.normalize();
        if self.position > self.input.len() {
            return Err(CorruptData::Truncated);
        }
        Ok(())
    }

    #[inline(always)]
    fn normalize(&mut self) {
        if self.range < 1 << 24 {
            let byte = self.input.get(self.position).copied().unwrap_or(0);
            self.position = self.position.wrapping_add(1);
            self.range <<= 8;
            self.code = self.code << 8 | u32::from(byte);
        }
    }

    /// One bit by the probability at `index`, which learns from it. For choices that are mostly the same: it branches.
    #[inline(always)]
    fn choice(&mut self, model: &mut Model, index: usize) -> bool {
        self.normalize();
        // Always there, by the mask.
        let Some(probability) = model.get_mut(index & (PROBABILITIES - 1)) else {
            return false;
        };
        let zero = *probability;
        let bound = (self.range >> 11).wrapping_mul(u32::from(zero));
        let one = self.code >= bound;
        if one {
            self.range = self.range.wrapping_sub(bound);
            self.code = self.code.wrapping_sub(bound);
            *probability = zero.wrapping_sub(zero >> 5);
        } else {
            self.range = bound;
            *probability = zero.wrapping_add(2048_u16.wrapping_sub(zero) >> 5);
        }
        one
    }

    /// The same for the bits of numbers, which no branch predictor foresees: it does not branch on them.
    #[inline(always)]
    fn bit(&mut self, model: &mut Model, index: usize) -> usize {
        self.normalize();
        let Some(probability) = model.get_mut(index & (PROBABILITIES - 1)) else {
            return 0;
        };
        let zero = *probability;
        let bound = (self.range >> 11).wrapping_mul(u32::from(zero));
        let bit = u32::from(self.code >= bound);
        // All ones for a one.
        let mask = 0_u32.wrapping_sub(bit);
        self.code = self.code.wrapping_sub(bound & mask);
        self.range = bound ^ ((bound ^ self.range.wrapping_sub(bound)) & mask);
        // Down by a 32nd for a one; up by a 32nd of what is missing to 2048 for a zero, rounded as above.
        let zero = i32::from(zero);
        let missing = (31 - 2048) & !(mask as i32);
        *probability = (zero - ((zero + missing) >> 5)) as u16;
        bit as usize
    }

    /// A number of `bits` bits, the highest first, by a tree of probabilities at `base`.
    #[inline(always)]
    fn tree(&mut self, model: &mut Model, base: usize, bits: u32) -> usize {
        let mut node = 1;
        for _ in 0..bits {
            node = node << 1 | self.bit(model, base + node);
        }
        node - (1 << bits)
    }

    /// A number of `bits` bits, the lowest first.
    #[inline(always)]
    fn reverse_tree(&mut self, model: &mut Model, base: usize, bits: u32) -> usize {
        let mut node = 1;
        let mut number = 0;
        for place in 0..bits {
            let bit = self.bit(model, base.wrapping_add(node));
            node = node << 1 | bit;
            number |= bit << place;
        }
        number
    }

    /// A number of `bits` bits without probabilities.
    #[inline(always)]
    fn direct(&mut self, bits: u32) -> usize {
        let mut number = 0_usize;
        for _ in 0..bits {
            self.normalize();
            self.range >>= 1;
            let set = self.code >= self.range;
            if set {
                self.code = self.code.wrapping_sub(self.range);
            }
            number = number << 1 | usize::from(set);
        }
        number
    }
}

/// Where the decoded bytes go; what is before the position is the window.
pub(crate) struct Output<'a> {
    /// All of the caller's buffer.
    pub(crate) bytes: &'a mut [u8],
    /// How much of it is written.
    pub(crate) position: usize,
    /// Where the window starts.
    pub(crate) origin: usize,
}

impl Output<'_> {
    /// The byte `distance` before the position; 0 in front of the window.
    #[inline(always)]
    fn before(&self, distance: usize) -> u8 {
        let place = self.position.wrapping_sub(distance);
        self.bytes.get(place).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.position) {
            *place = byte;
        }
        self.position += 1;
    }

    /// Repeats `length` bytes from `distance` before the position. The caller checked that both are within bounds.
    ///
    /// Whole words are moved where there is room behind: what is written too much is overwritten later.
    #[inline(always)]
    fn repeat(&mut self, mut distance: usize, length: usize) {
        const WORD: usize = 8;
        let end = self.position + length;
        let mut to = self.position;
        self.position = end;
        if distance < WORD {
            // Bytes first, until the same bytes lie a whole word or more behind.
            let period = distance * WORD.div_ceil(distance.max(1));
            let head = end.min(to + period);
            while to < head {
                let byte = self.bytes.get(to - distance).copied().unwrap_or(0);
                if let Some(place) = self.bytes.get_mut(to) {
                    *place = byte;
                }
                to += 1;
            }
            distance = period;
        }
        while to < end {
            let from = to - distance;
            let word = self.bytes.get(from..from + WORD);
            let Some(word) = word.and_then(|word| <[u8; WORD]>::try_from(word).ok()) else {
                break;
            };
            match self.bytes.get_mut(to..to + WORD) {
                Some(place) => place.copy_from_slice(&word),
                None => break,
            }
            to += WORD;
        }
        // The last few bytes of the buffer.
        while to < end {
            let byte = self.bytes.get(to - distance).copied().unwrap_or(0);
            if let Some(place) = self.bytes.get_mut(to) {
                *place = byte;
            }
            to += 1;
        }
    }
}

/// The decoder, as it is between two pieces of input.
pub(crate) struct Decoder {
    model: Box<Model>,
    history: History,
}

/// What the decoder remembers beside its probabilities. A copy is worked on, so that it can stay in registers.
#[derive(Clone, Copy, Default)]
struct History {
    state: usize,
    /// The last four distances, less one.
    distances: [usize; 4],
    literal_bits: u32,
    literal_mask: usize,
    position_mask: usize,
}

/// How decoding ended.
#[derive(PartialEq, Eq)]
pub(crate) enum Ended {
    /// All that was asked for is there.
    Full,
    /// The data said so.
    Marker,
}

impl Decoder {
    /// A decoder that is to be given its properties before use.
    pub(crate) fn new() -> Result<Self, CorruptData> {
        let model = vec![HALF; PROBABILITIES].into_boxed_slice();
        Ok(Self {
            model: model.try_into().map_err(|_| CorruptData::Invalid)?,
            history: History::default(),
        })
    }

    /// Forgets everything learnt.
    pub(crate) fn reset(&mut self) {
        self.model.fill(HALF);
        self.history.state = 0;
        self.history.distances = [0; 4];
    }

    /// Sets the properties from their byte: `(pb * 5 + lp) * 9 + lc`.
    pub(crate) fn set_properties(&mut self, byte: u8) -> Result<(), CorruptData> {
        let (rest, literal_context) = (byte / 9, byte % 9);
        let (position_bits, literal_position) = (rest / 5, rest % 5);
        if position_bits > 4 {
            return Err(CorruptData::Invalid);
        }
        if literal_context + literal_position > MOST_LITERAL_BITS {
            return Err(CorruptData::Unsupported);
        }
        self.history.literal_bits = u32::from(literal_context);
        self.history.literal_mask = (1 << literal_position) - 1;
        self.history.position_mask = (1 << position_bits) - 1;
        Ok(())
    }

    /// Decodes until the output is at `limit` (which is within it) or the data say that they end.
    pub(crate) fn run(
        &mut self,
        coder: &mut RangeCoder<'_>,
        output: &mut Output<'_>,
        limit: usize,
    ) -> Result<Ended, CorruptData> {
        // Copies that nothing else points to: the loop is a fifth faster for it.
        let mut local = *coder;
        let mut history = self.history;
        let mut place = Output {
            bytes: &mut *output.bytes,
            position: output.position,
            origin: output.origin,
        };
        let ended = history.run(&mut self.model, &mut local, &mut place, limit);
        output.position = place.position;
        *coder = local;
        self.history = history;
        ended
    }
}

impl History {
    #[inline(always)]
    fn run(
        &mut self,
        model: &mut Model,
        coder: &mut RangeCoder<'_>,
        output: &mut Output<'_>,
        limit: usize,
    ) -> Result<Ended, CorruptData> {
        use model::{IS_MATCH, POSITIONS};
        while output.position < limit {
            let place = (output.position - output.origin) & self.position_mask;
            if !coder.choice(model, IS_MATCH + self.state * POSITIONS + place) {
                self.literal(model, coder, output);
                continue;
            }
            let Some(length) = self.length_and_distance(model, coder, place) else {
                return Ok(Ended::Marker);
            };
            let [distance, ..] = self.distances;
            let distance = distance.wrapping_add(1);
            if distance > output.position - output.origin || length > limit - output.position {
                return Err(CorruptData::Invalid);
            }
            output.repeat(distance, length);
            // A damaged piece could go on reading zeros past its end for long: stop early.
            if coder.position > coder.input.len() {
                return Err(CorruptData::Truncated);
            }
        }
        Ok(Ended::Full)
    }

    /// A byte of its own. After a match its bits are coded by those of the byte that the match would have gone on with.
    #[inline(always)]
    fn literal(&mut self, model: &mut Model, coder: &mut RangeCoder<'_>, output: &mut Output<'_>) {
        let position = output.position - output.origin;
        let before = if position == 0 { 0 } else { output.before(1) };
        let high = usize::from(before) >> (8 - self.literal_bits);
        let set = ((position & self.literal_mask) << self.literal_bits) + high;
        let base = model::LITERAL + model::LITERAL_SET * set;
        let mut symbol = 1;
        if self.state < 7 {
            while symbol < 0x100 {
                symbol = symbol << 1 | coder.bit(model, base + symbol);
            }
        } else {
            let [distance, ..] = self.distances;
            let mut expected = usize::from(output.before(distance.wrapping_add(1)));
            // 0x100 as long as all bits were as expected.
            let mut agreed = 0x100;
            while symbol < 0x100 {
                expected <<= 1;
                let wanted = expected & agreed;
                let bit = coder.bit(model, base + agreed + wanted + symbol);
                symbol = symbol << 1 | bit;
                agreed = if bit == 0 { agreed & !wanted } else { wanted };
            }
        }
        self.state = match self.state {
            0..=3 => 0,
            state @ 4..=9 => state - 3,
            state => state - 6,
        };
        output.push(symbol as u8);
    }

    /// A match: its length, with its distance put first in the list. `None` is the end marker.
    #[inline(always)]
    fn length_and_distance(
        &mut self,
        model: &mut Model,
        coder: &mut RangeCoder<'_>,
        place: usize,
    ) -> Option<usize> {
        use model::{IS_LONG_REPEAT, IS_REPEAT, IS_REPEAT_0, IS_REPEAT_1, IS_REPEAT_2};
        let state = self.state;
        let [a, b, c, d] = self.distances;
        let after_match = |short, long| if state < 7 { short } else { long };
        if !coder.choice(model, IS_REPEAT + state) {
            self.state = after_match(7, 10);
            let length = length(coder, model, model::MATCH_LENGTH, place);
            let distance = distance(coder, model, length);
            self.distances = [distance, a, b, c];
            return (distance != u32::MAX as usize).then_some(length);
        }
        if !coder.choice(model, IS_REPEAT_0 + state) {
            let long = IS_LONG_REPEAT + state * model::POSITIONS + place;
            if !coder.choice(model, long) {
                self.state = after_match(9, 11);
                return Some(1);
            }
        } else if !coder.choice(model, IS_REPEAT_1 + state) {
            self.distances = [b, a, c, d];
        } else if !coder.choice(model, IS_REPEAT_2 + state) {
            self.distances = [c, a, b, d];
        } else {
            self.distances = [d, a, b, c];
        }
        self.state = after_match(8, 11);
        Some(length(coder, model, model::REPEAT_LENGTH, place))
    }
}

/// A match's length, from 2 to 273.
#[inline(always)]
fn length(coder: &mut RangeCoder<'_>, model: &mut Model, base: usize, place: usize) -> usize {
    const LOW: usize = 2;
    const MIDDLE: usize = LOW + model::POSITIONS * 8;
    const HIGH: usize = MIDDLE + model::POSITIONS * 8;
    if !coder.choice(model, base) {
        2 + coder.tree(model, base + LOW + place * 8, 3)
    } else if !coder.choice(model, base + 1) {
        2 + 8 + coder.tree(model, base + MIDDLE + place * 8, 3)
    } else {
        2 + 16 + coder.tree(model, base + HIGH, 8)
    }
}

/// A match's distance less one; all ones (of 32 bits) is the end marker.
#[inline(always)]
fn distance(coder: &mut RangeCoder<'_>, model: &mut Model, length: usize) -> usize {
    let set = (length - 2).min(3);
    let slot = coder.tree(model, model::DISTANCE_SLOT + set * 64, 6);
    if slot < 4 {
        return slot;
    }
    let bits = (slot as u32 >> 1) - 1;
    let high = (2 | slot & 1) << bits;
    if slot < 14 {
        // The tree's nodes start at 1; the sets of all slots lie one after the other.
        let base = model::DISTANCE_LOW + high - slot;
        high + coder.reverse_tree(model, base, bits)
    } else {
        let middle = coder.direct(bits - 4) << 4;
        high + middle + coder.reverse_tree(model, model::DISTANCE_ALIGN, 4)
    }
}

/// Decompresses the old lzma format: properties, window size, size (or all ones), then one stream.
pub(crate) fn unpack_alone(data: &[u8], output: &mut [u8]) -> Result<(), CorruptData> {
    const HEADER: usize = 13;
    let (header, stream) = data
        .split_at_checked(HEADER)
        .ok_or(CorruptData::Truncated)?;
    let size = header.last_chunk::<8>().copied().map(u64::from_le_bytes);
    let expected = output.len();
    if size.is_some_and(|size| size != u64::MAX && size != expected as u64) {
        return Err(CorruptData::Size);
    }
    let mut decoder = Decoder::new()?;
    decoder.set_properties(header.first().copied().unwrap_or(u8::MAX))?;
    let mut coder = RangeCoder::new(stream)?;
    let mut output = Output {
        bytes: output,
        position: 0,
        origin: 0,
    };
    let ended = decoder.run(&mut coder, &mut output, expected)?;
    if ended == Ended::Marker && output.position != expected {
        return Err(CorruptData::Size);
    }
    coder.finish()
}
