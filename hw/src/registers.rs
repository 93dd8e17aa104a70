//! The guest's registers as the entry code saves them at the top of a processor's stack.

/// General registers of an interrupted guest. The order is the public `cpu_user_regs`', so that a
/// vCPU's context is a copy; `entry/*.S` builds it by pushes from `ss` downwards.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
#[allow(missing_docs, reason = "the processor's own register names")]
pub struct Registers {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rax: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    /// The error code the processor pushed, or zero.
    pub error_code: u32,
    /// The vector taken, or [`Registers::BY_SYSCALL`].
    pub vector: u32,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

impl Registers {
    /// `vector` of a frame made by `syscall`: it may be left by `sysret` while it keeps this mark.
    pub const BY_SYSCALL: u32 = 0x100;

    /// Marks that `rip`, `cs`, `rflags`, `rsp`, `ss`, `rcx` or `r11` was changed, so that the frame is
    /// left by `iret`, which restores all of them.
    #[inline]
    pub fn leave_by_iret(&mut self) {
        self.vector &= !Self::BY_SYSCALL;
    }
}

/// Bits of `rflags`.
#[allow(missing_docs, reason = "the processor's own flag names")]
pub mod rflags {
    pub const FIXED: u64 = 1 << 1;
    pub const TF: u64 = 1 << 8;
    pub const IF: u64 = 1 << 9;
    pub const IOPL: u64 = 3 << 12;
    pub const NT: u64 = 1 << 14;
    pub const RF: u64 = 1 << 16;
    pub const VM: u64 = 1 << 17;
    pub const AC: u64 = 1 << 18;
    pub const VIF: u64 = 1 << 19;
    pub const VIP: u64 = 1 << 20;
}

/// Selectors of the descriptors that stand at the same place for every guest
/// (public `arch-x86/xen-x86_64.h` for ring 3).
pub mod selector {
    /// Hypervisor code, ring 0.
    pub const HYPERVISOR_CODE: u16 = 0xe008;
    /// Hypervisor data, ring 0: what `syscall` loads into `ss`.
    pub const HYPERVISOR_DATA: u16 = 0xe010;
    /// Flat 32-bit code of ring 3 (`FLAT_RING3_CS32`).
    pub const GUEST_CODE32: u16 = 0xe023;
    /// Flat data and stack of ring 3 (`FLAT_RING3_SS64`).
    pub const GUEST_DATA: u16 = 0xe02b;
    /// Flat 64-bit code of ring 3 (`FLAT_RING3_CS64`).
    pub const GUEST_CODE64: u16 = 0xe033;
    /// This processor's task state segment, in its own descriptor window only.
    pub const TASK_STATE: u16 = 0xf000;
    /// The LDT being loaded, in the processor's own descriptor window only.
    pub const LOCAL_TABLE: u16 = 0xf010;
}
