//! The trap table and the callbacks, and what each exception's frame holds.

use core::arch::asm;
use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::events::vcpu_info;
use guest_kit::hypercall::errno::*;
use guest_kit::hypercall::*;
use guest_kit::pages::Page;
use guest_kit::trap::*;
use guest_kit::vcpu::area;

/// The group.
pub const GROUP: Group = Group {
    name: "traps",
    cases: &[
        case!(
            "trap-table-non-canonical",
            "set_trap_table refuses a non-canonical address",
            table_bad
        ),
        case!(
            "trap-table-hypervisor",
            "it takes a hypervisor address: entry is in ring 3 anyway",
            table_hypervisor
        ),
        case!(
            "trap-hypervisor-gate",
            "a gate there faults in guest kernel when it is taken",
            hypervisor_gate
        ),
        case!(
            "trap-table-clear",
            "a null pointer clears the whole table",
            table_clear
        ),
        case!(
            "trap-mask-flag",
            "flag 4 masks events on entry, its absence leaves them",
            mask_flag
        ),
        case!(
            "trap-saved-mask",
            "the upper half of the saved CS holds the upcall mask",
            saved_mask
        ),
        case!(
            "trap-kernel-cs",
            "the saved CS of guest kernel has RPL 0",
            kernel_cs
        ),
        case!(
            "trap-divide",
            "a division by zero is vector 0 at the instruction",
            divide
        ),
        case!(
            "trap-breakpoint",
            "INT3 is vector 3 after the instruction",
            breakpoint
        ),
        case!(
            "trap-breakpoint-dpl",
            "whatever its gate's DPL",
            breakpoint_dpl
        ),
        case!(
            "trap-undefined",
            "UD2 is vector 6 at the instruction",
            undefined
        ),
        case!(
            "trap-single-step",
            "the trap flag gives vector 1 after one instruction",
            single_step
        ),
        case!(
            "trap-general-protection",
            "a non-canonical access is vector 13 with error 0",
            general_protection
        ),
        case!(
            "trap-stack",
            "a non-canonical stack access is vector 12 (in QEMU 13) with error 0",
            stack_fault
        ),
        case!(
            "trap-privileged",
            "HLT, LIDT, LTR are vector 13 with error 0",
            privileged
        ),
        case!(
            "page-fault-codes",
            "page faults of guest kernel give error codes without the user bit",
            fault_codes
        ),
        case!(
            "page-fault-cr2",
            "vcpu_info holds the address of the fault",
            fault_address
        ),
        case!(
            "page-fault-hypervisor",
            "an access to the hypervisor's addresses faults as protection",
            fault_hypervisor
        ),
        case!(
            "int-n-gate",
            "INT n of guest kernel needs a gate with DPL 1 or more",
            int_gate
        ),
        case!(
            "int-n-no-gate",
            "INT n without a gate is vector 13 with an IDT error code",
            int_no_gate
        ),
        case!(
            "callback-non-canonical",
            "callback_op refuses non-canonical addresses of every type",
            callback_bad
        ),
        case!(
            "callback-hypervisor",
            "but takes hypervisor addresses: entry is in ring 3",
            callback_hypervisor
        ),
        case!(
            "callback-unknown",
            "unknown types give ENOSYS, unknown operations too",
            callback_unknown
        ),
        case!(
            "callback-unregister",
            "the required callbacks cannot be unregistered",
            callback_unregister
        ),
        case!(
            "set-callbacks",
            "the old set_callbacks ignores non-canonical addresses and says 0",
            set_callbacks
        ),
        case!(
            "iret-bad-selector",
            "an IRET to a bad code selector is vector 13 at its target",
            iret_bad_selector
        ),
        case!(
            "iret-absent-selector",
            "so is one to a code selector behind the end of the GDT",
            iret_absent_selector
        ),
        case!(
            "iret-restores",
            "the iret hypercall restores flags and the upcall mask",
            iret_restores
        ),
    ],
};

const NON_CANONICAL: u64 = 0x8000_0000_0000_0000;

fn row(vector: u8, flags: u8, address: u64) -> [TrapInfo; 2] {
    let mut row = TrapInfo::own(vector);
    row.flags = flags;
    row.address = address;
    [row, TrapInfo::default()]
}

fn table_bad() {
    for address in [NON_CANONICAL, 0x0000_8000_0000_0000, 0xffff_7fff_ffff_ffff] {
        assert_eq!(
            set_trap_table(&row(0x90, 4, address)),
            EINVAL,
            "{address:#x}"
        );
    }
}

fn table_hypervisor() {
    assert_eq!(set_trap_table(&row(0x90, 4, 0xffff_82d0_0000_0000)), 0);
    install();
}

fn hypervisor_gate() {
    let target = 0xffff_82d0_4020_0000;
    assert_eq!(set_trap_table(&row(3, 7, target)), 0);
    let frame = expect_fault(|| unsafe { asm!("int3") });
    install();
    assert_eq!((frame.vector, frame.rip), (14, target));
    assert_eq!((frame.cs(), area().cr2), (FLAT_CS64 & !3, target));
}

fn table_clear() {
    assert_eq!(expect_fault(|| unsafe { asm!("int3") }).vector, 3);
    assert_eq!(call2(nr::SET_TRAP_TABLE, 0, 0), 0);
    let gp = row(13, 4, TrapInfo::own(13).address);
    assert_eq!(set_trap_table(&gp), 0);
    assert_eq!(expect_fault(|| unsafe { asm!("hlt") }).vector, 13);
    install();
    assert_eq!(expect_fault(|| unsafe { asm!("int3") }).vector, 3);
}

static mut MASK_SEEN: u8 = 0xff;

fn note_mask(_: &mut Frame) -> bool {
    unsafe { MASK_SEEN = vcpu_info().mask };
    false
}

fn mask_flag() {
    for (flags, expected) in [(3, 0), (7, 1)] {
        assert_eq!(set_trap_table(&row(3, flags, TrapInfo::own(3).address)), 0);
        vcpu_info().mask = 0;
        with_hook(note_mask, || expect_fault(|| unsafe { asm!("int3") }));
        vcpu_info().mask = 1;
        assert_eq!(unsafe { MASK_SEEN }, expected, "flags {flags}");
    }
    install();
}

fn saved_mask() {
    for mask in [0, 1] {
        vcpu_info().mask = mask;
        let frame = expect_fault(|| unsafe { asm!("int3") });
        vcpu_info().mask = 1;
        assert_eq!(frame.saved_mask(), mask);
        assert_eq!(
            frame.rflags >> 9 & 1,
            1 - mask as u64,
            "IF is the mask, inverted"
        );
    }
}

fn kernel_cs() {
    let frame = expect_fault(|| unsafe { asm!("int3") });
    assert_eq!(frame.cs(), FLAT_CS64 & !3);
    assert_eq!(frame.ss & !3, FLAT_SS & !3);
}

/// Runs one instruction and gives its trap as (vector, error, bytes past the label 2).
macro_rules! trap_of {
    ($($line:literal),+ $(; $($operand:tt)+)?) => {{
        let mut start = 0u64;
        let frame = expect_fault(|| unsafe {
            asm!(
                "lea r9, [rip + 2f]",
                "mov [{start}], r9",
                $($line,)+
                start = in(reg) &raw mut start,
                out("r9") _, out("rax") _, out("rdx") _, out("rcx") _,
                $($($operand)+)?
            )
        });
        (frame.vector, frame.error, frame.rip.wrapping_sub(start) as i64)
    }};
}

fn divide() {
    let trap = trap_of!("xor ecx, ecx", "xor edx, edx", "mov eax, 1", "2: div ecx");
    assert_eq!(trap, (0, 0, 0));
}

fn breakpoint() {
    assert_eq!(trap_of!("2: int3"), (3, 0, 1));
}

fn breakpoint_dpl() {
    assert_eq!(set_trap_table(&row(3, 4, TrapInfo::own(3).address)), 0);
    let trap = trap_of!("2: int3");
    install();
    assert_eq!(trap, (3, 0, 1));
}

fn undefined() {
    assert_eq!(trap_of!("2: ud2"), (6, 0, 0));
}

fn single_step() {
    let trap = trap_of!(
        "pushfq",
        "or dword ptr [rsp], 0x100",
        "popfq",
        "2: nop",
        "nop"
    );
    assert_eq!(trap, (1, 0, 1));
}

fn general_protection() {
    let trap = trap_of!("mov rax, 0x8000000000000000", "2: mov rax, [rax]");
    assert_eq!(trap, (13, 0, 0));
}

fn stack_fault() {
    let trap = trap_of!(
        "mov rcx, rbp",
        "mov rbp, 0x8000000000000000",
        "xor edx, edx",
        "2: mov rax, [rbp]",
        "mov rbp, rcx"
    );
    // A processor says vector 12; QEMU says 13.
    assert!(trap == (12, 0, 0) || trap == (13, 0, 0), "{trap:?}");
}

fn privileged() {
    assert_eq!(trap_of!("2: hlt"), (13, 0, 0), "hlt");
    assert_eq!(trap_of!("2: lidt [rsp]"), (13, 0, 0), "lidt");
    assert_eq!(trap_of!("2: ltr ax"), (13, 0, 0), "ltr");
    assert_eq!(trap_of!("2: lmsw ax"), (13, 0, 0), "lmsw");
}

fn fault_codes() {
    let page = Page::take();
    let read = || unsafe { (page.va as *const u64).read_volatile() };
    let write = || unsafe { (page.va as *mut u64).write_volatile(1) };
    page.make_readonly();
    assert_eq!(expect_fault(write).error, 3, "write to read-only");
    page.unmap();
    assert_eq!(
        expect_fault(|| {
            read();
        })
        .error,
        0,
        "read of nothing"
    );
    assert_eq!(expect_fault(write).error, 2, "write to nothing");
    let run = || unsafe { core::mem::transmute::<u64, extern "C" fn()>(page.va)() };
    assert_eq!(expect_fault(run).error, 0x10, "fetch of nothing");
}

fn fault_address() {
    let page = Page::take().unmap();
    for offset in [0, 8, 0xff8] {
        let frame = expect_fault(|| unsafe { ((page.va + offset) as *mut u64).write_volatile(1) });
        assert_eq!(frame.vector, 14);
        assert_eq!(area().cr2, page.va + offset);
        assert_eq!(vcpu_info().cr2, page.va + offset);
    }
}

fn fault_hypervisor() {
    for address in [
        0xffff_8300_0000_0000u64,
        0xffff_82d0_4000_0000,
        0xffff_8000_0000_0000,
    ] {
        let frame = expect_fault(|| unsafe { (address as *mut u64).write_volatile(1) });
        assert_eq!((frame.vector, frame.error & !1), (14, 2), "{address:#x}");
        assert_eq!(area().cr2, address);
    }
}

// QEMU 7.2 gives INT n the error code n * 16 + 2 where a processor gives n * 8 + 2, so that a
// hypervisor which goes by the error code sees INT 48h as vector 90h. Both are taken here.
const INT_48_ERRORS: [u64; 2] = [0x48 * 8 + 2, 0x48 * 16 + 2];

fn int_gate() {
    let gates = |dpl: u8| {
        for vector in [0x48u8, 0x90] {
            assert_eq!(
                set_trap_table(&row(vector, 4 | dpl, TrapInfo::own(vector).address)),
                0
            );
        }
    };
    gates(0);
    let (vector, error, past) = trap_of!("2: int 0x48");
    assert_eq!((vector, past), (13, 0));
    assert!(INT_48_ERRORS.contains(&error), "{error:#x}");
    for dpl in [1, 3] {
        gates(dpl);
        let (vector, error, past) = trap_of!("2: int 0x48");
        assert!([0x48, 0x90].contains(&vector), "{vector:#x} with DPL {dpl}");
        assert_eq!((error, past), (0, 2));
    }
    gates(0);
}

fn int_no_gate() {
    let (vector, error, past) = trap_of!("2: int 0x48");
    assert_eq!((vector, past), (13, 0));
    assert!(INT_48_ERRORS.contains(&error), "{error:#x}");
}

/// Event, failsafe, syscall, NMI, sysenter, syscall32.
const CALLBACK_TYPES: [u16; 6] = [0, 1, 2, 4, 5, 7];

fn callback_bad() {
    for kind in CALLBACK_TYPES {
        for address in [NON_CANONICAL, 0x0000_8000_0000_0000] {
            assert_eq!(register_callback(kind, 0, address), EINVAL, "type {kind}");
        }
    }
}

fn callback_hypervisor() {
    for kind in CALLBACK_TYPES {
        assert_eq!(
            register_callback(kind, 0, 0xffff_82d0_0000_0000),
            0,
            "type {kind}"
        );
    }
    install_callbacks();
}

fn callback_unknown() {
    for kind in [3, 6, 8, 100, u16::MAX] {
        assert_eq!(register_callback(kind, 0, 0x1000), ENOSYS, "type {kind}");
        assert_eq!(call2(nr::CALLBACK_OP, 1, at(&kind)), ENOSYS, "type {kind}");
    }
    for operation in [2, 3, 100] {
        let argument = [0u64; 2];
        assert_eq!(call2(nr::CALLBACK_OP, operation, at(&argument)), ENOSYS);
    }
}

fn callback_unregister() {
    for kind in CALLBACK_TYPES {
        let expected = if kind == 4 { 0 } else { EINVAL };
        assert_eq!(
            call2(nr::CALLBACK_OP, 1, at(&kind)),
            expected,
            "type {kind}"
        );
    }
}

fn set_callbacks() {
    let [(_, event), (_, failsafe), (_, syscall), ..] = callback_entries();
    let set = |event, failsafe, syscall| call3(nr::SET_CALLBACKS, event, failsafe, syscall);
    assert_eq!(set(event, failsafe, syscall), 0);
    assert_eq!(set(NON_CANONICAL, NON_CANONICAL, NON_CANONICAL), 0);
    let space = guest_kit::user::UserSpace::new();
    assert_eq!(space.run_code(&[0x0f, 0x05]).vector, SYSCALL);
    install_callbacks();
}

fn iret_bad_selector() {
    let space = guest_kit::user::UserSpace::new();
    space.load(&[0x0f, 0x0b]);
    let mut frame = guest_kit::user::start_frame();
    frame.cs_and_mask = 0xffff;
    let back = guest_kit::user::run(&frame);
    assert_eq!((back.vector, back.error), (13, 0xfffc));
    assert_eq!((back.rip, back.cs()), (frame.rip, 0xffff));
}

fn iret_absent_selector() {
    let space = guest_kit::user::UserSpace::new();
    space.load(&[0x0f, 0x0b]);
    let mut frame = guest_kit::user::start_frame();
    frame.cs_and_mask = 0x1003;
    let back = guest_kit::user::run(&frame);
    assert_eq!((back.vector, back.error), (13, 0x1000));
    assert_eq!((back.rip, back.cs()), (frame.rip, 0x1003));
}

fn iret_restores() {
    let space = guest_kit::user::UserSpace::new();
    space.load(&[0x0f, 0x0b]);
    let mut frame = guest_kit::user::start_frame();
    frame.rflags = 0x2 | 0xcd5;
    let back = guest_kit::user::run(&frame);
    assert_eq!(back.vector, 6);
    assert_eq!(back.rflags & 0xcd5, 0xcd5);
    assert_eq!(back.saved_mask(), 1);
    frame.rflags = 0x202;
    let back = guest_kit::user::run(&frame);
    assert_eq!((back.saved_mask(), back.rflags & 0x200), (0, 0x200));
}
