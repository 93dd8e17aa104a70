//! The one instruction that nearly all trapped page-table writes are: `xchg` of a 64-bit register with memory.
//!
//! The processor already told where it writes (the fault's address), so all that is left to find out is which
//! register, and how long the instruction is: no address is computed, and the answer fits a few instructions.

/// An `xchg` of a whole register with memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The register's number in instruction encodings.
    pub register: u8,
    /// The instruction's length in bytes.
    pub length: u8,
}

/// Recognises the instruction in its first eight bytes (little-endian, as they lie in memory): a REX prefix with
/// W and no other, opcode 0x87, a memory operand.
#[inline(always)]
pub const fn quadword_exchange(bytes: u64) -> Option<Exchange> {
    let [rex, opcode, modrm, sib, ..] = bytes.to_le_bytes();
    if rex & 0xf8 != 0x48 || opcode != 0x87 || modrm >> 6 == 3 {
        return None;
    }
    let register = (modrm >> 3 & 7) | (rex & 4) << 1;
    let (mode, base) = (modrm >> 6, modrm & 7);
    if mode == 0 && base != 4 && base != 5 {
        // As compilers write it: the address is in a register.
        return Some(Exchange {
            register,
            length: 3,
        });
    }
    let has_sib = base == 4;
    // Without displacement, base 5 stands for a 32-bit one: relative to `rip`, or with no base register at all.
    let no_base = if has_sib { sib & 7 == 5 } else { base == 5 };
    let displacement = match mode {
        0 => (no_base as u8) * 4,
        1 => 1,
        _ => 4,
    };
    Some(Exchange {
        register,
        length: 3 + has_sib as u8 + displacement,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Decoder, DecoderOptions, Mnemonic, OpKind, Register};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_the_general_decoder(rex in 0x40u8..0x50, modrm: u8, rest: [u8; 5]) {
            let [a, b, c, d, e] = rest;
            let bytes = [rex, 0x87, modrm, a, b, c, d, e, 0, 0, 0, 0, 0, 0, 0];
            let instruction = Decoder::new(64, &bytes, DecoderOptions::NONE).decode();
            let quick = quadword_exchange(u64::from_le_bytes([rex, 0x87, modrm, a, b, c, d, e]));
            let to_memory = instruction.op_kinds().any(|kind| kind == OpKind::Memory);
            let register = if instruction.op0_kind() == OpKind::Register { instruction.op0_register() } else { instruction.op1_register() };
            let is_wide = (Register::RAX as u32..=Register::R15 as u32).contains(&(register as u32));
            prop_assert_eq!(quick.is_some(), instruction.mnemonic() == Mnemonic::Xchg && to_memory && is_wide);
            if let Some(quick) = quick {
                prop_assert_eq!(usize::from(quick.length), instruction.len());
                prop_assert_eq!(u32::from(quick.register), register as u32 - Register::RAX as u32);
            }
        }

        #[test]
        fn takes_nothing_else(bytes: u64) {
            let [_, opcode, ..] = bytes.to_le_bytes();
            prop_assume!(opcode != 0x87);
            prop_assert_eq!(quadword_exchange(bytes), None);
        }
    }
}
