//! Guest pointers that lead nowhere, given to every hypercall that takes one: null, unmapped, the
//! hypervisor's, non-canonical, and a structure that runs from a mapped page into an unmapped one.
//! The answer is an error (EFAULT but where noted), and the guest lives on.

use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::grants;
use guest_kit::hypercall::errno::*;
use guest_kit::hypercall::*;
use guest_kit::pages::Page;

/// Pointers to nothing, each with a name for the failure message.
fn bad_pointers() -> [(&'static str, u64); 6] {
    let pages = Page::take_run(2);
    pages.next(1).unmap();
    [
        ("unmapped", 0x7000_0000_0000),
        ("hypervisor", 0xffff_8300_0000_0000),
        ("end of the hypervisor", 0xffff_87ff_ffff_ffff),
        ("non-canonical", 0x8000_0000_0000_0000),
        ("just non-canonical", 0x0000_7fff_ffff_ffff),
        ("crossing", pages.va + 4095),
    ]
}

/// Asserts that a call gives an errno for each bad pointer and for null.
#[track_caller]
fn check_with_null(expected: i64, call: impl Fn(u64) -> i64) {
    assert_eq!(call(0), expected, "null");
    check(expected, call);
}

/// The same where null means something.
#[track_caller]
fn check(expected: i64, call: impl Fn(u64) -> i64) {
    for (name, pointer) in bad_pointers() {
        assert_eq!(call(pointer), expected, "{name} {pointer:#x}");
    }
    assert_eq!(xen_version(0, 0), 4 << 16 | 17, "the guest lives on");
}

macro_rules! pointer_cases {
    ($($name:literal $function:ident $body:expr;)+) => {
        $(fn $function() { $body })+

        /// The group.
        pub const GROUP: Group = Group {
            name: "pointers",
            cases: &[$(case!($name, "bad pointers give an error and nothing else", $function)),+],
        };
    };
}

fn list(number: u64, pointer: u64) -> i64 {
    call(number, [pointer, 1, 0, DOMID_SELF, 0, 0])
}

pointer_cases! {
    "pointer-set-trap-table" trap_table check(EFAULT, |p| call2(nr::SET_TRAP_TABLE, p, 0));
    "pointer-mmu-update" mmu_update check_with_null(EFAULT, |p| list(nr::MMU_UPDATE, p));
    "pointer-mmu-update-done" mmu_update_done done_count(nr::MMU_UPDATE);
    "pointer-mmuext-op" mmuext_op check_with_null(EFAULT, |p| list(nr::MMUEXT_OP, p));
    "pointer-set-gdt" set_gdt check_with_null(EFAULT, |p| call2(nr::SET_GDT, p, 512));
    "pointer-platform-op" platform_op check_with_null(EFAULT, |p| call2(nr::PLATFORM_OP, p, 0));
    "pointer-multicall" multicall check_with_null(EFAULT, |p| call2(nr::MULTICALL, p, 2));
    "pointer-xen-version" version xen_version_pointers();
    "pointer-console-io" console {
        check_with_null(EFAULT, |p| call3(nr::CONSOLE_IO, 0, 2, p));
    };
    "pointer-grant-table-op" granting grant_pointers();
    "pointer-vcpu-op" vcpu_operations for operation in [0, 4, 5, 6, 8, 10, 13] {
        let vcpu = (operation == 0) as u64;
        check_with_null(EFAULT, |p| vcpu_op(operation, vcpu, p));
    };
    "pointer-sched-op" sched for operation in [2, 3, 4, 6] {
        check_with_null(EFAULT, |p| sched_op(operation, p));
    };
    "pointer-callback-op" callback for operation in [0, 1] {
        check_with_null(EFAULT, |p| call2(nr::CALLBACK_OP, operation, p));
    };
    "pointer-event-channel-op" channels for operation in 0..14 {
        check_with_null(EFAULT, |p| event_channel_op(operation, p));
    };
    "pointer-physdev-op" physdev for operation in PHYSDEV_OPERATIONS {
        check_with_null(EFAULT, |p| physdev_op(operation, p));
    };
    "pointer-nmi-op" nmi check_with_null(EFAULT, |p| call2(nr::NMI_OP, 0, p));
    "pointer-sysctl" sysctl check_with_null(EFAULT, |p| call2(nr::SYSCTL, p, 0));
    "pointer-domctl" domctl check_with_null(EFAULT, |p| call2(nr::DOMCTL, p, 0));
    "pointer-memory-op" memory for operation in [3, 4, 5, 9, 10, 11, 12, 13, 14] {
        check_with_null(EFAULT, |p| memory_op(operation, p));
    };
    "pointer-memory-translated" memory_translated for operation in [7, 15, 16, 17, 23, 24, 26, 27, 28] {
        check_with_null(EFAULT, |p| memory_op(operation, p));
    };
    "pointer-memory-extents" extents for operation in [0, 1, 6] {
        check_with_null(0, |p| memory_op(operation, p));
    };
    "pointer-hvm-op" hvm for operation in [0, 1] {
        check_with_null(EFAULT, |p| call2(nr::HVM_OP, operation, p));
    };
    "pointer-kexec-op" kexec {
        check_with_null(EFAULT, |p| call2(nr::KEXEC_OP, 0, p));
    };
    "pointer-mca" mca check_with_null(EFAULT, |p| call2(nr::MCA, p, 0));
    "pointer-dm-op" dm check(EFAULT, |p| call3(nr::DM_OP, 1, 1, p));
}

/// Every operation of `physdev_op` that takes an argument.
const PHYSDEV_OPERATIONS: [u64; 22] = [
    5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17, 19, 21, 23, 24, 25, 26, 27, 28, 30, 31,
];

/// The counter of done operations is written last: where it cannot be, the operations stand and
/// nobody is told.
fn done_count(number: u64) {
    for (_, pointer) in bad_pointers() {
        let page = Page::take();
        let request = [page.machine(), 5];
        let result = call(number, [at(&request), 1, pointer, DOMID_SELF, 0, 0]);
        assert_eq!((result, page.words()[0]), (0, 5), "{pointer:#x}");
    }
}

fn xen_version_pointers() {
    for command in [1, 2, 3, 4, 5, 6, 8, 9] {
        check_with_null(EFAULT, |p| xen_version(command, p));
    }
    check(EFAULT, |p| xen_version(10, p));
}

fn grant_pointers() {
    for operation in (0..13).filter(|operation| *operation != 3) {
        check_with_null(EFAULT, |p| grants::table_op(operation, p, 1));
    }
}
