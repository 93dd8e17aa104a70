//! `syscall` from a guest, in assembly from entry to exit: the bounce of a user program's system call
//! into its kernel, the `iret` hypercall back, and the full frame every other hypercall gets.
//!
//! Invariants the code leans on, and who keeps them:
//! - interrupts are off throughout (FMASK), so nothing but NMI, #MC and #DB (all on own stacks) comes between;
//! - `VcpuContext::syscall.entry` and `kernel_sp` are guest addresses (checked where they are set), so the
//!   bounce neither writes to the hypervisor nor makes `sysret` fault in ring 0;
//! - a processor's stack top is 0x10000 above its area's start and its `PerCpu` 0xf000 below that top;
//! - an access to guest memory that faults is listed in `.ex_table`.

use core::arch::global_asm;
use core::mem::offset_of;

use crate::percpu::{PerCpu, PERCPU_BELOW_TOP};
use crate::vcpu::{mode, Callback, VcpuContext};

use super::Handlers;

// The stub a processor's LSTAR and CSTAR point to. One physical page, mapped below each processor's own
// data, so that `rip`-relative addresses find that processor's `PerCpu` and stack without `swapgs`.
global_asm!(
    ".pushsection .cpu_stub, \"ax\", @progbits",
    ".balign 4096",
    ".globl cpu_stub",
    "cpu_stub:",
    "mov [rip + cpu_stub + 0x1000 + {scratch}], rsp",
    "lea rsp, [rip + cpu_stub + 0x10000]",
    "jmp [rip + cpu_stub + 0x1000 + {target}]",
    ".balign 64",
    "mov [rip + cpu_stub + 0x1000 + {scratch}], rsp",
    "lea rsp, [rip + cpu_stub + 0x10000]",
    "jmp [rip + cpu_stub + 0x1000 + {target32}]",
    ".balign 4096",
    ".popsection",
    scratch = const offset_of!(PerCpu, scratch_rsp),
    target = const offset_of!(PerCpu, syscall_target),
    target32 = const offset_of!(PerCpu, syscall32_target),
);

/// Offset of the 32-bit `syscall` stub in the stub page.
pub const STUB32_OFFSET: u64 = 64;

// All of it in one piece, since macros are known only in theirs.
global_asm!(
    include_str!("registers.S"),
    include_str!("syscall.S"),
    include_str!("traps.S"),
    scratch = const offset_of!(PerCpu, scratch_rsp),
    vcpu = const offset_of!(PerCpu, vcpu),
    work = const offset_of!(PerCpu, work),
    below = const PERCPU_BELOW_TOP,
    mode = const offset_of!(VcpuContext, mode),
    info = const offset_of!(VcpuContext, vcpu_info),
    kernel_cr3 = const offset_of!(VcpuContext, kernel_cr3),
    user_cr3 = const offset_of!(VcpuContext, user_cr3),
    kernel_sp = const offset_of!(VcpuContext, kernel_sp),
    syscall_entry = const offset_of!(VcpuContext, syscall) + offset_of!(Callback, entry),
    syscall_mask = const offset_of!(VcpuContext, syscall) + offset_of!(Callback, masks_events),
    not_bounced = const mode::KERNEL | mode::NO_SYSCALL,
    kernel = const mode::KERNEL,
    slow_iret = const mode::NO_USER as u32 | 1 << 8,
    user_mask = const !mode::KERNEL,
    handlers = sym super::HANDLERS,
    on_hypercall = const offset_of!(Handlers, hypercall),
    on_user_syscall = const offset_of!(Handlers, user_syscall),
    on_user_syscall32 = const offset_of!(Handlers, user_syscall32),
    on_bounce_fault = const offset_of!(Handlers, bounce_fault),
    on_iret_fault = const offset_of!(Handlers, iret_fault),
    on_work = const offset_of!(Handlers, work),
    on_events = const offset_of!(Handlers, events),
    on_page_fault = const offset_of!(Handlers, page_fault),
    on_trap = const offset_of!(Handlers, trap),
    on_interrupt = const offset_of!(Handlers, interrupt),
    hypervisor_trap = sym super::traps::hypervisor_trap,
    own_stack_trap = sym super::traps::own_stack_trap,
);
