//! A trapped page-table write: the hot forms first, the general decoder for the rest.

use iced_x86::{Decoder, DecoderOptions, Instruction, MemorySize, Mnemonic, OpKind};
use vocabulary::VirtAddr;

use crate::operand::{address, register_part, value};
use crate::plan::{Operation, PageTableWrite};
use crate::registers::{CodeSize, RegisterPart, Registers, Width};
use crate::{fast, Undecodable, LONGEST_INSTRUCTION};

/// Decodes the instruction of 64-bit code whose write to `fault` was refused, from the `bytes` at the instruction pointer
/// (15 of them, or as many as could be read).
///
/// # Errors
///
/// Where it is not a write this crate knows, or not to that address; see [`Undecodable`].
pub fn page_table_write(
    bytes: &[u8],
    registers: &impl Registers,
    fault: VirtAddr,
) -> Result<PageTableWrite, Undecodable> {
    let bytes = bytes.get(..LONGEST_INSTRUCTION).unwrap_or(bytes);
    match fast::decode(bytes, registers) {
        Some(write) => write.checked(fault),
        None => general(bytes, registers)?.checked(fault),
    }
}

/// The same by the general decoder alone. The address is where the instruction would write, not checked yet.
pub(crate) fn general(
    bytes: &[u8],
    registers: &impl Registers,
) -> Result<PageTableWrite, Undecodable> {
    let mut decoder = Decoder::with_ip(
        64,
        bytes,
        registers.instruction_pointer(),
        DecoderOptions::NONE,
    );
    let instruction = decoder.decode();
    if instruction.is_invalid() {
        return Err(Undecodable::Invalid);
    }
    write_of(&instruction, registers).ok_or(Undecodable::NotEmulated)
}

fn write_of(instruction: &Instruction, registers: &impl Registers) -> Option<PageTableWrite> {
    // `xchg` and `xadd` may name the memory operand first or second; the encodings here put it first.
    let operand = (0..instruction.op_count())
        .find(|operand| instruction.op_kind(*operand) == OpKind::Memory)?;
    let width = operand_width(instruction)?;
    let mut place = address(instruction, operand, CodeSize::Bits64, registers)?;
    let operation = match bit_operation(instruction, operand, width, registers) {
        Some((operation, offset)) => {
            place = place.wrapping_add(offset);
            operation
        }
        None => operation_of(instruction, operand, width, registers)?,
    };
    Some(PageTableWrite {
        address: VirtAddr(place),
        width,
        operation,
        length: u8::try_from(instruction.len()).ok()?,
    })
}

/// The width of the memory operand, where it is a plain integer.
fn operand_width(instruction: &Instruction) -> Option<Width> {
    match instruction.memory_size() {
        MemorySize::UInt8 | MemorySize::Int8 => Some(Width::Byte),
        MemorySize::UInt16 | MemorySize::Int16 => Some(Width::Word),
        MemorySize::UInt32 | MemorySize::Int32 => Some(Width::Double),
        MemorySize::UInt64 | MemorySize::Int64 => Some(Width::Quad),
        _ => None,
    }
}

fn operation_of(
    instruction: &Instruction,
    memory: u32,
    width: Width,
    registers: &impl Registers,
) -> Option<Operation> {
    let mnemonic = instruction.mnemonic();
    let other = memory ^ 1;
    let register = || register_part(instruction.op_register(other));
    let exchanged = |register: RegisterPart| (register.read(registers), register);
    if mnemonic == Mnemonic::Xchg {
        let (value, register) = exchanged(register()?);
        return Some(Operation::Exchange { value, register });
    }
    // All others write their first operand only.
    if memory != 0 {
        return None;
    }
    let source = || value(instruction, 1, width, registers);
    match mnemonic {
        Mnemonic::Mov | Mnemonic::Movnti => source().map(Operation::Store),
        Mnemonic::And => source().map(Operation::And),
        Mnemonic::Or => source().map(Operation::Or),
        Mnemonic::Xor => source().map(Operation::ExclusiveOr),
        Mnemonic::Add => source().map(Operation::Add),
        Mnemonic::Sub => source().map(Operation::Subtract),
        Mnemonic::Inc => Some(Operation::Increment),
        Mnemonic::Dec => Some(Operation::Decrement),
        Mnemonic::Not => Some(Operation::Not),
        Mnemonic::Xadd => {
            let (value, register) = exchanged(register()?);
            Some(Operation::ExchangeAdd { value, register })
        }
        Mnemonic::Cmpxchg => Some(Operation::CompareExchange {
            expected: registers.general(0) & width.mask(),
            new: source()?,
        }),
        _ => None,
    }
}

/// A bit instruction, and how far from the memory operand's address it works: a register's bit number may lie outside the
/// operand (Intel SDM volume 2, BTS), an immediate's is cut to it.
fn bit_operation(
    instruction: &Instruction,
    memory: u32,
    width: Width,
    registers: &impl Registers,
) -> Option<(Operation, u64)> {
    let operation: fn(u32) -> Operation = match instruction.mnemonic() {
        Mnemonic::Bts => Operation::BitSet,
        Mnemonic::Btr => Operation::BitReset,
        Mnemonic::Btc => Operation::BitComplement,
        _ => return None,
    };
    if memory != 0 {
        return None;
    }
    let index = value(instruction, 1, width, registers)?;
    let bit = (index as u32) & (width.bits() - 1);
    if instruction.op_kind(1) != OpKind::Register {
        return Some((operation(bit), 0));
    }
    let unused = 64 - width.bits();
    let signed = ((index << unused) as i64) >> unused;
    let operands = signed >> width.bits().trailing_zeros();
    let offset = (operands as u64).wrapping_mul(u64::from(width.bytes()));
    Some((operation(bit), offset))
}
