//! A guest's registers as the instruction decoder wants them.

use emulate::Segment;
use hw::registers::Registers;

/// A view of the registers of the vCPU that runs here.
pub struct View<'a> {
    /// The registers.
    pub registers: &'a Registers,
}

impl emulate::Registers for View<'_> {
    #[inline]
    fn general(&self, number: u8) -> u64 {
        let registers = self.registers;
        match number {
            0 => registers.rax,
            1 => registers.rcx,
            2 => registers.rdx,
            3 => registers.rbx,
            4 => registers.rsp,
            5 => registers.rbp,
            6 => registers.rsi,
            7 => registers.rdi,
            8 => registers.r8,
            9 => registers.r9,
            10 => registers.r10,
            11 => registers.r11,
            12 => registers.r12,
            13 => registers.r13,
            14 => registers.r14,
            15 => registers.r15,
            _ => 0,
        }
    }

    fn instruction_pointer(&self) -> u64 {
        self.registers.rip
    }

    fn flags(&self) -> u64 {
        self.registers.rflags
    }

    fn segment_base(&self, segment: Segment) -> u64 {
        crate::table_writes::segment_base(segment)
    }
}

/// Sets a general register by its number in instruction encodings.
#[inline]
pub fn set_general(registers: &mut Registers, number: u8, value: u64) {
    let place = match number {
        0 => &mut registers.rax,
        1 => &mut registers.rcx,
        2 => &mut registers.rdx,
        3 => &mut registers.rbx,
        4 => &mut registers.rsp,
        5 => &mut registers.rbp,
        6 => &mut registers.rsi,
        7 => &mut registers.rdi,
        8 => &mut registers.r8,
        9 => &mut registers.r9,
        10 => &mut registers.r10,
        11 => &mut registers.r11,
        12 => &mut registers.r12,
        13 => &mut registers.r13,
        14 => &mut registers.r14,
        _ => &mut registers.r15,
    };
    *place = value;
}
