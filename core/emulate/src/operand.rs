//! Operands of a decoded instruction: registers, immediates, and where in memory.

use iced_x86::{Instruction, OpKind, Register};

use crate::registers::{CodeSize, RegisterPart, Registers, Segment, Width};

/// The part of a general register that `register` names.
pub(crate) fn register_part(register: Register) -> Option<RegisterPart> {
    const GROUPS: [(Register, Register, Width); 5] = [
        (Register::RAX, Register::R15, Width::Quad),
        (Register::EAX, Register::R15D, Width::Double),
        (Register::AX, Register::R15W, Width::Word),
        (Register::SPL, Register::R15L, Width::Byte),
        (Register::AL, Register::BL, Width::Byte),
    ];
    if (Register::AH..=Register::BH).contains(&register) {
        return Some(RegisterPart {
            number: distance(Register::AH, register)?,
            width: Width::Byte,
            high: true,
        });
    }
    let (first, _, width) = GROUPS
        .into_iter()
        .find(|(first, last, _)| (*first..=*last).contains(&register))?;
    // The byte registers from SPL on continue the numbers of the four before them.
    let start = if first == Register::SPL { 4 } else { 0 };
    Some(RegisterPart {
        number: distance(first, register)?.checked_add(start)?,
        width,
        high: false,
    })
}

/// How far after `first` a register comes in its group.
pub(crate) fn distance(first: Register, register: Register) -> Option<u8> {
    let distance = (register as usize).checked_sub(first as usize)?;
    u8::try_from(distance).ok()
}

/// The segment that `register` names.
fn segment(register: Register) -> Option<Segment> {
    match register {
        Register::ES => Some(Segment::Es),
        Register::CS => Some(Segment::Cs),
        Register::SS => Some(Segment::Ss),
        Register::DS => Some(Segment::Ds),
        Register::FS => Some(Segment::Fs),
        Register::GS => Some(Segment::Gs),
        _ => None,
    }
}

/// The base that a segment adds to an address: 64-bit code has one in fs and gs only.
pub(crate) fn base(register: Register, size: CodeSize, registers: &impl Registers) -> Option<u64> {
    let segment = segment(register)?;
    match (size, segment) {
        (CodeSize::Bits64, Segment::Es | Segment::Cs | Segment::Ss | Segment::Ds) => Some(0),
        _ => Some(registers.segment_base(segment)),
    }
}

/// The linear address of the memory operand at place `operand`.
pub(crate) fn address(
    instruction: &Instruction,
    operand: u32,
    size: CodeSize,
    registers: &impl Registers,
) -> Option<u64> {
    let address =
        instruction.virtual_address(operand, 0, |register, _, _| {
            match register_part(register) {
                Some(part) => Some(part.read(registers)),
                None => base(register, size, registers),
            }
        })?;
    match size {
        CodeSize::Bits64 => Some(address),
        CodeSize::Bits16 | CodeSize::Bits32 => Some(address & u64::from(u32::MAX)),
    }
}

/// The value of a register or immediate operand at place `operand`, cut to `width`.
pub(crate) fn value(
    instruction: &Instruction,
    operand: u32,
    width: Width,
    registers: &impl Registers,
) -> Option<u64> {
    let value = match instruction.op_kind(operand) {
        OpKind::Register => register_part(instruction.op_register(operand))?.read(registers),
        _ => instruction.try_immediate(operand).ok()?,
    };
    Some(value & width.mask())
}
