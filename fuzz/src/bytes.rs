//! Taking an input apart into numbers, and making inputs that repeat for a seed.

/// The bytes of an input, taken from the front; past the end all are 0.
pub struct Bytes<'a>(pub &'a [u8]);

impl Bytes<'_> {
    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&first, rest)) => {
                self.0 = rest;
                first
            }
            None => 0,
        }
    }

    /// The next four bytes as a number, the lowest first.
    pub fn double(&mut self) -> u32 {
        u32::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// The next eight bytes as a number, the lowest first.
    pub fn quad(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// A byte as one of a list, which must not be empty.
    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[usize::from(self.byte()) % list.len()]
    }
}

/// A generator of inputs (xorshift64*).
pub struct Generator(u64);

impl Generator {
    /// A generator whose inputs depend on `seed` alone.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.number() % bound.max(1) as u64) as usize
    }

    /// Bytes of no shape, at most so many.
    pub fn input(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.number() as u8).collect()
    }

    /// A copy of `seed` with a few changes: bytes set, bits flipped, pieces cut out or doubled,
    /// numbers at an edge.
    pub fn mutated(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut copy = seed.to_vec();
        for _ in 0..=self.below(6) {
            if copy.is_empty() {
                copy.push(0);
            }
            let at = self.below(copy.len());
            match self.below(7) {
                0 => copy[at] = self.number() as u8,
                1 => copy[at] ^= 1 << self.below(8),
                2 => copy[at] = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
                3 => copy.truncate(at),
                4 => {
                    let end = at + self.below(32.min(copy.len() - at));
                    let piece = copy[at..end].to_vec();
                    copy.splice(at..at, piece);
                }
                5 => {
                    let edge = [0, 1, u64::MAX, 1 << 63, 1 << 31, 0xfff][self.below(6)];
                    for (byte, value) in copy[at..].iter_mut().zip(edge.to_le_bytes()) {
                        *byte = value;
                    }
                }
                _ => {
                    let end = at + self.below(16.min(copy.len() - at));
                    copy.drain(at..end);
                }
            }
        }
        copy
    }
}
