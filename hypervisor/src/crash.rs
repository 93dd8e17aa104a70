//! A guest that broke itself: its registers and stack on the console, then the end of that domain; the
//! machine follows only when it was dom0.

use hw::copy;
use hw::percpu::PerCpu;
use hw::registers::Registers;
use vocabulary::VirtAddr;

use core::sync::atomic::Ordering::{AcqRel, Relaxed};

use crate::console::print;
use crate::vcpu::Vcpu;
use crate::{power, work};

/// `SHUTDOWN_crash`.
const CRASH: u8 = 3;
/// Stack words shown.
const STACK_WORDS: u64 = 32;

/// Ends the domain of the vCPU that runs here, because of `rule`.
#[cold]
pub fn domain(vcpu: &Vcpu, registers: &Registers, rule: &str) {
    if !vcpu.domain.is_shut_down() {
        print(format_args!(
            "(XEN) domain {} crashed: {rule}\n",
            vcpu.domain.id
        ));
        report(vcpu, registers);
    }
    end(vcpu, CRASH);
}

/// Ends the domain because an exception had no handler.
#[cold]
pub fn unhandled(vcpu: &Vcpu, registers: &Registers, vector: u32, code: Option<u32>) {
    if !vcpu.domain.is_shut_down() {
        print(format_args!(
            "(XEN) domain {} crashed: exception {vector} (error code {:#x}, address {:#x}) without a handler\n",
            vcpu.domain.id, code.unwrap_or(0), vcpu.context.info().cr2.load(Relaxed)
        ));
        report(vcpu, registers);
    }
    end(vcpu, CRASH);
}

/// Shuts the domain down with a reason (`SHUTDOWN_*`); the vCPU, which runs here, runs no more.
pub fn end(vcpu: &Vcpu, code: u8) {
    let first_time = vcpu.domain.mark_shut_down(code);
    PerCpu::current().work.fetch_or(work::RESCHEDULE, AcqRel);
    if first_time {
        power::domain_ended(&vcpu.domain);
    }
}

/// Prints the vCPU's registers and stack.
pub fn report(vcpu: &Vcpu, registers: &Registers) {
    let mode = if vcpu.context.in_kernel() {
        "kernel"
    } else {
        "user"
    };
    let r = registers;
    print(format_args!(
        "(XEN) d{}v{} ({mode} mode) on CPU{}\n\
         (XEN) rip {:04x}:{:016x} rsp {:04x}:{:016x} rflags {:016x}\n\
         (XEN) rax {:016x} rbx {:016x} rcx {:016x} rdx {:016x}\n\
         (XEN) rsi {:016x} rdi {:016x} rbp {:016x} r8  {:016x}\n\
         (XEN) r9  {:016x} r10 {:016x} r11 {:016x} r12 {:016x}\n\
         (XEN) r13 {:016x} r14 {:016x} r15 {:016x} cr3 {:016x}\n",
        vcpu.domain.id,
        vcpu.id,
        PerCpu::current().index(),
        r.cs,
        r.rip,
        r.ss,
        r.rsp,
        r.rflags,
        r.rax,
        r.rbx,
        r.rcx,
        r.rdx,
        r.rsi,
        r.rdi,
        r.rbp,
        r.r8,
        r.r9,
        r.r10,
        r.r11,
        r.r12,
        r.r13,
        r.r14,
        r.r15,
        vcpu.current_base().address().0,
    ));
    print(format_args!("(XEN) stack:\n"));
    for row in 0..STACK_WORDS / 4 {
        let mut words = [0u64; 4];
        if copy::read_words(VirtAddr(r.rsp.wrapping_add(row * 32)), &mut words).is_err() {
            print(format_args!("(XEN)   (not readable)\n"));
            break;
        }
        let [a, b, c, d] = words;
        print(format_args!(
            "(XEN)   {a:016x} {b:016x} {c:016x} {d:016x}\n"
        ));
    }
}

/// Ends a domain none of whose vCPUs need run here.
pub fn end_domain(domain: &crate::domain::Domain) {
    if domain.mark_shut_down(CRASH) {
        power::domain_ended(domain);
    }
}
