//! Segment bases, debug registers, the FPU's task-switched flag, the kernel stack.

use core::arch::asm;
use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::hypercall::errno::*;
use guest_kit::hypercall::*;
use guest_kit::pages::Page;
use guest_kit::trap::{catch, expect_fault, FLAT_SS};
use guest_kit::user::UserSpace;

/// The group.
pub const GROUP: Group = Group {
    name: "registers",
    cases: &[
        case!(
            "segment-base",
            "set_segment_base sets FS and the kernel's GS",
            bases
        ),
        case!(
            "segment-base-non-canonical",
            "it refuses a non-canonical base for each",
            non_canonical
        ),
        case!(
            "segment-base-unknown",
            "it refuses anything but 0 to 3",
            unknown
        ),
        case!(
            "segment-base-selector",
            "GS_USER_SEL takes a selector, a bad one too",
            selector
        ),
        case!(
            "segment-base-user-gs",
            "the user's GS base is in force in user mode",
            user_gs
        ),
        case!("debug-registers", "addresses are kept and read back", debug),
        case!(
            "debug-hypervisor-address",
            "a breakpoint on the hypervisor's addresses is refused",
            debug_hypervisor
        ),
        case!(
            "debug-control-bits",
            "bad bits of DR6 and DR7 are refused",
            debug_control
        ),
        case!(
            "debug-no-register",
            "registers beyond 7 give ENODEV, 4 and 5 are 6 and 7",
            debug_none
        ),
        case!(
            "debug-breakpoint",
            "a data breakpoint arrives as vector 1 with its bit in DR6",
            breakpoint
        ),
        case!(
            "debug-mov",
            "MOV to and from debug registers does the same",
            debug_mov
        ),
        case!(
            "fpu-taskswitch",
            "with TS set the FPU is vector 7, once: the trap clears TS",
            taskswitch
        ),
        case!(
            "fpu-state",
            "the FPU's registers live across hypercalls",
            fpu_state
        ),
        case!(
            "stack-switch",
            "the kernel stack set is where traps of user mode land",
            stack
        ),
    ],
};

fn gs_word() -> u64 {
    let value: u64;
    unsafe { asm!("mov {}, gs:[0]", out(reg) value) };
    value
}

fn bases() {
    let page = Page::take();
    page.words()[0] = 77;
    assert_eq!(set_segment_base(2, page.va), 0);
    assert_eq!(gs_word(), 77);
    assert_eq!(set_segment_base(2, 0), 0);
    assert_eq!(set_segment_base(0, page.va), 0);
    let value: u64;
    unsafe { asm!("mov {}, fs:[0]", out(reg) value) };
    assert_eq!(value, 77);
    assert_eq!(set_segment_base(0, 0), 0);
}

fn non_canonical() {
    for which in 0..3 {
        for base in [
            0x8000_0000_0000_0000,
            0x0000_8000_0000_0000,
            0xffff_7fff_ffff_ffff,
        ] {
            assert_eq!(set_segment_base(which, base), EINVAL, "{which} {base:#x}");
        }
        assert_eq!(set_segment_base(which, 0xffff_ffff_ffff_f000), 0);
        assert_eq!(set_segment_base(which, 0), 0);
    }
}

fn unknown() {
    for which in [4, 5, 1000, u32::MAX as u64] {
        assert_eq!(set_segment_base(which, 0), EINVAL, "{which}");
    }
}

fn selector() {
    for selector in [0, 0xe02b, 0x1238, 0x7] {
        assert_eq!(set_segment_base(3, selector), 0, "{selector:#x}");
    }
    assert_eq!(set_segment_base(3, 0), 0);
}

guest_kit::user_code!(read_gs, "mov rax, gs:[0]", "ud2");

fn user_gs() {
    let space = UserSpace::new();
    space.data.words()[0] = 0x4711;
    assert_eq!(set_segment_base(1, guest_kit::user::DATA), 0);
    let frame = space.run_code(read_gs());
    assert_eq!((frame.vector, frame.rax), (6, 0x4711));
    assert_eq!(set_segment_base(1, 0), 0);
}

fn set_debug(register: u64, value: u64) -> i64 {
    call2(nr::SET_DEBUGREG, register, value)
}

fn get_debug(register: u64) -> u64 {
    call2(nr::GET_DEBUGREG, register, 0) as u64
}

fn debug() {
    for register in 0..4 {
        let address = 0x1000 + register * 8;
        assert_eq!(set_debug(register, address), 0);
        assert_eq!(get_debug(register), address);
        assert_eq!(set_debug(register, 0), 0);
    }
}

fn debug_hypervisor() {
    for register in 0..4 {
        for address in [
            0xffff_8300_0000_0000,
            0xffff_82d0_4000_0000,
            0x8000_0000_0000_0000,
        ] {
            assert_eq!(
                set_debug(register, address),
                EPERM,
                "{register} {address:#x}"
            );
            assert_eq!(get_debug(register), 0);
        }
    }
}

fn debug_control() {
    assert_eq!(set_debug(7, 1 << 32), EINVAL);
    assert_eq!(set_debug(7, 1 << 63), EINVAL);
    assert_eq!(set_debug(6, 1 << 32), EINVAL);
    // An I/O breakpoint wants CR4.DE, which is off.
    assert_eq!(set_debug(7, 2 << 16 | 2), EPERM);
    assert_eq!(get_debug(7), 0x400);
    assert_eq!(set_debug(6, 0), 0);
    assert_eq!(get_debug(6), 0xffff_0ff0);
}

fn debug_none() {
    for register in [8, 100, u32::MAX as u64] {
        assert_eq!(set_debug(register, 0), ENODEV);
        assert_eq!(get_debug(register) as i64, ENODEV);
    }
    // Without CR4.DE, 4 and 5 are 6 and 7.
    assert_eq!((get_debug(4), get_debug(5)), (get_debug(6), get_debug(7)));
}

fn breakpoint() {
    let page = Page::take();
    assert_eq!(set_debug(6, 0xffff_0ff0), 0);
    assert_eq!(set_debug(0, page.va), 0);
    // Local enable 0, on writes, 8 bytes.
    assert_eq!(set_debug(7, 1 | 0b1001 << 16), 0);
    let caught = catch(|| unsafe { (page.va as *mut u64).write_volatile(5) });
    assert_eq!(set_debug(7, 0), 0);
    assert_eq!(caught.expect("no breakpoint").vector, 1);
    assert_eq!(page.words()[0], 5, "it comes after the write");
    assert_eq!(get_debug(6) & 0xf, 1);
    assert_eq!(set_debug(6, 0xffff_0ff0), 0);
    assert_eq!(set_debug(0, 0), 0);
}

fn debug_mov() {
    unsafe { asm!("mov dr1, {}", in(reg) 0x2000u64) };
    assert_eq!(get_debug(1), 0x2000);
    let value: u64;
    unsafe { asm!("mov {}, dr1", out(reg) value) };
    assert_eq!(value, 0x2000);
    let bad = 0xffff_8300_0000_0000u64;
    let frame = expect_fault(|| unsafe { asm!("mov dr1, {}", in(reg) bad) });
    assert_eq!((frame.vector, frame.error), (13, 0));
    assert_eq!(set_debug(1, 0), 0);
}

fn fpu_taskswitch(set: u64) -> i64 {
    call2(nr::FPU_TASKSWITCH, set, 0)
}

fn taskswitch() {
    assert_eq!(fpu_taskswitch(1), 0);
    let frame = expect_fault(|| unsafe { asm!("fninit") });
    assert_eq!((frame.vector, frame.error), (7, 0));
    assert!(catch(|| unsafe { asm!("fninit") }).is_none());
    assert_eq!(fpu_taskswitch(1), 0);
    assert_eq!(fpu_taskswitch(0), 0);
    assert!(catch(|| unsafe { asm!("fninit") }).is_none());
}

fn fpu_state() {
    let (written, read) = (0x0123_4567_89ab_cdefu64, 0u64);
    let mut read = read;
    unsafe { asm!("movq xmm7, [{}]", in(reg) &raw const written) };
    sched_op(0, 0);
    xen_version(0, 0);
    unsafe { asm!("movq [{}], xmm7", in(reg) &raw mut read) };
    assert_eq!(read, written);
}

fn stack() {
    let space = UserSpace::new();
    let frame = space.run_code(&[0x0f, 0x0b]);
    let base = guest_kit::vcpu::area_address(0) + guest_kit::vcpu::BOUNCE_STACK as u64;
    assert_eq!(frame.vector, 6);
    // The kit's entry code found the bounce frame right below the stack set: 7 words.
    let words = (base - 40) as *const u64;
    let (rip, cs) = unsafe { (words.read(), words.add(1).read()) };
    assert_eq!((rip, cs & 0xffff), (guest_kit::user::CODE, 0xe033));
    assert_eq!(
        stack_switch(FLAT_SS, 0x8000_0000_0000_0000),
        0,
        "checked on use only"
    );
}
