//! What a guest does to the hypervisor without a call: instructions that trap, frames for iret,
//! user code of random bytes, writes to page tables.

use crate::arena;
use crate::gun::Gun;
use crate::paging;
use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};
use guest_kit::events::{quiet, vcpu_info};
use guest_kit::hypercall::{at, vcpu_op};
use guest_kit::mmu::{ext, mmuext_one};
use guest_kit::pages::Page;
use guest_kit::time::now;
use guest_kit::trap::{catch, Frame, FLAT_SS};
use guest_kit::user::{run, start_frame, UserSpace, CODE};
use guest_kit::vcpu::{area_address, BOUNCE_STACK, MAX_VCPUS};
use guest_kit::vcpus::op;

/// The kernel's code selector as an iret takes it: RPL 0.
const KERNEL_CODE: u64 = 0xe030;

/// Instructions that trap in a PV guest, or that it should not have.
const INSTRUCTIONS: &[&[u8]] = &[
    &[0xf4],                                        // hlt
    &[0xfa],                                        // cli
    &[0xfb],                                        // sti
    &[0xe4, 0x60],                                  // in al, 60h
    &[0xed],                                        // in eax, dx
    &[0xe6, 0x80],                                  // out 80h, al
    &[0xef],                                        // out dx, eax
    &[0x66, 0xef],                                  // out dx, ax
    &[0x6c],                                        // insb
    &[0xf3, 0x6d],                                  // rep insd
    &[0xf3, 0x6e],                                  // rep outsb
    &[0x0f, 0x32],                                  // rdmsr
    &[0x0f, 0x30],                                  // wrmsr
    &[0x0f, 0x33],                                  // rdpmc
    &[0x0f, 0x20, 0xc0],                            // mov rax, cr0
    &[0x0f, 0x20, 0xd0],                            // mov rax, cr2
    &[0x0f, 0x20, 0xe0],                            // mov rax, cr4
    &[0x44, 0x0f, 0x20, 0xc0],                      // mov rax, cr8
    &[0x0f, 0x22, 0xc0],                            // mov cr0, rax
    &[0x0f, 0x22, 0xd0],                            // mov cr2, rax
    &[0x0f, 0x22, 0xd8],                            // mov cr3, rax
    &[0x0f, 0x22, 0xe0],                            // mov cr4, rax
    &[0x44, 0x0f, 0x22, 0xc0],                      // mov cr8, rax
    &[0x0f, 0x21, 0xf8],                            // mov rax, dr7
    &[0x0f, 0x23, 0xc0],                            // mov dr0, rax
    &[0x0f, 0x23, 0xf8],                            // mov dr7, rax
    &[0x0f, 0x23, 0xf0],                            // mov dr6, rax
    &[0x0f, 0x06],                                  // clts
    &[0x0f, 0x01, 0x38],                            // invlpg [rax]
    &[0x0f, 0x08],                                  // invd
    &[0x0f, 0x09],                                  // wbinvd
    &[0x0f, 0xa2],                                  // cpuid
    &[0x0f, 0x0b, b'x', b'e', b'n', 0x0f, 0xa2],    // the forced cpuid
    &[0x0f, 0x0b, b'x', b'e', b'n', 0x0f, 0x31],    // the prefix before something else
    &[0x0f, 0x31],                                  // rdtsc
    &[0x0f, 0x01, 0xf9],                            // rdtscp
    &[0x0f, 0x01, 0xd1],                            // xsetbv
    &[0x0f, 0x01, 0xd0],                            // xgetbv
    &[0x0f, 0x01, 0xc1],                            // vmcall
    &[0x0f, 0x01, 0xd9],                            // vmmcall
    &[0x0f, 0x01, 0xd8],                            // vmrun
    &[0x0f, 0x01, 0xca],                            // clac
    &[0x0f, 0x01, 0xcb],                            // stac
    &[0x0f, 0x01, 0xf8],                            // swapgs
    &[0x0f, 0x01, 0xc8],                            // monitor
    &[0x0f, 0x01, 0xc9],                            // mwait
    &[0x0f, 0x01, 0x10],                            // lgdt [rax]
    &[0x0f, 0x01, 0x18],                            // lidt [rax]
    &[0x0f, 0x01, 0x00],                            // sgdt [rax]
    &[0x0f, 0x01, 0xe0],                            // smsw eax
    &[0x0f, 0x01, 0xf0],                            // lmsw ax
    &[0x0f, 0x00, 0xd0],                            // lldt ax
    &[0x0f, 0x00, 0xd8],                            // ltr ax
    &[0x0f, 0x00, 0xc0],                            // sldt eax
    &[0x0f, 0x02, 0xc0],                            // lar eax, ax
    &[0x0f, 0x03, 0xc0],                            // lsl eax, ax
    &[0x8e, 0xc0],                                  // mov es, ax
    &[0x8e, 0xd8],                                  // mov ds, ax
    &[0x8e, 0xe0],                                  // mov fs, ax
    &[0x8e, 0xe8],                                  // mov gs, ax
    &[0x8e, 0xd0],                                  // mov ss, ax
    &[0x0f, 0x07],                                  // sysret
    &[0x0f, 0x34],                                  // sysenter
    &[0x0f, 0x35],                                  // sysexit
    &[0x48, 0xcf],                                  // iretq, from a stack of zeros
    &[0x48, 0xcb],                                  // retfq
    &[0xcc],                                        // int3
    &[0xf1],                                        // icebp
    &[0xcd, 0x02],                                  // int 2
    &[0xcd, 0x08],                                  // int 8
    &[0xcd, 0x0e],                                  // int 14
    &[0xcd, 0x20],                                  // int 20h
    &[0xcd, 0x80],                                  // int 80h
    &[0xcd, 0x82],                                  // int 82h
    &[0xcd, 0xff],                                  // int 255
    &[0xf3, 0x48, 0x0f, 0xae, 0xd0],                // wrfsbase rax
    &[0xf3, 0x48, 0x0f, 0xae, 0xd8],                // wrgsbase rax
    &[0xf3, 0x0f, 0xc7, 0xf8],                      // rdpid rax
    &[0x0f, 0xae, 0x38],                            // clflush [rax]
    &[0x0f, 0xae, 0x28],                            // xrstor [rax]
    &[0x0f, 0xc7, 0x18],                            // xrstors [rax]
    &[0xdb, 0xe3],                                  // fninit
    &[0x9c, 0x58, 0x50, 0x9d],                      // pushf, pop, push, popf
    &[0x48, 0xa1, 0, 0, 0, 0, 0, 0x80, 0xff, 0xff], // a load of the hypervisor's
    &[0xff, 0xe0],                                  // jmp rax
    &[0x0f, 0xff],                                  // ud0
];

static SPACES: [[AtomicU64; 2]; MAX_VCPUS] =
    [const { [const { AtomicU64::new(0) }; 2] }; MAX_VCPUS];
static CODE_PAGES: [AtomicU64; MAX_VCPUS] = [const { AtomicU64::new(0) }; MAX_VCPUS];

/// Builds each vCPU's user address space and page of kernel code.
pub fn prepare() {
    for id in 0..MAX_VCPUS {
        let space = UserSpace::new();
        SPACES[id][0].store(space.tables[3].mfn(), Ordering::Relaxed);
        SPACES[id][1].store(space.code.va, Ordering::Relaxed);
        CODE_PAGES[id].store(Page::take().va, Ordering::Relaxed);
    }
}

/// The top-level table of a vCPU's user mode.
pub fn user_table(id: usize) -> u64 {
    SPACES[id][0].load(Ordering::Relaxed)
}

fn user_code(id: usize) -> Page {
    Page {
        va: SPACES[id][1].load(Ordering::Relaxed),
    }
}

/// Registers of random words; the stack pointer and where to go are the caller's.
fn registers(gun: &mut Gun) -> Frame {
    Frame {
        rax: gun.word(),
        rbx: gun.word(),
        rcx: gun.word(),
        rdx: gun.word(),
        rsi: gun.word(),
        rdi: gun.word(),
        rbp: gun.word(),
        r8: gun.word(),
        r9: gun.random.next(),
        r10: gun.random.next(),
        r11: gun.random.next(),
        r12: gun.random.next(),
        ..Frame::default()
    }
}

/// One instruction that traps, in kernel or user mode, with an undefined one after it.
pub fn instruction(gun: &mut Gun) {
    let bytes = gun.random.pick(INSTRUCTIONS);
    let mut frame = registers(gun);
    if bytes == [0x0f, 0x32] || bytes == [0x0f, 0x30] {
        frame.rcx = model_specific(gun);
    }
    let in_user_mode = gun.random.once_in(3);
    if !in_user_mode && gun.gentle && may_end_kernel(bytes) {
        return;
    }
    let code = match in_user_mode {
        true => user_code(gun.vcpu),
        false => Page {
            va: CODE_PAGES[gun.vcpu].load(Ordering::Relaxed),
        },
    };
    code.bytes()[..16].fill(0x0b);
    for pair in code.bytes()[..64].chunks_exact_mut(2) {
        pair.copy_from_slice(&[0x0f, 0x0b]);
    }
    code.bytes()[..bytes.len()].copy_from_slice(bytes);
    if bytes.len() % 2 == 1 {
        code.bytes()[bytes.len()] = 0x90;
    }
    let place = start_frame();
    (frame.rflags, frame.ss) = (2, FLAT_SS);
    (frame.rip, frame.cs_and_mask, frame.rsp) = match in_user_mode {
        true => (place.rip, place.cs_and_mask, place.rsp),
        false => (code.va, KERNEL_CODE, kernel_stack(gun.vcpu)),
    };
    run(&frame);
}

/// Instructions after which a kernel of ours does not come back: a system call's entry, a stack
/// elsewhere, waiting for what may not come.
fn may_end_kernel(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [0xf4] | [0x0f, 0x34] | [0x0f, 0x22, 0xd8] | [0xff, 0xe0]
    )
}

/// The number of a model-specific register: known ones, neighbours of known ones, any.
fn model_specific(gun: &mut Gun) -> u64 {
    let bases: [u64; 10] = [
        0,
        0x10,
        0x1b,
        0x8b,
        0x174,
        0x1d9,
        0x277,
        0x400,
        0xc000_0080,
        0xc001_0000,
    ];
    match gun.random.below(8) {
        0 => gun.random.next() & 0xffff_ffff,
        1..=3 => 0xc000_0100 + gun.random.below(4),
        _ => gun.random.pick(&bases) + gun.random.below(24),
    }
}

/// The bounce stack's end with zeros above it, for what pops.
fn kernel_stack(id: usize) -> u64 {
    let stack = area_address(id) + BOUNCE_STACK as u64;
    unsafe { core::ptr::write_bytes(stack as *mut u8, 0, 256) };
    stack
}

/// An iret whose frame is wrong somewhere.
pub fn iret(gun: &mut Gun) {
    let id = gun.vcpu;
    let mut frame = registers(gun);
    let user = gun.random.once_in(2);
    let code = user_code(id);
    code.bytes()[..2].copy_from_slice(&[0x0f, 0x0b]);
    let selectors = [
        0, 3, 0x8, 0x23, 0x2b, 0x33, 0xe008, 0xe023, 0xe02b, 0xe033, 0xffff,
    ];
    (frame.rip, frame.cs_and_mask, frame.rsp) = match user {
        true => (CODE, 0xe033, start_frame().rsp),
        false => (kernel_code(id), KERNEL_CODE, kernel_stack(id)),
    };
    (frame.rflags, frame.ss) = (2, FLAT_SS);
    // VGCF_in_syscall is bit 8.
    frame.error = gun.random.pick(&[0, 0x100, gun.random.clone().next() & !4]);
    match gun.random.below(5) {
        0 => frame.rflags = gun.random.next() & !0x200,
        1 if user => frame.ss = gun.random.pick(&selectors),
        2 if user => frame.cs_and_mask = gun.random.pick(&selectors) | 3,
        3 if user => frame.rip = gun.place(),
        4 if user => frame.rsp = gun.word(),
        _ => frame.cs_and_mask |= gun.random.next() << 16,
    }
    run(&frame);
}

fn kernel_code(id: usize) -> u64 {
    let page = Page {
        va: CODE_PAGES[id].load(Ordering::Relaxed),
    };
    page.bytes()[..2].copy_from_slice(&[0x0f, 0x0b]);
    page.va
}

/// User code of random bytes, ended by the timer if by nothing else.
pub fn random_code(gun: &mut Gun) {
    let id = gun.vcpu;
    let code = user_code(id);
    for word in code.words()[..16].iter_mut() {
        *word = gun.random.next();
    }
    // Half of the time it begins with two bytes that the hypervisor would decode.
    if gun.random.once_in(2) {
        code.bytes()[0] = gun.random.pick(&[0x0f, 0x66, 0xf3, 0xf2, 0x48, 0xcd]);
        code.bytes()[1] = gun
            .random
            .pick(&[0x01, 0x0f, 0x20, 0x22, 0x30, 0x32, 0xa2, 0xec]);
    }
    let end = now() + 500_000;
    if vcpu_op(op::SET_SINGLESHOT, id as u64, at(&[end, 0])) != 0 {
        return;
    }
    let mut frame = registers(gun);
    let place = start_frame();
    (frame.rip, frame.cs_and_mask, frame.rsp, frame.ss) =
        (place.rip, place.cs_and_mask, place.rsp, place.ss);
    // With interrupts on, events come in.
    frame.rflags = 0x202;
    run(&frame);
    vcpu_info().mask = 1;
    // The selector too: a bit left in it would keep the next timer's event from being delivered,
    // and endless code from ever ending.
    quiet();
    crate::clear_timer(id);
}

/// A write to what may be a page table in use, which the hypervisor then does for us.
pub fn poke(gun: &mut Gun) {
    let number = gun.random.next();
    let (_, entry) = match gun.random.once_in(2) {
        true => (0, gun.entry()),
        false => paging::sensible(gun),
    };
    let place = arena::table(number).va + 8 * (number >> 32 & 511);
    let _ = catch(|| unsafe {
        match number >> 48 & 7 {
            0 | 1 => asm!("xchg [{}], {}", in(reg) place, inout(reg) entry => _),
            2 => asm!("mov [{}], {}", in(reg) place, in(reg) entry),
            3 => asm!("lock and qword ptr [{}], {}", in(reg) place, in(reg) entry),
            4 => {
                asm!("lock cmpxchg [{}], {}", in(reg) place, in(reg) entry, inout("rax") 0u64 => _)
            }
            5 => asm!("or dword ptr [{}], {:e}", in(reg) place, in(reg) entry),
            6 => asm!("lock btr qword ptr [{}], 1", in(reg) place),
            _ => asm!("mov byte ptr [{} + 3], {}", in(reg) place, in(reg_byte) entry as u8),
        }
    });
}

/// Puts the user address space back.
pub fn restore_tables(id: usize) {
    mmuext_one(ext::NEW_USER_BASEPTR, user_table(id), 0);
    mmuext_one(ext::SET_LDT, 0, 0);
}
