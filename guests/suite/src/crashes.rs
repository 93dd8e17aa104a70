//! What must kill the guest, and only the guest. Each runs alone: `only=` names it, the guest prints
//! `EXPECT-CRASH`, and then the hypervisor must say that the domain crashed.

use core::arch::asm;
use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::hypercall::*;
use guest_kit::mmu::{ext, mmuext_one};
use guest_kit::pages::Page;
use guest_kit::trap::{catch, set_trap_table, TrapInfo};
use guest_kit::user::{run, run_on_stack, start_frame, UserSpace};

/// The group.
pub const GROUP: Group = Group {
    name: "crash",
    cases: &[
        case!(crash "crash-shutdown", "shutdown with the reason crash", shutdown_crash),
        case!(crash "crash-no-user-tables", "an iret to user mode without a user L4", no_user_tables),
        case!(crash "crash-iret-frame-unmapped", "an iret whose frame is not mapped", iret_unmapped),
        case!(crash "crash-iret-frame-hypervisor", "an iret whose frame is the hypervisor's", iret_hypervisor),
        case!(crash "crash-iret-frame-non-canonical", "an iret whose frame is not canonical", iret_non_canonical),
        case!(crash "crash-stack-unmapped", "a bounce onto a kernel stack that is not mapped", stack_unmapped),
        case!(crash "crash-stack-hypervisor", "a bounce onto a kernel stack of the hypervisor's", stack_hypervisor),
        case!(crash "crash-stack-non-canonical", "a bounce onto a kernel stack that is not canonical", stack_non_canonical),
        case!(crash "crash-no-handler", "an exception without a handler", no_handler),
        case!(crash "crash-stack-pointer", "an exception of guest kernel with a bad stack pointer", kernel_stack),
    ],
};

fn shutdown_crash() {
    shutdown(3)
}

fn no_user_tables() {
    assert_eq!(mmuext_one(ext::NEW_USER_BASEPTR, 0, 0), 0);
    run(&start_frame());
}

fn iret_at(address: u64) {
    unsafe { asm!("mov rsp, {}", "mov eax, 23", "syscall", in(reg) address, options(noreturn)) }
}

fn iret_unmapped() {
    iret_at(Page::take().unmap().va)
}

fn iret_hypervisor() {
    iret_at(0xffff_8300_0000_0000)
}

fn iret_non_canonical() {
    iret_at(0x8000_0000_0000_0000)
}

fn bounce_onto(stack: u64) {
    let space = UserSpace::new();
    space.load(&[0x0f, 0x0b]);
    run_on_stack(&start_frame(), stack);
}

fn stack_unmapped() {
    bounce_onto(Page::take().unmap().va + 4096)
}

fn stack_hypervisor() {
    bounce_onto(0xffff_8300_0000_1000)
}

fn stack_non_canonical() {
    bounce_onto(0x8000_0000_0000_1000)
}

fn no_handler() {
    assert_eq!(set_trap_table(&[TrapInfo::default()]), 0);
    assert_eq!(call2(nr::SET_TRAP_TABLE, 0, 0), 0);
    catch(|| unsafe { asm!("ud2") });
}

fn kernel_stack() {
    unsafe { asm!("mov rsp, {}", "ud2", in(reg) 0x8000_0000_0000_0000u64, options(noreturn)) }
}
