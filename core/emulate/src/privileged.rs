//! The privileged instructions of a guest kernel, as they trap with a general-protection or invalid-opcode fault.

use iced_x86::{Code, Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};

use crate::operand::{address, base, distance, register_part, value};
use crate::registers::{CodeSize, RegisterPart, RegisterWrite, Registers, Width};
use crate::{Undecodable, LONGEST_INSTRUCTION};

/// The usual bytes of RDTSC and RDTSCP, which programs issue all the time (Intel SDM volume 2B).
const RDTSC: [u8; 2] = [0x0f, 0x31];
const RDTSCP: [u8; 3] = [0x0f, 0x01, 0xf9];

/// What a guest puts before CPUID to have the hypervisor answer it: `ud2` and the letters `xen`
/// (`XEN_EMULATE_PREFIX` in the public header `arch-x86/xen.h`).
const FORCED_EMULATION: [u8; 5] = [0x0f, 0x0b, b'x', b'e', b'n'];

/// Where an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A general register or a part of one.
    Register(RegisterPart),
    /// Memory, at a linear address.
    Memory(u64),
}

/// A register of the descriptor tables, as UMIP guards its reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DescriptorRegister {
    /// SGDT: a limit of two bytes and a base of four or eight, to memory.
    GlobalTable,
    /// SIDT: the same for the interrupt table.
    InterruptTable,
    /// SLDT: a selector.
    LocalTable,
    /// STR: a selector.
    Task,
}

/// A string of port reads or writes. One without a repeat prefix has the count 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StringPort {
    /// The port.
    pub port: u16,
    /// The width of each item.
    pub width: Width,
    /// The linear address of the first item.
    pub address: u64,
    /// Bytes from one item to the next: negative where the direction flag is set.
    pub step: i64,
    /// How many items; 0 does nothing.
    pub count: u64,
    /// Whether a count register is used up (a repeat prefix).
    pub repeated: bool,
    /// How wide the address and count registers are.
    pub address_width: Width,
    /// The number of the address register: rsi (6) for writes to the port, rdi (7) for reads.
    pub address_register: u8,
}

impl StringPort {
    /// The register writes that stand for `done` items having been moved: the address register and, where there is one, the
    /// count register. The instruction is over when `done` is [`Self::count`]; else it is to be run again.
    pub fn progress(
        &self,
        done: u64,
        registers: &impl Registers,
    ) -> (RegisterWrite, Option<RegisterWrite>) {
        let part = |number| RegisterPart {
            number,
            width: self.address_width,
            high: false,
        };
        let index = registers.general(self.address_register);
        let moved = (self.step as u64).wrapping_mul(done);
        let index = part(self.address_register).merge(index, index.wrapping_add(moved));
        let counter = registers.general(RCX);
        let count = part(RCX).merge(counter, counter.wrapping_sub(done));
        (index, self.repeated.then_some(count))
    }
}

/// Numbers of the general registers with a fixed use.
const RAX: u8 = 0;
const RCX: u8 = 1;
const RDX: u8 = 2;
const RSI: u8 = 6;
const RDI: u8 = 7;

/// The direction flag.
const DIRECTION: u64 = 1 << 10;

/// A privileged instruction and its operands. Results go to the registers that the instruction is defined to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privileged {
    /// CLI.
    ClearInterrupts,
    /// STI.
    SetInterrupts,
    /// IN: the value goes to al, ax or eax.
    PortRead {
        /// The port.
        port: u16,
        /// The width of the access.
        width: Width,
    },
    /// OUT.
    PortWrite {
        /// The port.
        port: u16,
        /// The width of the access.
        width: Width,
        /// What is written.
        value: u32,
    },
    /// INS: from the port to memory.
    StringPortRead(StringPort),
    /// OUTS: from memory to the port.
    StringPortWrite(StringPort),
    /// RDMSR: the value goes to edx:eax.
    ReadMsr {
        /// The register's index.
        index: u32,
    },
    /// WRMSR.
    WriteMsr {
        /// The register's index.
        index: u32,
        /// What is written.
        value: u64,
    },
    /// MOV from a control register.
    ReadControl {
        /// Which one (0, 2, 3, 4, 8).
        control: u8,
        /// The general register that gets it.
        destination: RegisterPart,
    },
    /// MOV to a control register.
    WriteControl {
        /// Which one (0, 2, 3, 4, 8).
        control: u8,
        /// What is written.
        value: u64,
    },
    /// MOV from a debug register.
    ReadDebug {
        /// Which one (0 to 7).
        debug: u8,
        /// The general register that gets it.
        destination: RegisterPart,
    },
    /// MOV to a debug register.
    WriteDebug {
        /// Which one (0 to 7).
        debug: u8,
        /// What is written.
        value: u64,
    },
    /// XSETBV.
    WriteExtendedControl {
        /// The register's index; 0 is XCR0.
        index: u32,
        /// What is written.
        value: u64,
    },
    /// INVLPG.
    InvalidatePage {
        /// The linear address whose translation is dropped.
        address: u64,
    },
    /// WBINVD and WBNOINVD.
    WriteBackCaches,
    /// INVD.
    InvalidateCaches,
    /// CLTS.
    ClearTaskSwitched,
    /// LMSW.
    LoadMachineStatus {
        /// Where the 16-bit word comes from.
        source: Place,
    },
    /// SMSW, where UMIP traps it: the low half of CR0, 16 bits to memory.
    StoreMachineStatus {
        /// Where it goes.
        destination: Place,
    },
    /// SGDT, SIDT, SLDT or STR, where UMIP traps it.
    StoreDescriptor {
        /// Which register.
        register: DescriptorRegister,
        /// Where it goes.
        destination: Place,
    },
    /// HLT.
    Halt,
    /// CPUID: the result goes to eax, ebx, ecx and edx.
    CpuId {
        /// The leaf, from eax.
        leaf: u32,
        /// The subleaf, from ecx.
        subleaf: u32,
        /// Whether it came with the forced-emulation prefix (with an invalid-opcode fault).
        forced: bool,
    },
    /// RDTSC: the counter goes to edx:eax.
    ReadTimestamp,
    /// RDTSCP: the counter goes to edx:eax and TSC_AUX to ecx.
    ReadTimestampAndProcessor,
    /// RDPMC: the counter goes to edx:eax.
    ReadPerformanceCounter {
        /// The counter, from ecx.
        index: u32,
    },
    /// SWAPGS.
    SwapGs,
    /// INT n.
    SoftwareInterrupt {
        /// The vector.
        vector: u8,
    },
}

/// A privileged instruction and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrivilegedInstruction {
    /// What it does.
    pub operation: Privileged,
    /// Its length in bytes, with all its prefixes.
    pub length: u8,
}

/// RDTSC and RDTSCP without any prefix, in the same bytes in every mode.
fn time_stamp(bytes: &[u8]) -> Option<PrivilegedInstruction> {
    let (operation, length) = if bytes.starts_with(&RDTSC) {
        (Privileged::ReadTimestamp, RDTSC.len())
    } else if bytes.starts_with(&RDTSCP) {
        (Privileged::ReadTimestampAndProcessor, RDTSCP.len())
    } else {
        return None;
    };
    Some(PrivilegedInstruction {
        operation,
        length: length as u8,
    })
}

/// Decodes the privileged instruction at the front of `bytes` (15 of them, or as many as could be read).
///
/// # Errors
///
/// Where it is none that is emulated; see [`Undecodable`]. The guest gets the fault that trapped.
pub fn privileged(
    bytes: &[u8],
    size: CodeSize,
    registers: &impl Registers,
) -> Result<PrivilegedInstruction, Undecodable> {
    if let Some(rest) = bytes.strip_prefix(&FORCED_EMULATION) {
        return forced(rest, registers);
    }
    if let Some(instruction) = time_stamp(bytes) {
        return Ok(instruction);
    }
    let bytes = bytes.get(..LONGEST_INSTRUCTION).unwrap_or(bytes);
    let bits = match size {
        CodeSize::Bits16 => 16,
        CodeSize::Bits32 => 32,
        CodeSize::Bits64 => 64,
    };
    let pointer = registers.instruction_pointer();
    let mut decoder = Decoder::with_ip(bits, bytes, pointer, DecoderOptions::NONE);
    let instruction = decoder.decode();
    if instruction.is_invalid() {
        return Err(Undecodable::Invalid);
    }
    let operation = Context {
        instruction,
        size,
        registers,
    }
    .operation()
    .ok_or(Undecodable::NotEmulated)?;
    let length = u8::try_from(instruction.len()).map_err(|_| Undecodable::Invalid)?;
    Ok(PrivilegedInstruction { operation, length })
}

/// What follows the forced-emulation prefix: CPUID, nothing else.
fn forced(rest: &[u8], registers: &impl Registers) -> Result<PrivilegedInstruction, Undecodable> {
    const CPUID: [u8; 2] = [0x0f, 0xa2];
    if !rest.starts_with(&CPUID) {
        return Err(Undecodable::NotEmulated);
    }
    let operation = Privileged::CpuId {
        leaf: registers.general(RAX) as u32,
        subleaf: registers.general(RCX) as u32,
        forced: true,
    };
    let length = (FORCED_EMULATION.len() + CPUID.len()) as u8;
    Ok(PrivilegedInstruction { operation, length })
}

/// An instruction in its surroundings.
struct Context<'a, R> {
    instruction: Instruction,
    size: CodeSize,
    registers: &'a R,
}

impl<R: Registers> Context<'_, R> {
    fn operation(&self) -> Option<Privileged> {
        self.without_operands()
            .or_else(|| self.port())
            .or_else(|| self.string_port())
            .or_else(|| self.special_move())
            .or_else(|| self.machine_status())
    }

    fn low(&self, number: u8) -> u32 {
        self.registers.general(number) as u32
    }

    /// The value in edx:eax.
    fn pair(&self) -> u64 {
        u64::from(self.low(RDX)) << 32 | u64::from(self.low(RAX))
    }

    /// Those whose operands, if any, are fixed registers or an immediate.
    fn without_operands(&self) -> Option<Privileged> {
        Some(match self.instruction.mnemonic() {
            Mnemonic::Cli => Privileged::ClearInterrupts,
            Mnemonic::Sti => Privileged::SetInterrupts,
            Mnemonic::Rdmsr => Privileged::ReadMsr {
                index: self.low(RCX),
            },
            Mnemonic::Wrmsr => Privileged::WriteMsr {
                index: self.low(RCX),
                value: self.pair(),
            },
            Mnemonic::Xsetbv => Privileged::WriteExtendedControl {
                index: self.low(RCX),
                value: self.pair(),
            },
            Mnemonic::Wbinvd | Mnemonic::Wbnoinvd => Privileged::WriteBackCaches,
            Mnemonic::Invd => Privileged::InvalidateCaches,
            Mnemonic::Clts => Privileged::ClearTaskSwitched,
            Mnemonic::Hlt => Privileged::Halt,
            Mnemonic::Cpuid => Privileged::CpuId {
                leaf: self.low(RAX),
                subleaf: self.low(RCX),
                forced: false,
            },
            Mnemonic::Rdtsc => Privileged::ReadTimestamp,
            Mnemonic::Rdtscp => Privileged::ReadTimestampAndProcessor,
            Mnemonic::Rdpmc => Privileged::ReadPerformanceCounter {
                index: self.low(RCX),
            },
            Mnemonic::Swapgs => Privileged::SwapGs,
            Mnemonic::Int => Privileged::SoftwareInterrupt {
                vector: self.instruction.immediate8(),
            },
            Mnemonic::Invlpg => Privileged::InvalidatePage {
                address: address(&self.instruction, 0, self.size, self.registers)?,
            },
            _ => return None,
        })
    }

    /// IN and OUT.
    fn port(&self) -> Option<Privileged> {
        let (data, port) = match self.instruction.mnemonic() {
            Mnemonic::In => (0, 1),
            Mnemonic::Out => (1, 0),
            _ => return None,
        };
        let accumulator = register_part(self.instruction.op_register(data))?;
        let port = value(&self.instruction, port, Width::Word, self.registers)? as u16;
        let width = accumulator.width;
        Some(if data == 0 {
            Privileged::PortRead { port, width }
        } else {
            let value = accumulator.read(self.registers) as u32;
            Privileged::PortWrite { port, width, value }
        })
    }

    /// INS and OUTS.
    fn string_port(&self) -> Option<Privileged> {
        let (memory, address_register, width) = match self.instruction.code() {
            Code::Insb_m8_DX => (0, RDI, Width::Byte),
            Code::Insw_m16_DX => (0, RDI, Width::Word),
            Code::Insd_m32_DX => (0, RDI, Width::Double),
            Code::Outsb_DX_m8 => (1, RSI, Width::Byte),
            Code::Outsw_DX_m16 => (1, RSI, Width::Word),
            Code::Outsd_DX_m32 => (1, RSI, Width::Double),
            _ => return None,
        };
        let (segment, address_width) = match self.instruction.op_kind(memory) {
            OpKind::MemoryESDI => (Register::ES, Width::Word),
            OpKind::MemoryESEDI => (Register::ES, Width::Double),
            OpKind::MemoryESRDI => (Register::ES, Width::Quad),
            OpKind::MemorySegSI => (self.instruction.memory_segment(), Width::Word),
            OpKind::MemorySegESI => (self.instruction.memory_segment(), Width::Double),
            OpKind::MemorySegRSI => (self.instruction.memory_segment(), Width::Quad),
            _ => return None,
        };
        let offset = self.registers.general(address_register) & address_width.mask();
        let linear = base(segment, self.size, self.registers)?.wrapping_add(offset);
        let linear = match self.size {
            CodeSize::Bits64 => linear,
            CodeSize::Bits16 | CodeSize::Bits32 => linear & u64::from(u32::MAX),
        };
        let bytes = i64::from(width.bytes());
        let backwards = self.registers.flags() & DIRECTION != 0;
        let repeated = self.instruction.has_rep_prefix() || self.instruction.has_repne_prefix();
        let counter = self.registers.general(RCX) & address_width.mask();
        let string = StringPort {
            port: self.registers.general(RDX) as u16,
            width,
            address: linear,
            step: if backwards { -bytes } else { bytes },
            count: if repeated { counter } else { 1 },
            repeated,
            address_width,
            address_register,
        };
        Some(if memory == 0 {
            Privileged::StringPortRead(string)
        } else {
            Privileged::StringPortWrite(string)
        })
    }

    /// MOV to and from control and debug registers.
    fn special_move(&self) -> Option<Privileged> {
        let destination = self.instruction.op0_register();
        let source = self.instruction.op1_register();
        let general = |register| register_part(register);
        let read = |register| Some(general(register)?.read(self.registers));
        Some(match self.instruction.code() {
            Code::Mov_r32_cr | Code::Mov_r64_cr => Privileged::ReadControl {
                control: distance(Register::CR0, source)?,
                destination: general(destination)?,
            },
            Code::Mov_cr_r32 | Code::Mov_cr_r64 => Privileged::WriteControl {
                control: distance(Register::CR0, destination)?,
                value: read(source)?,
            },
            Code::Mov_r32_dr | Code::Mov_r64_dr => Privileged::ReadDebug {
                debug: distance(Register::DR0, source)?,
                destination: general(destination)?,
            },
            Code::Mov_dr_r32 | Code::Mov_dr_r64 => Privileged::WriteDebug {
                debug: distance(Register::DR0, destination)?,
                value: read(source)?,
            },
            _ => return None,
        })
    }

    /// LMSW, SMSW, and the stores of descriptor-table registers.
    fn machine_status(&self) -> Option<Privileged> {
        let place = || match self.instruction.op0_kind() {
            OpKind::Register => register_part(self.instruction.op0_register()).map(Place::Register),
            _ => address(&self.instruction, 0, self.size, self.registers).map(Place::Memory),
        };
        let register = match self.instruction.mnemonic() {
            Mnemonic::Lmsw => {
                // The register form names a whole register but reads 16 bits, as the memory form does.
                let source = match place()? {
                    Place::Register(register) => Place::Register(RegisterPart {
                        width: Width::Word,
                        ..register
                    }),
                    memory => memory,
                };
                return Some(Privileged::LoadMachineStatus { source });
            }
            Mnemonic::Smsw => {
                let destination = place()?;
                return Some(Privileged::StoreMachineStatus { destination });
            }
            Mnemonic::Sgdt => DescriptorRegister::GlobalTable,
            Mnemonic::Sidt => DescriptorRegister::InterruptTable,
            Mnemonic::Sldt => DescriptorRegister::LocalTable,
            Mnemonic::Str => DescriptorRegister::Task,
            _ => return None,
        };
        let destination = place()?;
        Some(Privileged::StoreDescriptor {
            register,
            destination,
        })
    }
}
