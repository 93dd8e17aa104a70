//! Guest user mode: how each way out of it arrives in guest kernel.

use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::events::{self, vcpu_info};
use guest_kit::hypercall::*;
use guest_kit::mmu::{self, *};
use guest_kit::trap::*;
use guest_kit::user::{run, start_frame, UserSpace, CODE, DATA, STACK};
use guest_kit::user_code;
use guest_kit::vcpu::area;

/// The group.
pub const GROUP: Group = Group {
    name: "user",
    cases: &[
        case!(
            "user-syscall",
            "SYSCALL enters the syscall callback with RCX and R11 as the processor left them",
            syscall
        ),
        case!(
            "user-syscall-registers",
            "all other registers arrive as user mode had them",
            registers
        ),
        case!(
            "user-syscall-return",
            "an iret with VGCF_in_syscall returns like SYSRET",
            syscall_return
        ),
        case!(
            "user-sysenter",
            "SYSENTER enters the sysenter callback, or is vector 6 on AMD",
            sysenter
        ),
        case!("user-int80", "INT 80h goes through gate 80h", int80),
        case!("user-int80-dpl", "whatever the gate's DPL", int80_dpl),
        case!(
            "user-int80-no-gate",
            "and is vector 13 when there is none",
            int80_refused
        ),
        case!(
            "user-compat-int80",
            "32-bit code runs, and its INT 80h shows its selector",
            compat_int80
        ),
        case!(
            "user-compat-syscall",
            "SYSCALL of 32-bit code enters the syscall32 callback, or is vector 6 on Intel",
            compat_syscall
        ),
        case!(
            "user-page-fault",
            "page faults of user mode have the user bit",
            page_fault
        ),
        case!(
            "user-kernel-memory",
            "user mode sees nothing of the kernel's space",
            kernel_memory
        ),
        case!(
            "user-hypervisor-memory",
            "nor of the hypervisor's",
            hypervisor_memory
        ),
        case!(
            "user-exceptions",
            "divide, breakpoint, undefined and general protection arrive with user selectors",
            exceptions
        ),
        case!(
            "user-privileged",
            "privileged instructions are vector 13",
            privileged
        ),
        case!(
            "user-cpuid",
            "the forced-emulation prefix works in user mode",
            cpuid
        ),
        case!(
            "user-table-write",
            "a write to a page table from user mode is not emulated",
            table_write
        ),
        case!(
            "user-single-step",
            "the trap flag set by iret stops after one instruction",
            single_step
        ),
        case!(
            "user-fpu",
            "with TS set the FPU in user mode is vector 7",
            fpu
        ),
        case!(
            "user-upcall",
            "an event interrupts user mode at once",
            upcall
        ),
        case!(
            "user-upcall-masked",
            "and does not while the upcall mask is set",
            upcall_masked
        ),
        case!(
            "user-space-switch",
            "NEW_USER_BASEPTR changes what user mode sees",
            space_switch
        ),
        case!(
            "user-space-change",
            "a mapping changed by the kernel shows in user mode",
            space_change
        ),
    ],
};

user_code!(
    system_call,
    "mov eax, 0x1111",
    "mov rsp, 0x401f00",
    "syscall",
    "nop"
);

fn syscall() {
    let space = UserSpace::new();
    let frame = space.run_code(system_call());
    assert_eq!(frame.vector, SYSCALL);
    let after = CODE + system_call().len() as u64 - 1;
    assert_eq!((frame.rip, frame.rcx, frame.rax), (after, after, 0x1111));
    assert_eq!((frame.cs(), frame.ss & 0xffff), (FLAT_CS64, FLAT_SS));
    assert_eq!(frame.rsp, 0x401f00);
    assert_eq!(frame.r11 & !0x200, frame.rflags & !0x200);
}

fn registers() {
    let space = UserSpace::new();
    space.load(&[0x0f, 0x05]);
    let mut start = start_frame();
    let values = [
        &mut start.rax,
        &mut start.rbx,
        &mut start.rdx,
        &mut start.rsi,
        &mut start.rdi,
        &mut start.rbp,
        &mut start.r8,
        &mut start.r9,
        &mut start.r10,
        &mut start.r12,
        &mut start.r13,
        &mut start.r14,
        &mut start.r15,
    ];
    for (value, register) in values.into_iter().enumerate() {
        *register = 0x1234_5678_0000_0000 + value as u64;
    }
    let back = run(&start);
    let of = |f: &Frame| {
        [
            f.rax, f.rbx, f.rdx, f.rsi, f.rdi, f.rbp, f.r8, f.r9, f.r10, f.r12, f.r13, f.r14, f.r15,
        ]
    };
    assert_eq!(of(&back), of(&start));
}

fn syscall_return() {
    let space = UserSpace::new();
    space.load(&[0x0f, 0x0b]);
    let mut start = start_frame();
    (start.rcx, start.r11, start.error) = (0x5555, 0x6666, 0x100);
    start.rflags = 0x246;
    let back = run(&start);
    assert_eq!((back.vector, back.rip), (6, CODE));
    assert_eq!((back.rcx, back.r11), (CODE, 0x246));
}

fn sysenter() {
    let space = UserSpace::new();
    let frame = space.run_code(&[0x0f, 0x34]);
    assert!(
        frame.vector == SYSENTER || frame.vector == 6,
        "{:#x}",
        frame.vector
    );
    assert!(frame.from_user());
}

fn int80() {
    let space = UserSpace::new();
    let frame = space.run_code(&[0xcd, 0x80]);
    assert_eq!(
        (frame.vector, frame.rip, frame.cs()),
        (0x80, CODE + 2, FLAT_CS64)
    );
}

fn int80_dpl() {
    let space = UserSpace::new();
    for dpl in [0, 1] {
        let mut gate = TrapInfo::own(0x80);
        gate.flags = 4 | dpl;
        assert_eq!(set_trap_table(&[gate, TrapInfo::default()]), 0);
        assert_eq!(space.run_code(&[0xcd, 0x80]).vector, 0x80, "DPL {dpl}");
    }
    install();
}

fn int80_refused() {
    let space = UserSpace::new();
    assert_eq!(call2(nr::SET_TRAP_TABLE, 0, 0), 0);
    assert_eq!(set_trap_table(&[TrapInfo::own(13), TrapInfo::default()]), 0);
    let frame = space.run_code(&[0xcd, 0x80]);
    install();
    assert_eq!(
        (frame.vector, frame.error, frame.rip),
        (13, 0x80 * 8 + 2, CODE)
    );
}

fn compat(code: &[u8]) -> Frame {
    let space = UserSpace::new();
    space.load(code);
    let mut frame = start_frame();
    frame.cs_and_mask = FLAT_CS32;
    run(&frame)
}

fn compat_int80() {
    // inc eax (a REX prefix in 64-bit code); int 80h
    let frame = compat(&[0x40, 0xcd, 0x80]);
    assert_eq!((frame.vector, frame.rax, frame.cs()), (0x80, 1, FLAT_CS32));
}

fn compat_syscall() {
    let frame = compat(&[0x0f, 0x05]);
    assert!(
        frame.vector == SYSCALL || frame.vector == 6,
        "{:#x}",
        frame.vector
    );
    assert!(frame.from_user());
}

user_code!(read_data, "mov rax, [0x402000]", "ud2");
user_code!(write_data, "mov qword ptr [0x402010], 1");
user_code!(read_nothing, "mov rax, [0x403018]");
user_code!(write_nothing, "mov qword ptr [0x403020], 1");
user_code!(run_stack, "mov eax, 0x401000", "jmp rax");
user_code!(run_nothing, "mov eax, 0x403000", "jmp rax");

fn page_fault() {
    let space = UserSpace::new();
    let slot = space.tables[0].machine() + 8 * index(STACK, 1);
    assert_eq!(set_entry(slot, space.stack.entry(WRITABLE) | NX), 0);
    for (code, error, address) in [
        (write_data(), 7, DATA + 0x10),
        (read_nothing(), 4, DATA + 0x1018),
        (write_nothing(), 6, DATA + 0x1020),
        (run_stack(), 0x15, STACK),
        (run_nothing(), 0x14, DATA + 0x1000),
    ] {
        let frame = space.run_code(code);
        assert_eq!(
            (frame.vector, frame.error, area().cr2),
            (14, error, address)
        );
    }
    space.data.words()[0] = 0x1234;
    let frame = space.run_code(read_data());
    assert_eq!((frame.vector, frame.rax), (6, 0x1234));
}

user_code!(read_r15, "mov rax, [r15]", "ud2");

fn read_from_user(address: u64) -> Frame {
    let space = UserSpace::new();
    space.load(read_r15());
    let mut frame = start_frame();
    frame.r15 = address;
    run(&frame)
}

fn kernel_memory() {
    let page = guest_kit::pages::Page::take();
    let frame = read_from_user(page.va);
    assert_eq!((frame.vector, frame.error, area().cr2), (14, 4, page.va));
}

fn hypervisor_memory() {
    for address in [0xffff_8300_0000_0000, 0xffff_82d0_4000_0000] {
        let frame = read_from_user(address);
        assert_eq!(
            (frame.vector, frame.error & !1, area().cr2),
            (14, 4, address)
        );
    }
}

user_code!(divide, "xor ecx, ecx", "xor edx, edx", "div ecx");
user_code!(
    non_canonical,
    "mov rax, 0x8000000000000000",
    "mov rax, [rax]"
);

fn exceptions() {
    let space = UserSpace::new();
    for (code, vector, offset) in [
        (divide(), 0, divide().len() as u64 - 2),
        (&[0xccu8][..], 3, 1),
        (&[0x0f, 0x0b][..], 6, 0),
        (non_canonical(), 13, non_canonical().len() as u64 - 3),
    ] {
        let frame = space.run_code(code);
        assert_eq!(
            (frame.vector, frame.error, frame.rip),
            (vector, 0, CODE + offset)
        );
        assert_eq!((frame.cs(), frame.ss & 0xffff), (FLAT_CS64, FLAT_SS));
    }
}

fn privileged() {
    let space = UserSpace::new();
    let codes: [(&str, &[u8]); 9] = [
        ("hlt", &[0xf4]),
        ("cli", &[0xfa]),
        ("in al, 71h", &[0xe4, 0x71]),
        ("out 80h, al", &[0xe6, 0x80]),
        ("mov rax, cr0", &[0x0f, 0x20, 0xc0]),
        ("mov cr3, rax", &[0x0f, 0x22, 0xd8]),
        ("rdmsr", &[0x0f, 0x32]),
        ("wrmsr", &[0x0f, 0x30]),
        ("wbinvd", &[0x0f, 0x09]),
    ];
    for (name, code) in codes {
        let frame = space.run_code(code);
        assert_eq!(
            (frame.vector, frame.error, frame.rip),
            (13, 0, CODE),
            "{name}"
        );
    }
}

user_code!(
    forced_cpuid,
    "mov eax, 0x40000000",
    "ud2",
    ".ascii \"xen\"",
    "cpuid",
    "ud2"
);

fn cpuid() {
    let frame = UserSpace::new().run_code(forced_cpuid());
    assert_eq!(
        (frame.vector, frame.rbx as u32),
        (6, u32::from_le_bytes(*b"XenV"))
    );
}

user_code!(write_table, "mov qword ptr [0x402008], 0");

fn table_write() {
    let space = UserSpace::new();
    let slot = space.tables[0].machine() + 8 * index(DATA, 1);
    assert_eq!(set_entry(slot, space.tables[0].entry(mmu::READ_ONLY)), 0);
    let frame = space.run_code(write_table());
    assert_eq!((frame.vector, frame.error, area().cr2), (14, 7, DATA + 8));
}

fn single_step() {
    let space = UserSpace::new();
    space.load(&[0x90, 0x90, 0x90]);
    let mut frame = start_frame();
    frame.rflags |= 0x100;
    let back = run(&frame);
    assert_eq!(
        (back.vector, back.rip, back.rflags & 0x100),
        (1, CODE + 1, 0x100)
    );
}

fn fpu() {
    let space = UserSpace::new();
    assert_eq!(call2(nr::FPU_TASKSWITCH, 1, 0), 0);
    // fninit; ud2
    let frame = space.run_code(&[0xdb, 0xe3, 0x0f, 0x0b]);
    assert_eq!((frame.vector, frame.rip), (7, CODE));
    assert_eq!(run(&start_frame()).vector, 6);
}

fn with_event(mask_cleared: bool) -> Frame {
    let space = UserSpace::new();
    space.load(&[0x0f, 0x0b]);
    let port = events::bind_ipi(0).expect("bind_ipi");
    events::set_masked(port, false);
    events::quiet();
    assert_eq!(events::send(port), 0);
    let mut frame = start_frame();
    frame.rflags |= if mask_cleared { 0x200 } else { 0 };
    let back = run(&frame);
    assert!(events::clear_pending(port));
    events::quiet();
    assert_eq!(events::close(port), 0);
    back
}

fn upcall() {
    let frame = with_event(true);
    assert_eq!(
        (frame.vector, frame.rip, frame.cs()),
        (EVENT, CODE, FLAT_CS64)
    );
    assert_eq!(frame.saved_mask(), 0);
}

fn upcall_masked() {
    assert_eq!(with_event(false).vector, 6);
    assert_eq!(vcpu_info().mask, 1);
}

fn space_switch() {
    let (first, second) = (UserSpace::new(), UserSpace::new());
    first.data.words()[0] = 1;
    second.data.words()[0] = 2;
    first.load(read_data());
    second.load(read_data());
    for (space, value) in [(&first, 1), (&second, 2), (&first, 1)] {
        space.activate();
        assert_eq!(run(&start_frame()).rax, value);
    }
}

fn space_change() {
    let space = UserSpace::new();
    let other = guest_kit::pages::Page::take();
    (space.data.words()[0], other.words()[0]) = (1, 2);
    assert_eq!(space.run_code(read_data()).rax, 1);
    let slot = space.tables[0].machine() + 8 * index(DATA, 1);
    assert_eq!(set_entry(slot, other.entry(mmu::READ_ONLY)), 0);
    assert_eq!(mmuext_one(ext::TLB_FLUSH_LOCAL, 0, 0), 0);
    assert_eq!(run(&start_frame()).rax, 2);
}
