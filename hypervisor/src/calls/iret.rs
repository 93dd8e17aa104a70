//! `iret`: the guest kernel resumes what an exception or a system call interrupted. The usual return to a
//! user program never comes here (see `hw`'s `syscall.S`); everything else does.

use core::sync::atomic::Ordering::Relaxed;

use hw::registers::rflags;
use hw::vcpu::{guest_rflags, mode};

use crate::hypercall::{Answer, Arguments, Caller};
use crate::{crash, guest, inject};

/// Number of the hypercall.
pub const NUMBER: u64 = 23;

/// Words of a `struct iret_context`: rax, r11, rcx, flags, rip, cs, rflags, rsp, ss.
const WORDS: usize = 9;

/// No arguments: the frame lies at the guest's `rsp`. Answers the `rax` that the frame has.
pub fn handle(caller: &mut Caller<'_>, _: &mut Arguments) -> Answer {
    let vcpu = caller.vcpu;
    let registers = &mut *caller.registers;
    let Ok(frame) = guest::read_words::<WORDS>(registers.rsp) else {
        crash::domain(vcpu, registers, "the frame of `iret` cannot be read");
        return Ok(registers.rax);
    };
    let [rax, r11, rcx, flags, rip, cs, wanted, rsp, ss] = frame;
    if cs & 3 == 3 {
        if vcpu.context.mode.load(Relaxed) & mode::NO_USER != 0 {
            crash::domain(
                vcpu,
                registers,
                "`iret` to a user program without user page tables",
            );
            return Ok(registers.rax);
        }
        inject::enter_user(vcpu);
    }
    if vcpu
        .domain
        .assists(xen_abi::xen::VMASST_TYPE_architectural_iopl)
    {
        vcpu.context.iopl.store((wanted >> 12) as u8 & 3, Relaxed);
    }
    registers.rip = rip;
    registers.cs = cs & 0xffff | 3;
    registers.rflags = guest_rflags(wanted);
    registers.rsp = rsp;
    registers.ss = ss & 0xffff | 3;
    registers.rax = rax;
    // A return from a system call leaves these two as `sysret` does.
    let from_syscall = flags & xen_abi::arch_x86::VGCF_in_syscall != 0;
    (registers.rcx, registers.r11) = if from_syscall {
        (rip, registers.rflags)
    } else {
        (rcx, r11)
    };
    registers.leave_by_iret();
    let masked = u8::from(wanted & rflags::IF == 0);
    vcpu.context.info().upcall_mask.store(masked, Relaxed);
    Ok(rax)
}
