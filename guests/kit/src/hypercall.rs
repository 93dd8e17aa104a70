//! Issuing hypercalls: the bare call, and a wrapper for each that a test uses often.
//!
//! Numbers and argument shapes come from the public headers; every wrapper returns what the
//! hypervisor put in RAX, negative for an errno.

use core::arch::asm;

/// Hypercall numbers (public/xen.h).
#[allow(missing_docs)]
pub mod nr {
    pub const SET_TRAP_TABLE: u64 = 0;
    pub const MMU_UPDATE: u64 = 1;
    pub const SET_GDT: u64 = 2;
    pub const STACK_SWITCH: u64 = 3;
    pub const SET_CALLBACKS: u64 = 4;
    pub const FPU_TASKSWITCH: u64 = 5;
    pub const SCHED_OP_COMPAT: u64 = 6;
    pub const PLATFORM_OP: u64 = 7;
    pub const SET_DEBUGREG: u64 = 8;
    pub const GET_DEBUGREG: u64 = 9;
    pub const UPDATE_DESCRIPTOR: u64 = 10;
    pub const MEMORY_OP: u64 = 12;
    pub const MULTICALL: u64 = 13;
    pub const UPDATE_VA_MAPPING: u64 = 14;
    pub const SET_TIMER_OP: u64 = 15;
    pub const EVENT_CHANNEL_OP_COMPAT: u64 = 16;
    pub const XEN_VERSION: u64 = 17;
    pub const CONSOLE_IO: u64 = 18;
    pub const PHYSDEV_OP_COMPAT: u64 = 19;
    pub const GRANT_TABLE_OP: u64 = 20;
    pub const VM_ASSIST: u64 = 21;
    pub const UPDATE_VA_MAPPING_OTHERDOMAIN: u64 = 22;
    pub const IRET: u64 = 23;
    pub const VCPU_OP: u64 = 24;
    pub const SET_SEGMENT_BASE: u64 = 25;
    pub const MMUEXT_OP: u64 = 26;
    pub const XSM_OP: u64 = 27;
    pub const NMI_OP: u64 = 28;
    pub const SCHED_OP: u64 = 29;
    pub const CALLBACK_OP: u64 = 30;
    pub const XENOPROF_OP: u64 = 31;
    pub const EVENT_CHANNEL_OP: u64 = 32;
    pub const PHYSDEV_OP: u64 = 33;
    pub const HVM_OP: u64 = 34;
    pub const SYSCTL: u64 = 35;
    pub const DOMCTL: u64 = 36;
    pub const KEXEC_OP: u64 = 37;
    pub const TMEM_OP: u64 = 38;
    pub const ARGO_OP: u64 = 39;
    pub const XENPMU_OP: u64 = 40;
    pub const DM_OP: u64 = 41;
    pub const HYPFS_OP: u64 = 42;
    pub const MCA: u64 = 48;
}

/// Error numbers as the interface returns them (public/errno.h), already negative.
#[allow(missing_docs)]
pub mod errno {
    pub const EPERM: i64 = -1;
    pub const ENOENT: i64 = -2;
    pub const ESRCH: i64 = -3;
    pub const ENXIO: i64 = -6;
    pub const E2BIG: i64 = -7;
    pub const ENOMEM: i64 = -12;
    pub const EACCES: i64 = -13;
    pub const EFAULT: i64 = -14;
    pub const EBUSY: i64 = -16;
    pub const EEXIST: i64 = -17;
    pub const EXDEV: i64 = -18;
    pub const ENODEV: i64 = -19;
    pub const EINVAL: i64 = -22;
    pub const ENOSPC: i64 = -28;
    pub const EDOM: i64 = -33;
    pub const ENOSYS: i64 = -38;
    pub const ETIME: i64 = -62;
    pub const ENOBUFS: i64 = -105;
    pub const EOPNOTSUPP: i64 = -95;
}

/// The domain that calls (public/xen.h).
pub const DOMID_SELF: u64 = 0x7ff0;

/// The bare hypercall: number in RAX, arguments in RDI, RSI, RDX, R10, R8, R9, by `syscall`.
#[inline(always)]
pub fn call(number: u64, args: [u64; 6]) -> i64 {
    let result: i64;
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as i64 => result,
            inlateout("rdi") args[0] => _,
            inlateout("rsi") args[1] => _,
            inlateout("rdx") args[2] => _,
            inlateout("r10") args[3] => _,
            inlateout("r8") args[4] => _,
            inlateout("r9") args[5] => _,
            lateout("rcx") _,
            lateout("r11") _,
        )
    };
    result
}

/// A hypercall with two arguments.
pub fn call2(number: u64, a: u64, b: u64) -> i64 {
    call(number, [a, b, 0, 0, 0, 0])
}

/// A hypercall with three arguments.
pub fn call3(number: u64, a: u64, b: u64, c: u64) -> i64 {
    call(number, [a, b, c, 0, 0, 0])
}

/// Asserts that a call on a frame was refused: with EINVAL, EPERM or EBUSY. Which of them depends
/// on what the hypervisor looks at first, and no kernel asks.
#[track_caller]
pub fn assert_refused(result: i64) {
    let known = [errno::EINVAL, errno::EPERM, errno::EBUSY];
    assert!(known.contains(&result), "not refused: {result}");
}

/// The address of a value, as hypercalls take it.
pub fn at<T: ?Sized>(value: &T) -> u64 {
    value as *const T as *const u8 as u64
}

/// The address of a value the hypervisor writes to.
pub fn at_mut<T: ?Sized>(value: &mut T) -> u64 {
    value as *mut T as *mut u8 as u64
}

/// `xen_version(cmd, argument)`.
pub fn xen_version(command: u64, argument: u64) -> i64 {
    call2(nr::XEN_VERSION, command, argument)
}

/// Whether the hypervisor is Xenolith, by what it adds to the version.
pub fn is_xenolith() -> bool {
    let mut text = [0u8; 16];
    assert_eq!(xen_version(1, at_mut(&mut text)), 0);
    text.windows(8).any(|word| word == b"xenolith")
}

/// What a call answers that Xen has and Xenolith does not yet: ENOSYS there, `expected` elsewhere.
pub fn unless_missing(expected: i64) -> i64 {
    if is_xenolith() {
        errno::ENOSYS
    } else {
        expected
    }
}

/// `memory_op(cmd, argument)`.
pub fn memory_op(command: u64, argument: u64) -> i64 {
    call2(nr::MEMORY_OP, command, argument)
}

/// `sched_op(cmd, argument)`.
pub fn sched_op(command: u64, argument: u64) -> i64 {
    call2(nr::SCHED_OP, command, argument)
}

/// `vcpu_op(cmd, vcpu, argument)`.
pub fn vcpu_op(command: u64, vcpu: u64, argument: u64) -> i64 {
    call3(nr::VCPU_OP, command, vcpu, argument)
}

/// `event_channel_op(cmd, argument)`.
pub fn event_channel_op(command: u64, argument: u64) -> i64 {
    call2(nr::EVENT_CHANNEL_OP, command, argument)
}

/// `physdev_op(cmd, argument)`.
pub fn physdev_op(command: u64, argument: u64) -> i64 {
    call2(nr::PHYSDEV_OP, command, argument)
}

/// `stack_switch(ss, rsp)`.
pub fn stack_switch(selector: u64, rsp: u64) -> i64 {
    call2(nr::STACK_SWITCH, selector, rsp)
}

/// `set_segment_base(which, base)`: 0 FS, 1 GS of user, 2 GS of kernel, 3 the user's GS selector.
pub fn set_segment_base(which: u64, base: u64) -> i64 {
    call2(nr::SET_SEGMENT_BASE, which, base)
}

/// `sched_op(SCHEDOP_shutdown)`: 0 powers off, 1 reboots, 3 crashes. What was printed goes out first.
pub fn shutdown(reason: u32) -> ! {
    if !crate::start::is_dom0() {
        crate::ring_console::drain();
    }
    sched_op(2, at(&reason));
    loop {
        sched_op(1, 0);
    }
}
