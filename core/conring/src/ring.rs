//! The ring of console output.

use alloc::vec::Vec;

/// Bytes that the ring has before [`ConsoleRing::grow`]: as many as Xen's at least.
pub const FIRST_BYTES: usize = 16 << 10;
/// The largest ring: positions in it are told apart by 32-bit counters.
const MOST_BYTES: u64 = 16 << 20;

/// The size of the ring that is asked for (`conring_size=`), or where nothing is, of a machine's size: 4 KiB a
/// processor. Always a power of two from [`FIRST_BYTES`] to 16 MiB.
pub fn bytes_for(asked: Option<u64>, processors: usize) -> usize {
    let wanted = asked.unwrap_or((processors as u64).saturating_mul(4096));
    let wanted = wanted.clamp(FIRST_BYTES as u64, MOST_BYTES);
    // A power of two that is not above: memory that was asked for is not doubled.
    1 << wanted.ilog2()
}

/// The last bytes printed. Positions are counters that run on and wrap at 2^32: byte `n` is at `n` modulo the size.
#[derive(Debug)]
pub struct ConsoleRing {
    first: [u8; FIRST_BYTES],
    /// Used instead of `first` where it has any bytes; then a power of two of them.
    grown: Vec<u8>,
    /// Position behind the last byte.
    produced: u32,
    /// Position of the first byte that is still shown: never more than the size before `produced`.
    consumed: u32,
}

impl Default for ConsoleRing {
    fn default() -> Self {
        Self::new()
    }
}

impl ConsoleRing {
    /// An empty ring of [`FIRST_BYTES`].
    pub const fn new() -> Self {
        Self {
            first: [0; FIRST_BYTES],
            grown: Vec::new(),
            produced: 0,
            consumed: 0,
        }
    }

    /// Bytes it holds at most.
    pub fn size(&self) -> usize {
        if self.grown.is_empty() {
            FIRST_BYTES
        } else {
            self.grown.len()
        }
    }

    /// Uses `bytes` from now on, keeping what is in the ring. Without effect unless they are a power of two and
    /// more than before.
    pub fn grow(&mut self, mut bytes: Vec<u8>) {
        if !bytes.len().is_power_of_two() || bytes.len() <= self.size() {
            return;
        }
        let mask = bytes.len() - 1;
        let kept = self.produced.wrapping_sub(self.consumed);
        for offset in 0..kept {
            let position = self.consumed.wrapping_add(offset);
            let byte = self.byte(position);
            if let Some(place) = bytes.get_mut(position as usize & mask) {
                *place = byte;
            }
        }
        self.grown = bytes;
    }

    /// Puts bytes in, pushing the oldest out.
    pub fn put(&mut self, bytes: &[u8]) {
        let mask = self.size() - 1;
        for &byte in bytes {
            let place = self.produced as usize & mask;
            let storage = if self.grown.is_empty() {
                self.first.as_mut_slice()
            } else {
                &mut self.grown
            };
            if let Some(slot) = storage.get_mut(place) {
                *slot = byte;
            }
            self.produced = self.produced.wrapping_add(1);
            if self.produced.wrapping_sub(self.consumed) as usize > mask + 1 {
                self.consumed = self.consumed.wrapping_add(1);
            }
        }
    }

    /// Where a reader begins: at the first byte shown, or at `index` where one reads on and it is still there.
    pub fn start(&self, reads_on: Option<u32>) -> u32 {
        let kept = self.produced.wrapping_sub(self.consumed);
        match reads_on {
            Some(index) if index.wrapping_sub(self.consumed) <= kept => index,
            _ => self.consumed,
        }
    }

    /// Copies bytes from position `from` on into `to`; answers how many. None where `from` is no longer there.
    pub fn read(&self, from: u32, to: &mut [u8]) -> usize {
        let kept = self.produced.wrapping_sub(self.consumed);
        let passed = from.wrapping_sub(self.consumed);
        if passed > kept {
            return 0;
        }
        let left = (kept - passed) as usize;
        let count = left.min(to.len());
        for (offset, slot) in (0u32..).zip(to.iter_mut().take(count)) {
            *slot = self.byte(from.wrapping_add(offset));
        }
        count
    }

    /// Shows nothing before position `until` any more, if that is still there.
    pub fn forget(&mut self, until: u32) {
        let kept = self.produced.wrapping_sub(self.consumed);
        if until.wrapping_sub(self.consumed) <= kept {
            self.consumed = until;
        }
    }

    fn byte(&self, position: u32) -> u8 {
        let place = position as usize & (self.size() - 1);
        let byte = if self.grown.is_empty() {
            self.first.get(place)
        } else {
            self.grown.get(place)
        };
        byte.copied().unwrap_or(0)
    }
}
