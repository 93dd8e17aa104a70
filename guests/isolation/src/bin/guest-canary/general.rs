//! The general registers and the flags, across a stretch of time in kernel mode, and across one in
//! user mode with its way in and out.

use crate::same;
use core::arch::global_asm;
use core::sync::atomic::{AtomicU64, Ordering};
use guest_isolation::schedule::own;
use guest_kit::mmu::{ext, mmuext_one};
use guest_kit::random::Random;
use guest_kit::trap::SYSCALL;
use guest_kit::user::{run, start_frame, UserSpace, DATA, STACK};
use guest_kit::user_code;
use guest_kit::vcpu::MAX_VCPUS;

/// How often the registers' loop turns: a few milliseconds in an emulator.
const TURNS: u64 = 300_000;
/// Flags that the pattern sets: carry, parity, adjust, zero, sign, direction, overflow.
const FLAGS: u64 = 0xcd5;
/// Words of the pattern: 14 registers and the flags.
const WORDS: usize = 15;

global_asm!(
    ".pushsection .text, \"ax\"",
    // canary_hold(in, out, turns): loads 14 registers and the flags, waits, stores them. Neither
    // LEA nor JRCXZ touches a flag.
    "canary_hold:",
    "push rbx",
    "push rbp",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "push rsi",
    "mov rcx, rdx",
    "push qword ptr [rdi + 112]",
    "mov rax, [rdi]",
    "mov rbx, [rdi + 8]",
    "mov rdx, [rdi + 16]",
    "mov rsi, [rdi + 24]",
    "mov rbp, [rdi + 32]",
    "mov r8, [rdi + 40]",
    "mov r9, [rdi + 48]",
    "mov r10, [rdi + 56]",
    "mov r11, [rdi + 64]",
    "mov r12, [rdi + 72]",
    "mov r13, [rdi + 80]",
    "mov r14, [rdi + 88]",
    "mov r15, [rdi + 96]",
    "mov rdi, [rdi + 104]",
    "popfq",
    "2: jrcxz 3f",
    "lea rcx, [rcx - 1]",
    "jmp 2b",
    "3: mov rcx, [rsp]",
    "pushfq",
    "pop qword ptr [rcx + 112]",
    "cld",
    "mov [rcx], rax",
    "mov [rcx + 8], rbx",
    "mov [rcx + 16], rdx",
    "mov [rcx + 24], rsi",
    "mov [rcx + 32], rbp",
    "mov [rcx + 40], r8",
    "mov [rcx + 48], r9",
    "mov [rcx + 56], r10",
    "mov [rcx + 64], r11",
    "mov [rcx + 72], r12",
    "mov [rcx + 80], r13",
    "mov [rcx + 88], r14",
    "mov [rcx + 96], r15",
    "mov [rcx + 104], rdi",
    "pop rsi",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbp",
    "pop rbx",
    "ret",
    ".popsection",
);

extern "C" {
    fn canary_hold(pattern: *const u64, found: *mut u64, turns: u64);
}

// In user mode: a write to its stack, a loop, a system call.
user_code!(
    user_loop,
    "push rbx",
    "mov r9, rcx",
    "2: dec r9",
    "jnz 2b",
    "pop rbx",
    "syscall",
);

static SPACES: [AtomicU64; MAX_VCPUS] = [const { AtomicU64::new(0) }; MAX_VCPUS];

/// Builds a user address space for each vCPU.
pub fn prepare(count: usize) {
    for space in &SPACES[..count] {
        let built = UserSpace::new();
        built.load(user_loop());
        space.store(built.tables[3].mfn(), Ordering::Relaxed);
    }
}

/// Both, with a pattern of the seed.
pub fn check(seed: u64) {
    let mut random = Random::new(seed ^ 0x6765_6e65);
    let mut pattern = [0u64; WORDS];
    for word in &mut pattern {
        *word = random.next();
    }
    pattern[14] = pattern[14] & FLAGS | 2;
    let mut found = [0u64; WORDS];
    unsafe { canary_hold(pattern.as_ptr(), found.as_mut_ptr(), TURNS) };
    found[14] &= FLAGS | 2;
    for (index, (expected, found)) in pattern.iter().zip(found).enumerate() {
        same("general register", index as u64, *expected, found);
    }
    user(&mut random);
}

fn user(random: &mut Random) {
    let tables = SPACES[own()].load(Ordering::Relaxed);
    let result = mmuext_one(ext::NEW_USER_BASEPTR, tables, 0);
    same("switching user tables", tables, 0, result as u64);
    let mut frame = start_frame();
    frame.rcx = TURNS / 8;
    frame.rax = random.next();
    frame.rbx = random.next();
    frame.rdi = random.next();
    frame.r12 = random.next();
    frame.r15 = random.next();
    frame.rbp = random.next();
    let after = run(&frame);
    same("the trap that ends user mode", DATA, SYSCALL, after.vector);
    same("the user's stack pointer", 0, STACK + 4096, after.rsp);
    for (index, (before, after)) in [
        (frame.rax, after.rax),
        (frame.rbx, after.rbx),
        (frame.rdi, after.rdi),
        (frame.r12, after.r12),
        (frame.r15, after.r15),
        (frame.rbp, after.rbp),
        (0, after.r9),
    ]
    .into_iter()
    .enumerate()
    {
        same("user's register", index as u64, before, after);
    }
}
