//! The calls that belong nowhere else: `multicall`, `vm_assist`, `console_io`, `physdev_op`,
//! `platform_op`, `nmi_op`, and what unknown numbers give.

use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::hypercall::errno::*;
use guest_kit::hypercall::*;
use guest_kit::pages::Page;

/// The group.
pub const GROUP: Group = Group {
    name: "calls",
    cases: &[
        case!(
            "call-unknown",
            "numbers without a hypercall give ENOSYS",
            unknown
        ),
        case!(
            "call-arch-unknown",
            "so do the architecture's spare ones",
            arch_unknown
        ),
        case!(
            "call-registers",
            "a hypercall keeps the registers that carry no argument",
            registers
        ),
        case!(
            "multicall",
            "a multicall runs its calls in order and stores each result",
            multicall_order
        ),
        case!(
            "multicall-failing",
            "a call that fails does not stop it",
            multicall_failing
        ),
        case!(
            "multicall-nested",
            "a multicall inside a multicall has the result EINVAL",
            multicall_nested
        ),
        case!("multicall-empty", "an empty one succeeds", multicall_empty),
        case!(
            "multicall-bad-pointer",
            "entries at a bad address give EFAULT",
            multicall_bad
        ),
        case!(
            "multicall-readonly",
            "entries that cannot be written give EFAULT",
            multicall_readonly
        ),
        case!(
            "vm-assist",
            "the assists for page tables and runstate switch on and off",
            vm_assist
        ),
        case!(
            "vm-assist-bad",
            "unknown assists give EINVAL, unknown commands ENOSYS",
            vm_assist_bad
        ),
        case!(
            "console-write-bad",
            "console_io refuses bad pointers and unknown commands",
            console_bad
        ),
        case!(
            "console-read",
            "a read with nothing typed gives 0",
            console_read
        ),
        case!(
            "physdev-unknown",
            "unknown operations give ENOSYS",
            physdev_unknown
        ),
        case!(
            "physdev-irq-status",
            "irq_status_query refuses a PIRQ out of range",
            physdev_irq
        ),
        case!(
            "physdev-eoi-map",
            "the EOI bitmap's frame must be ours, and is set once",
            physdev_eoi
        ),
        case!(
            "platform-version",
            "platform_op refuses another interface version",
            platform_version
        ),
        case!(
            "platform-cpuinfo",
            "get_cpuinfo says which processors are present",
            platform_cpuinfo
        ),
        case!(
            "platform-unknown",
            "unknown operations give ENOSYS",
            platform_unknown
        ),
        case!(
            "nmi-callback",
            "a second NMI callback replaces the first; unregister takes it away",
            nmi_callback
        ),
        case!(
            "nmi-bad",
            "a non-canonical address gives EINVAL, an unknown operation ENOSYS",
            nmi_bad
        ),
        case!(
            "sysctl-version",
            "sysctl and domctl refuse another interface version",
            control_version
        ),
        case!(
            "hvm-op-unknown",
            "unknown operations of hvm_op give ENOSYS",
            hvm_unknown
        ),
        case!(
            "xsm-op",
            "xsm_op without a security module gives ENOSYS",
            xsm
        ),
        case!("removed-calls", "tmem_op, removed, gives ENOSYS", removed),
    ],
};

fn unknown() {
    for number in [
        11,
        38,
        43,
        44,
        47,
        50,
        55,
        56,
        63,
        64,
        100,
        0xffff_ffff,
        u64::MAX,
    ] {
        assert_eq!(call2(number, 0, 0), ENOSYS, "{number}");
    }
}

fn arch_unknown() {
    for number in 50..56 {
        assert_eq!(call2(number, 0, 0), ENOSYS, "{number}");
    }
}

fn registers() {
    let (rbx, rbp, r12, r15): (u64, u64, u64, u64);
    unsafe {
        core::arch::asm!(
            "push rbx", "push rbp", "push r12", "push r15",
            "mov rbx, 0x1111", "mov rbp, 0x2222", "mov r12, 0x3333", "mov r15, 0x4444",
            "syscall",
            "mov rdx, rbx", "mov rsi, rbp", "mov rdi, r12", "mov r8, r15",
            "pop r15", "pop r12", "pop rbp", "pop rbx",
            inout("rax") nr::XEN_VERSION => _,
            out("rcx") _, out("r11") _, lateout("r10") _, lateout("r9") _,
            inout("rdi") 0u64 => r12, inout("rsi") 0u64 => rbp,
            lateout("rdx") rbx, lateout("r8") r15,
        )
    };
    assert_eq!((rbx, rbp, r12, r15), (0x1111, 0x2222, 0x3333, 0x4444));
}

/// `struct multicall_entry`: number, result, six arguments.
type Entry = [u64; 8];

fn entry(number: u64, arguments: [u64; 3]) -> Entry {
    let [a, b, c] = arguments;
    [number, 0xdead, a, b, c, 0, 0, 0]
}

fn multicall(entries: &mut [Entry]) -> i64 {
    call2(
        nr::MULTICALL,
        entries.as_mut_ptr() as u64,
        entries.len() as u64,
    )
}

fn multicall_order() {
    let page = Page::take();
    let set = |value| {
        let list = Page::take();
        list.words()[..2].copy_from_slice(&[page.machine(), value]);
        let mut entry = entry(nr::MMU_UPDATE, [list.va, 1, 0]);
        entry[5] = DOMID_SELF;
        entry
    };
    let mut entries = [set(1), entry(nr::XEN_VERSION, [0, 0, 0]), set(2)];
    assert_eq!(multicall(&mut entries), 0);
    assert_eq!(entries.map(|entry| entry[1]), [0, 4 << 16 | 17, 0]);
    assert_eq!(page.words()[0], 2);
}

fn multicall_failing() {
    let mut entries = [
        entry(nr::XEN_VERSION, [99, 0, 0]),
        entry(63, [0, 0, 0]),
        entry(nr::XEN_VERSION, [0, 0, 0]),
    ];
    assert_eq!(multicall(&mut entries), 0);
    let results = entries.map(|entry| entry[1] as i64);
    assert_eq!(results, [ENOSYS, ENOSYS, 4 << 16 | 17]);
}

fn multicall_nested() {
    let mut inner = [entry(nr::XEN_VERSION, [0, 0, 0])];
    let mut outer = [entry(nr::MULTICALL, [inner.as_mut_ptr() as u64, 1, 0])];
    assert_eq!(multicall(&mut outer), 0);
    assert_eq!(outer[0][1] as i64, EINVAL);
    assert_eq!(inner[0][1], 0xdead);
}

fn multicall_empty() {
    assert_eq!(multicall(&mut []), 0);
}

fn multicall_bad() {
    for pointer in [
        0u64,
        0xffff_8300_0000_0000,
        0x8000_0000_0000_0000,
        0x7000_0000_0000,
    ] {
        assert_eq!(call2(nr::MULTICALL, pointer, 1), EFAULT, "{pointer:#x}");
    }
}

fn multicall_readonly() {
    let page = Page::take();
    page.words()[..8].copy_from_slice(&entry(nr::XEN_VERSION, [0, 0, 0]));
    page.make_readonly();
    assert_eq!(call2(nr::MULTICALL, page.va, 1), EFAULT);
}

fn assist(command: u64, kind: u64) -> i64 {
    call2(nr::VM_ASSIST, command, kind)
}

fn vm_assist() {
    // writable_pagetables, architectural_iopl, runstate_update_flag
    for kind in [2, 4, 5] {
        assert_eq!((assist(0, kind), assist(1, kind)), (0, 0), "assist {kind}");
    }
}

fn vm_assist_bad() {
    for kind in [6, 31, 63, 64, 1000] {
        assert_eq!(assist(0, kind), EINVAL, "assist {kind}");
    }
    for command in [2, 100] {
        assert_eq!(assist(command, 4), ENOSYS, "command {command}");
    }
}

fn console_bad() {
    for pointer in [0xffff_8300_0000_0000, 0x8000_0000_0000_0000] {
        assert_eq!(
            call3(nr::CONSOLE_IO, 0, 10, pointer),
            EFAULT,
            "{pointer:#x}"
        );
    }
    for command in [2, 100] {
        assert_eq!(call3(nr::CONSOLE_IO, command, 0, 0), ENOSYS);
    }
}

fn console_read() {
    let page = Page::take();
    assert_eq!(call3(nr::CONSOLE_IO, 1, 100, page.va), 0);
}

fn physdev_unknown() {
    let argument = [0u64; 8];
    for operation in [1, 2, 3, 33, 100] {
        assert_eq!(physdev_op(operation, at(&argument)), ENOSYS, "{operation}");
    }
}

fn physdev_irq() {
    for pirq in [5000u32, u32::MAX] {
        assert_eq!(physdev_op(5, at(&[pirq, 0])), EINVAL);
    }
}

fn physdev_eoi() {
    for mfn in [0xff_ffff, crate::mmu_entries::hypervisor_mfn()] {
        assert_eq!(physdev_op(28, at(&[mfn])), EINVAL, "{mfn:#x}");
    }
    let page = Page::take();
    // Once a boot, and `pirq-end-page` may have done it.
    assert!([0, EBUSY].contains(&physdev_op(28, at(&[page.mfn()]))));
    assert_eq!(physdev_op(28, at(&[page.mfn()])), EBUSY);
}

/// A `struct xen_platform_op`: command, interface version, and the operation's argument.
fn platform(command: u32, version: u32, fill: impl FnOnce(&mut [u64])) -> (i64, Page) {
    let page = Page::take();
    page.words()[0] = command as u64 | (version as u64) << 32;
    fill(&mut page.words()[1..]);
    (call2(nr::PLATFORM_OP, page.va, 0), page)
}

const PLATFORM_VERSION: u32 = 0x0300_0001;

fn platform_version() {
    for version in [0, 1, PLATFORM_VERSION + 1] {
        assert_eq!(platform(55, version, |_| ()).0, EACCES);
    }
}

fn platform_cpuinfo() {
    let (result, page) = platform(55, PLATFORM_VERSION, |_| ());
    assert_eq!(result, 0);
    // xen_cpuid, max_present, flags, apic_id, acpi_id
    let max_present = page.words()[1] >> 32;
    let flags = page.words()[2] as u32;
    assert!(
        max_present >= 1 && flags & 1 == 1,
        "{max_present} {flags:#x}"
    );
}

fn platform_unknown() {
    for command in [0, 100, u32::MAX] {
        assert_eq!(
            platform(command, PLATFORM_VERSION, |_| ()).0,
            ENOSYS,
            "{command}"
        );
    }
}

fn nmi_op(operation: u64, address: u64) -> i64 {
    call2(nr::NMI_OP, operation, at(&[address, 0]))
}

fn nmi_callback() {
    let entry = guest_kit::trap_entry::stub(2);
    assert_eq!((nmi_op(0, entry), nmi_op(0, entry)), (0, 0));
    assert_eq!(nmi_op(1, 0), 0);
}

fn nmi_bad() {
    assert_eq!(nmi_op(0, 0x8000_0000_0000_0000), EINVAL);
    assert_eq!(call2(nr::NMI_OP, 0, 0xffff_8300_0000_0000), EFAULT);
    for operation in [2, 100] {
        assert_eq!(nmi_op(operation, 0), ENOSYS);
    }
}

fn control_version() {
    let page = Page::take();
    page.words()[0] = 1 | 0x1234 << 32;
    assert_eq!(call2(nr::SYSCTL, page.va, 0), EACCES);
    assert_eq!(call2(nr::DOMCTL, page.va, 0), EACCES);
}

fn hvm_unknown() {
    for operation in [100, 0xffff] {
        assert_eq!(call2(nr::HVM_OP, operation, 0), ENOSYS);
    }
}

fn xsm() {
    assert_eq!(call2(nr::XSM_OP, Page::take().va, 0), ENOSYS);
}

fn removed() {
    assert_eq!(call2(nr::TMEM_OP, Page::take().va, 0), ENOSYS);
}
