//! Instructions that a guest kernel meant for ring 0 and that trap: decoded, and done as far as a guest may.

use core::sync::atomic::Ordering::{AcqRel, Relaxed};

use emulate::{
    privileged, CodeSize, Place, Privileged, RegisterPart, Registers as _, StringPort, Width,
};
use hw::registers::{selector, Registers};
use hw::{copy, cpu, fpu, switch};
use memory::{Budget, Stop};
use vocabulary::{MachineAddr, Mfn, VirtAddr};

use crate::calls::set_debugreg;
use crate::counters::count;
use crate::registers::{set_general, View};
use crate::table_writes::read_code;
use crate::vcpu::Vcpu;
use crate::{bases, cpuid, devices, machine, msrs, time_stamps, trace};

/// CR0.TS, and the bits a guest sees set in CR0: protection, paging, write protection, extension type, NE, MP.
const CR0_TS: u64 = 1 << 3;
const CR0_SHOWN: u64 = 0x8005_0033;
/// CR4 bits that a guest may change as it likes (they have no effect), and OSXSAVE and TSD, which have.
const CR4_SHOWN: u64 = 1 << 5 | 1 << 9 | 1 << 10;
const CR4_CHANGEABLE: u64 = 1 << 2 | 1 << 18 | 1 << 16;
/// Table entries looked at before a change of base is started again.
const BASE_BUDGET: u32 = 8192;
/// Items of a string port instruction done before it is started again.
const STRING_BATCH: u64 = 64;

/// Emulates what faulted with a general protection fault. Says whether it was one of these instructions and
/// allowed; the registers then are those after it.
pub fn emulate(vcpu: &Vcpu, registers: &mut Registers) -> bool {
    let (code, read) = read_code(registers.rip);
    let Some(bytes) = code.get(..read) else {
        return false;
    };
    let size = if registers.cs == u64::from(selector::GUEST_CODE32) {
        CodeSize::Bits32
    } else {
        CodeSize::Bits64
    };
    let Ok(instruction) = privileged(bytes, size, &View { registers }) else {
        return false;
    };
    count(&vcpu.counters.privileged);
    let done = if vcpu.context.in_kernel() {
        run(vcpu, registers, instruction.operation)
    } else {
        run_for_user(vcpu, registers, instruction.operation)
    };
    match done {
        Outcome::Refused => return false,
        Outcome::Done => {
            trace::note_privileged(registers.rip);
            registers.rip = registers.rip.wrapping_add(u64::from(instruction.length));
        }
        Outcome::Again => {}
    }
    registers.leave_by_iret();
    true
}

/// Emulates CPUID with the forced-emulation prefix, which arrives as an invalid opcode.
pub fn forced_emulation(vcpu: &Vcpu, registers: &mut Registers) -> bool {
    let (code, read) = read_code(registers.rip);
    let Some(bytes) = code.get(..read) else {
        return false;
    };
    let Ok(instruction) = privileged(bytes, CodeSize::Bits64, &View { registers }) else {
        return false;
    };
    let Privileged::CpuId {
        leaf,
        subleaf,
        forced: true,
    } = instruction.operation
    else {
        return false;
    };
    identify(vcpu, registers, leaf, subleaf);
    registers.rip = registers.rip.wrapping_add(u64::from(instruction.length));
    true
}

/// How an instruction came out.
enum Outcome {
    Done,
    /// Part is done; the instruction is started again.
    Again,
    Refused,
}

fn allowed(is: bool) -> Outcome {
    if is {
        Outcome::Done
    } else {
        Outcome::Refused
    }
}

/// What a user program may do: ports that its kernel gave it, and reading a counter whose reads trap.
fn run_for_user(vcpu: &Vcpu, registers: &mut Registers, operation: Privileged) -> Outcome {
    match operation {
        Privileged::PortRead { .. } | Privileged::PortWrite { .. } => {
            run(vcpu, registers, operation)
        }
        Privileged::CpuId { leaf, subleaf, .. } => {
            identify(vcpu, registers, leaf, subleaf);
            Outcome::Done
        }
        Privileged::ReadTimestamp | Privileged::ReadTimestampAndProcessor => {
            read_time_stamp(vcpu, registers, operation)
        }
        _ => Outcome::Refused,
    }
}

/// RDTSC and RDTSCP. The processor's number in the latter is 0, as in the register that the hypervisor leaves alone.
fn read_time_stamp(vcpu: &Vcpu, registers: &mut Registers, operation: Privileged) -> Outcome {
    let Some(value) = time_stamps::read(vcpu) else {
        return Outcome::Refused;
    };
    put_pair(registers, value);
    if operation == Privileged::ReadTimestampAndProcessor {
        registers.rcx = 0;
    }
    Outcome::Done
}

fn run(vcpu: &Vcpu, registers: &mut Registers, operation: Privileged) -> Outcome {
    match operation {
        // With virtual IOPL the flags an upcall mask stands for are the guest's own business; without, as here
        // by default, `cli` and `sti` do nothing a PV kernel could mean.
        Privileged::ClearInterrupts | Privileged::SetInterrupts => {
            allowed(u64::from(vcpu.context.iopl.load(Relaxed)) >= 1)
        }
        Privileged::PortRead { port, width }
        | Privileged::PortWrite { port, width, .. }
        | Privileged::StringPortRead(StringPort { port, width, .. })
        | Privileged::StringPortWrite(StringPort { port, width, .. })
            if !devices::user_may(vcpu, port, width) =>
        {
            Outcome::Refused
        }
        Privileged::PortRead { port, width } => {
            let value = devices::port_read(vcpu, port, width);
            write_part(registers, 0, width, u64::from(value));
            Outcome::Done
        }
        Privileged::PortWrite { port, width, value } => {
            devices::port_write(vcpu, port, width, value);
            Outcome::Done
        }
        Privileged::StringPortRead(string) => string_ports(vcpu, registers, &string, true),
        Privileged::StringPortWrite(string) => string_ports(vcpu, registers, &string, false),
        Privileged::ReadMsr { index } => match msrs::read(vcpu, index) {
            Some(value) => {
                put_pair(registers, value);
                Outcome::Done
            }
            None => Outcome::Refused,
        },
        Privileged::WriteMsr { index, value } => allowed(msrs::write(vcpu, index, value)),
        Privileged::ReadControl {
            control,
            destination,
        } => read_control(vcpu, registers, control, destination),
        Privileged::WriteControl { control, value } => write_control(vcpu, control, value),
        Privileged::ReadDebug { debug, destination } => {
            let slot = set_debugreg::slot(u32::from(debug));
            let value = slot
                .and_then(|slot| vcpu.context.debug.get(slot))
                .map_or(0, |value| value.load(Relaxed));
            put(registers, destination, value);
            Outcome::Done
        }
        Privileged::WriteDebug { debug, value } => {
            let set = set_debugreg::set(vcpu, u32::from(debug), value).is_ok();
            switch::load_debug(&vcpu.context);
            allowed(set)
        }
        other => run_rest(vcpu, registers, other),
    }
}

fn run_rest(vcpu: &Vcpu, registers: &mut Registers, operation: Privileged) -> Outcome {
    match operation {
        Privileged::WriteExtendedControl { index: 0, value }
            if fpu::is_valid_xcr0(value) && value & !cpuid::state_components(&vcpu.domain) == 0 =>
        {
            vcpu.context.xcr0.store(value, Relaxed);
            switch::set_control(&vcpu.context);
            Outcome::Done
        }
        Privileged::WriteBackCaches => {
            // Only a domain with device memory has a reason to write caches back.
            if vcpu.domain.privileged {
                cpu::write_back_caches();
            }
            Outcome::Done
        }
        Privileged::ClearTaskSwitched => {
            vcpu.context.cr0.fetch_and(!CR0_TS, AcqRel);
            switch::set_control(&vcpu.context);
            Outcome::Done
        }
        Privileged::CpuId { leaf, subleaf, .. } => {
            identify(vcpu, registers, leaf, subleaf);
            Outcome::Done
        }
        Privileged::ReadTimestamp | Privileged::ReadTimestampAndProcessor => {
            read_time_stamp(vcpu, registers, operation)
        }
        Privileged::StoreMachineStatus {
            destination: Place::Register(part),
        } => {
            put(registers, part, shown_cr0(vcpu) & 0xffff);
            Outcome::Done
        }
        _ => Outcome::Refused,
    }
}

fn identify(vcpu: &Vcpu, registers: &mut Registers, leaf: u32, subleaf: u32) {
    let answer = cpuid::answer(vcpu, leaf, subleaf);
    registers.rax = u64::from(answer.eax);
    registers.rbx = u64::from(answer.ebx);
    registers.rcx = u64::from(answer.ecx);
    registers.rdx = u64::from(answer.edx);
    registers.leave_by_iret();
}

/// CR0 as the vCPU reads it.
pub fn shown_cr0(vcpu: &Vcpu) -> u64 {
    CR0_SHOWN | vcpu.context.cr0.load(Relaxed) & CR0_TS
}

/// CR4 as the vCPU reads it.
pub fn shown_cr4(vcpu: &Vcpu) -> u64 {
    CR4_SHOWN | vcpu.context.cr4.load(Relaxed)
}

/// CR4.OSXSAVE: Linux uses XSAVE if it finds this set, as Xen sets it for every guest.
const CR4_OSXSAVE: u64 = 1 << 18;

/// Gives a vCPU that does not run the CR4 of its context, as far as it may choose; 0 stands for what a new one has.
pub fn set_cr4(vcpu: &Vcpu, value: u64) {
    let value = match value {
        0 if fpu::enabled() != 0 => CR4_OSXSAVE,
        value => value & CR4_CHANGEABLE,
    };
    vcpu.context.cr4.store(value, Relaxed);
}

fn read_control(
    vcpu: &Vcpu,
    registers: &mut Registers,
    control: u8,
    destination: RegisterPart,
) -> Outcome {
    let value = match control {
        0 => shown_cr0(vcpu),
        2 => vcpu.context.info().cr2.load(Relaxed),
        // The guest's own frame number of its base, in the place the register has it: PV guests use the machine's.
        3 => vcpu.kernel_base().address().0,
        4 => shown_cr4(vcpu),
        _ => return Outcome::Refused,
    };
    put(registers, destination, value);
    Outcome::Done
}

fn write_control(vcpu: &Vcpu, control: u8, value: u64) -> Outcome {
    match control {
        0 if (value ^ CR0_SHOWN) & !CR0_TS == 0 => {
            vcpu.context.cr0.store(value & CR0_TS, Relaxed);
            switch::set_control(&vcpu.context);
            Outcome::Done
        }
        2 => {
            vcpu.context.info().cr2.store(value, Relaxed);
            Outcome::Done
        }
        3 => change_base(vcpu, MachineAddr(value).frame()),
        4 => {
            vcpu.context.cr4.store(value & CR4_CHANGEABLE, Relaxed);
            switch::set_control(&vcpu.context);
            Outcome::Done
        }
        _ => Outcome::Refused,
    }
}

/// `mov` to CR3 is `MMUEXT_NEW_BASEPTR` by another name.
fn change_base(vcpu: &Vcpu, base: Mfn) -> Outcome {
    let mut budget = Budget::new(BASE_BUDGET);
    let changed = bases::set_kernel(vcpu, base, &mut budget);
    match changed.and_then(|()| machine::mmu().finish(&mut vcpu.domain.paging.lock(), &mut budget))
    {
        Ok(()) => Outcome::Done,
        // Started again it finds what is done as done.
        Err(Stop::Again) => Outcome::Again,
        Err(Stop::Refused(_)) => Outcome::Refused,
    }
}

fn string_ports(
    vcpu: &Vcpu,
    registers: &mut Registers,
    string: &StringPort,
    is_read: bool,
) -> Outcome {
    let bytes = usize::from(string.width.bytes());
    let batch = string.count.min(STRING_BATCH);
    let mut done = 0;
    while done < batch {
        let at = VirtAddr(
            string
                .address
                .wrapping_add((string.step as u64).wrapping_mul(done)),
        );
        let moved = if is_read {
            let value = devices::port_read(vcpu, string.port, string.width).to_le_bytes();
            value
                .get(..bytes)
                .is_some_and(|value| copy::write_bytes(at, value).is_ok())
        } else {
            let mut value = [0; 4];
            let read = value
                .get_mut(..bytes)
                .is_some_and(|value| copy::read_bytes(at, value).is_ok());
            if read {
                devices::port_write(vcpu, string.port, string.width, u32::from_le_bytes(value));
            }
            read
        };
        if !moved {
            break;
        }
        done += 1;
    }
    let (index, counter) = string.progress(done, &View { registers });
    set_general(registers, index.number, index.value);
    if let Some(counter) = counter {
        set_general(registers, counter.number, counter.value);
    }
    match done {
        done if done == string.count => Outcome::Done,
        0 => Outcome::Refused,
        _ => Outcome::Again,
    }
}

/// Puts a value into a register as an instruction of `width` does.
fn write_part(registers: &mut Registers, number: u8, width: Width, value: u64) {
    put(
        registers,
        RegisterPart {
            number,
            width,
            high: false,
        },
        value,
    );
}

fn put(registers: &mut Registers, part: RegisterPart, value: u64) {
    let before = View { registers }.general(part.number);
    let write = part.merge(before, value);
    set_general(registers, write.number, write.value);
}

/// Puts a value into edx:eax.
fn put_pair(registers: &mut Registers, value: u64) {
    registers.rax = value & 0xffff_ffff;
    registers.rdx = value >> 32;
}
