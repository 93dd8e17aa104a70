//! The three hot forms of a page-table write, decoded by hand: `xchg`, `and` with an immediate, and `mov`.
//!
//! These are nearly all of the trapped writes of a Linux guest. Anything unusual about an instruction (a prefix other than
//! LOCK and REX, a register operand, another opcode) is left to the general decoder.

use vocabulary::VirtAddr;

use crate::plan::{Operation, PageTableWrite};
use crate::registers::{RegisterPart, Registers, Width};

/// The bytes of an instruction, read from the front.
struct Bytes<'a> {
    all: &'a [u8],
    position: usize,
}

impl Bytes<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.all.get(self.position)?;
        self.position += 1;
        Some(byte)
    }

    /// The next byte, sign-extended.
    fn signed8(&mut self) -> Option<u64> {
        self.byte().map(|byte| byte as i8 as u64)
    }

    /// The next four bytes, sign-extended.
    fn signed32(&mut self) -> Option<u64> {
        let end = self.position.checked_add(4)?;
        let bytes = self.all.get(self.position..end)?;
        self.position = end;
        let bytes: [u8; 4] = bytes.try_into().ok()?;
        Some(i32::from_le_bytes(bytes) as u64)
    }
}

/// The bits of a REX prefix (0 where there is none), each as what it adds to a register's number.
#[derive(Clone, Copy)]
struct Rex {
    present: bool,
    wide: bool,
    register: u8,
    index: u8,
    base: u8,
}

impl Rex {
    const fn from_byte(byte: u8) -> Self {
        Self {
            present: byte != 0,
            wide: byte & 8 != 0,
            register: (byte & 4) << 1,
            index: (byte & 2) << 2,
            base: (byte & 1) << 3,
        }
    }
}

/// A memory operand, but for what a displacement from the instruction's end needs.
enum Address {
    Absolute(u64),
    FromEnd(u64),
}

/// What an opcode does, before its extension is looked at.
enum Form {
    Exchange,
    And,
    Store,
    StoreImmediate,
}

impl Form {
    /// The form of an opcode. Stores cannot be locked.
    const fn of(opcode: u8, locked: bool) -> Option<Self> {
        match opcode {
            0x86 | 0x87 => Some(Self::Exchange),
            0x80 | 0x81 | 0x83 => Some(Self::And),
            0x88 | 0x89 if !locked => Some(Self::Store),
            0xc6 | 0xc7 if !locked => Some(Self::StoreImmediate),
            _ => None,
        }
    }
}

/// Decodes `bytes` if it is one of the hot forms. The result's address is where it would write, not checked yet.
pub(crate) fn decode(bytes: &[u8], registers: &impl Registers) -> Option<PageTableWrite> {
    let mut bytes = Bytes {
        all: bytes,
        position: 0,
    };
    let mut opcode = bytes.byte()?;
    let locked = opcode == 0xf0;
    if locked {
        opcode = bytes.byte()?;
    }
    let mut rex = Rex::from_byte(0);
    if opcode & 0xf0 == 0x40 {
        rex = Rex::from_byte(opcode);
        opcode = bytes.byte()?;
    }
    let form = Form::of(opcode, locked)?;
    let width = match (opcode & 1 != 0, rex.wide) {
        (false, _) => Width::Byte,
        (true, false) => Width::Double,
        (true, true) => Width::Quad,
    };
    let modrm = bytes.byte()?;
    let address = memory_operand(&mut bytes, modrm, rex, registers)?;
    let extension = (modrm >> 3) & 7;
    let register = register_operand(extension, rex, width);
    let operation = match form {
        Form::Exchange => Operation::Exchange {
            value: register.read(registers),
            register,
        },
        Form::Store => Operation::Store(register.read(registers)),
        // Extension 4 of the arithmetic group is AND; extension 0 is the one MOV of its opcodes.
        Form::And if extension == 4 => {
            Operation::And(immediate(&mut bytes, opcode)? & width.mask())
        }
        Form::StoreImmediate if extension == 0 => {
            Operation::Store(immediate(&mut bytes, opcode)? & width.mask())
        }
        _ => return None,
    };
    let length = u8::try_from(bytes.position).ok()?;
    let address = match address {
        Address::Absolute(address) => address,
        Address::FromEnd(distance) => registers
            .instruction_pointer()
            .wrapping_add(u64::from(length))
            .wrapping_add(distance),
    };
    Some(PageTableWrite {
        address: VirtAddr(address),
        width,
        operation,
        length,
    })
}

/// The immediate operand: one byte for even opcodes and 0x83, else four.
fn immediate(bytes: &mut Bytes<'_>, opcode: u8) -> Option<u64> {
    if opcode & 1 == 0 || opcode == 0x83 {
        bytes.signed8()
    } else {
        bytes.signed32()
    }
}

/// The register of a ModRM byte. Without a REX prefix byte registers 4 to 7 are ah, ch, dh and bh.
const fn register_operand(field: u8, rex: Rex, width: Width) -> RegisterPart {
    let high = matches!(width, Width::Byte) && !rex.present && field >= 4;
    RegisterPart {
        number: if high {
            field - 4
        } else {
            field | rex.register
        },
        width,
        high,
    }
}

/// The memory operand of a ModRM byte (Intel SDM volume 2, tables 2-2 and 2-3); `None` for a register operand.
fn memory_operand(
    bytes: &mut Bytes<'_>,
    modrm: u8,
    rex: Rex,
    registers: &impl Registers,
) -> Option<Address> {
    let mode = modrm >> 6;
    let field = modrm & 7;
    if mode == 3 {
        return None;
    }
    if mode == 0 && field == 5 {
        return Some(Address::FromEnd(bytes.signed32()?));
    }
    let mut address = 0_u64;
    let mut displacement_only = false;
    if field == 4 {
        let sib = bytes.byte()?;
        let index = ((sib >> 3) & 7) | rex.index;
        if index != 4 {
            address = registers.general(index) << (sib >> 6);
        }
        displacement_only = mode == 0 && sib & 7 == 5;
        if !displacement_only {
            address = address.wrapping_add(registers.general((sib & 7) | rex.base));
        }
    } else {
        address = registers.general(field | rex.base);
    }
    let displacement = match mode {
        1 => bytes.signed8()?,
        2 => bytes.signed32()?,
        _ if displacement_only => bytes.signed32()?,
        _ => 0,
    };
    Some(Address::Absolute(address.wrapping_add(displacement)))
}
