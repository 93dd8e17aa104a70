//! What the decoder needs to know of a virtual CPU, and what it says is to change.

/// The guest's registers, as the decoder reads them.
pub trait Registers {
    /// A general register by its number in instruction encodings: rax 0, rcx 1, rdx 2, rbx 3, rsp 4, rbp 5, rsi 6, rdi 7,
    /// r8 to r15. Numbers above 15 do not occur; answer 0.
    fn general(&self, number: u8) -> u64;
    /// The address of the instruction.
    fn instruction_pointer(&self) -> u64;
    /// The flags register.
    fn flags(&self) -> u64;
    /// The base of a segment. Asked for `Fs` and `Gs` in 64-bit code, for any in other code.
    fn segment_base(&self, segment: Segment) -> u64;
}

/// A segment register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Extra.
    Es,
    /// Code.
    Cs,
    /// Stack.
    Ss,
    /// Data.
    Ds,
    /// The first additional one.
    Fs,
    /// The second additional one.
    Gs,
}

/// The default operand size of a code segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeSize {
    /// A 16-bit segment.
    Bits16,
    /// A 32-bit segment.
    Bits32,
    /// A 64-bit segment.
    Bits64,
}

/// The width of an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// One byte.
    Byte,
    /// Two bytes.
    Word,
    /// Four bytes.
    Double,
    /// Eight bytes.
    Quad,
}

impl Width {
    /// The width in bytes.
    pub const fn bytes(self) -> u8 {
        match self {
            Self::Byte => 1,
            Self::Word => 2,
            Self::Double => 4,
            Self::Quad => 8,
        }
    }

    /// The width in bits.
    pub const fn bits(self) -> u32 {
        self.bytes() as u32 * 8
    }

    /// Ones in the bits of this width.
    pub const fn mask(self) -> u64 {
        u64::MAX >> (64 - self.bits())
    }
}

/// A whole new value for a general register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterWrite {
    /// The register's number, as in [`Registers::general`].
    pub number: u8,
    /// All 64 bits of its new value.
    pub value: u64,
}

/// A general register or a part of it, as an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterPart {
    /// The whole register's number.
    pub number: u8,
    /// How much of it.
    pub width: Width,
    /// Whether it is the second byte (ah, ch, dh, bh).
    pub high: bool,
}

impl RegisterPart {
    const fn shift(self) -> u32 {
        if self.high {
            8
        } else {
            0
        }
    }

    /// The operand's value, zero-extended.
    pub(crate) fn read(self, registers: &impl Registers) -> u64 {
        (registers.general(self.number) >> self.shift()) & self.width.mask()
    }

    /// The whole register's value once `value` is written to the part of what was `old`: a double word clears the upper
    /// half, narrower parts leave the rest as it was.
    pub const fn merge(self, old: u64, value: u64) -> RegisterWrite {
        let value = match self.width {
            Width::Quad | Width::Double => value & self.width.mask(),
            Width::Byte | Width::Word => {
                let mask = self.width.mask() << self.shift();
                (old & !mask) | ((value << self.shift()) & mask)
            }
        };
        RegisterWrite {
            number: self.number,
            value,
        }
    }
}
