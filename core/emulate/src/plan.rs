//! A write to a page table, decoded: what becomes of the entry, of a register and of the flags.

use vocabulary::VirtAddr;

use crate::registers::{RegisterPart, RegisterWrite, Registers, Width};
use crate::Undecodable;

/// Bytes in a page-table entry.
const ENTRY: u64 = 8;

/// The flags an arithmetic instruction sets: CF, PF, AF, ZF, SF, OF (Intel SDM volume 1, section 3.4.3.1).
const CARRY: u64 = 1;
const PARITY: u64 = 1 << 2;
const ADJUST: u64 = 1 << 4;
const ZERO: u64 = 1 << 6;
const SIGN: u64 = 1 << 7;
const OVERFLOW: u64 = 1 << 11;
const ARITHMETIC: u64 = CARRY | PARITY | ADJUST | ZERO | SIGN | OVERFLOW;

/// What an instruction does to the memory operand. Values are zero-extended from the operand's width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The value replaces it.
    Store(u64),
    /// The value replaces it and the register gets what was there.
    Exchange {
        /// What is stored.
        value: u64,
        /// Where the old value goes.
        register: RegisterPart,
    },
    /// Bitwise and.
    And(u64),
    /// Bitwise or.
    Or(u64),
    /// Bitwise exclusive or.
    ExclusiveOr(u64),
    /// Addition.
    Add(u64),
    /// Subtraction of the value.
    Subtract(u64),
    /// Addition; the register gets what was there.
    ExchangeAdd {
        /// What is added.
        value: u64,
        /// Where the old value goes.
        register: RegisterPart,
    },
    /// The new value replaces the expected one; where another is found, it goes to the accumulator.
    CompareExchange {
        /// What the accumulator holds.
        expected: u64,
        /// What is stored if that is found.
        new: u64,
    },
    /// One is added, leaving the carry flag.
    Increment,
    /// One is subtracted, leaving the carry flag.
    Decrement,
    /// Every bit is inverted, leaving the flags.
    Not,
    /// A bit is set.
    BitSet(u32),
    /// A bit is cleared.
    BitReset(u32),
    /// A bit is inverted.
    BitComplement(u32),
}

/// A write to one page-table entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageTableWrite {
    /// Where it writes: the first byte of the operand.
    pub address: VirtAddr,
    /// How wide the operand is. It lies within one aligned entry of eight bytes.
    pub width: Width,
    /// What it does.
    pub operation: Operation,
    /// The length of the instruction in bytes.
    pub length: u8,
}

/// What a write makes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The whole new entry. Equal to the old one where nothing changes, as when a comparison fails.
    pub entry: u64,
    /// The register that changes, if one does.
    pub register: Option<RegisterWrite>,
    /// The flags that change, if any do.
    pub flags: Option<FlagChange>,
}

/// A change of some flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlagChange {
    /// Which flags change.
    pub mask: u64,
    /// What they become; zero outside the mask.
    pub value: u64,
}

impl FlagChange {
    /// The flags after the change.
    pub const fn on(self, flags: u64) -> u64 {
        (flags & !self.mask) | self.value
    }
}

impl PageTableWrite {
    /// The address of the entry: [`Self::address`] rounded down to eight bytes.
    pub const fn entry_address(&self) -> VirtAddr {
        VirtAddr(self.address.0 & !(ENTRY - 1))
    }

    /// A decoded write, once its place is the one that faulted and lies within an entry.
    pub(crate) const fn checked(self, fault: VirtAddr) -> Result<Self, Undecodable> {
        if self.address.0 != fault.0 {
            return Err(Undecodable::AnotherAddress);
        }
        if (self.address.0 & (ENTRY - 1)) + self.width.bytes() as u64 > ENTRY {
            return Err(Undecodable::CrossesEntry);
        }
        Ok(self)
    }

    /// What the write makes of `entry`, the whole entry as it is now. The caller validates the new entry, stores it if the
    /// old one is still there (else it asks again), and then sets the register, the flags and the instruction pointer.
    pub fn apply(&self, entry: u64, registers: &impl Registers) -> Outcome {
        let shift = ((self.address.0 & (ENTRY - 1)) * 8) as u32;
        let mask = self.width.mask();
        let old = (entry >> shift) & mask;
        let (new, register, flags) = self.evaluate(old);
        Outcome {
            entry: (entry & !(mask << shift)) | ((new & mask) << shift),
            register: register
                .map(|(part, value)| part.merge(registers.general(part.number), value)),
            flags,
        }
    }

    /// The new operand, a part of a register and its value, and the flags.
    fn evaluate(&self, old: u64) -> (u64, Option<(RegisterPart, u64)>, Option<FlagChange>) {
        let width = self.width;
        let logical = |new: u64| (new, None, Some(result_flags(width, new, 0, 0)));
        match self.operation {
            Operation::Store(value) => (value, None, None),
            Operation::Exchange { value, register } => (value, Some((register, old)), None),
            Operation::And(value) => logical(old & value),
            Operation::Or(value) => logical(old | value),
            Operation::ExclusiveOr(value) => logical(old ^ value),
            Operation::Not => (!old & width.mask(), None, None),
            Operation::Add(value) => {
                let (new, flags) = add(width, old, value);
                (new, None, Some(flags))
            }
            Operation::ExchangeAdd { value, register } => {
                let (new, flags) = add(width, old, value);
                (new, Some((register, old)), Some(flags))
            }
            Operation::Subtract(value) => {
                let (new, flags) = subtract(width, old, value);
                (new, None, Some(flags))
            }
            Operation::Increment => {
                let (new, flags) = add(width, old, 1);
                (new, None, Some(flags.without(CARRY)))
            }
            Operation::Decrement => {
                let (new, flags) = subtract(width, old, 1);
                (new, None, Some(flags.without(CARRY)))
            }
            Operation::CompareExchange { expected, new } => {
                let flags = subtract(width, expected, old).1;
                if old == expected {
                    return (new, None, Some(flags));
                }
                let accumulator = RegisterPart {
                    number: 0,
                    width,
                    high: false,
                };
                (old, Some((accumulator, old)), Some(flags))
            }
            Operation::BitSet(bit) => (old | 1 << (bit & 63), None, Some(bit_flag(old, bit))),
            Operation::BitReset(bit) => (old & !(1 << (bit & 63)), None, Some(bit_flag(old, bit))),
            Operation::BitComplement(bit) => {
                (old ^ (1 << (bit & 63)), None, Some(bit_flag(old, bit)))
            }
        }
    }
}

impl FlagChange {
    const fn without(self, flags: u64) -> Self {
        Self {
            mask: self.mask & !flags,
            value: self.value & !flags,
        }
    }
}

/// The carry flag a bit instruction leaves: the bit as it was.
const fn bit_flag(old: u64, bit: u32) -> FlagChange {
    FlagChange {
        mask: CARRY,
        value: (old >> (bit & 63)) & 1,
    }
}

/// The flags that follow from a result, with the carry and overflow of each bit position given: bit 3's carry is AF, the top
/// bit's are CF and OF.
const fn result_flags(width: Width, result: u64, carries: u64, overflows: u64) -> FlagChange {
    let top = width.bits() - 1;
    let mut value = 0;
    if (carries >> top) & 1 != 0 {
        value |= CARRY;
    }
    if (overflows >> top) & 1 != 0 {
        value |= OVERFLOW;
    }
    if (carries >> 3) & 1 != 0 {
        value |= ADJUST;
    }
    if (result as u8).count_ones() % 2 == 0 {
        value |= PARITY;
    }
    if result & width.mask() == 0 {
        value |= ZERO;
    }
    if (result >> top) & 1 != 0 {
        value |= SIGN;
    }
    FlagChange {
        mask: ARITHMETIC,
        value,
    }
}

/// A sum and its flags.
const fn add(width: Width, left: u64, right: u64) -> (u64, FlagChange) {
    let sum = left.wrapping_add(right) & width.mask();
    // A position carries out where both bits are set, or one is and the sum's is not.
    let carries = (left & right) | ((left | right) & !sum);
    let overflows = (left ^ sum) & (right ^ sum);
    (sum, result_flags(width, sum, carries, overflows))
}

/// A difference and its flags.
const fn subtract(width: Width, left: u64, right: u64) -> (u64, FlagChange) {
    let difference = left.wrapping_sub(right) & width.mask();
    // A position borrows where only the right bit is set, or the bits are equal and the difference's is set.
    let borrows = (!left & right) | (!(left ^ right) & difference);
    let overflows = (left ^ right) & (left ^ difference);
    (
        difference,
        result_flags(width, difference, borrows, overflows),
    )
}
