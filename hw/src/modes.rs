//! The modes each processor is put into before it runs a guest: protections, `syscall` targets, memory types.

use crate::cpu::{self, control, msr};

/// Sets the processor's modes: no-execute, write protection, `syscall` targets, and the protections and
/// extensions that it has. Every processor, once, before it runs a guest.
pub(crate) fn set(stub: u64) {
    let features = cpu::cpuid(7, 0)[1];
    let advanced = cpu::cpuid(7, 0)[2];
    let basic = cpu::cpuid(1, 0)[2];
    let mut cr4 = cpu::read_cr4();
    cr4 |= control::CR4_PGE
        | control::CR4_OSFXSR
        | control::CR4_OSXMMEXCPT
        | control::CR4_DE
        | control::CR4_MCE;
    for (has, bit) in [
        (features & 1 != 0, control::CR4_FSGSBASE),
        (features & 1 << 7 != 0, control::CR4_SMEP),
        (features & 1 << 20 != 0, control::CR4_SMAP),
        (advanced & 1 << 2 != 0, control::CR4_UMIP),
        (basic & 1 << 26 != 0, control::CR4_OSXSAVE),
    ] {
        if has {
            cr4 |= bit;
        }
    }
    use crate::registers::{rflags, selector};
    let star = u64::from(selector::GUEST_CODE32) << 48 | u64::from(selector::HYPERVISOR_CODE) << 32;
    let masked =
        rflags::TF | rflags::IF | rflags::NT | rflags::AC | rflags::RF | rflags::IOPL | 1 << 10;
    // SAFETY: turns protections on and points `syscall` at this processor's mapped stub page; the tables in use
    // carry no-execute bits and global bits that these modes give their meaning.
    unsafe {
        cpu::write_msr(
            msr::EFER,
            cpu::read_msr(msr::EFER) | control::EFER_SCE | control::EFER_NXE,
        );
        let cr0 = cpu::read_cr0() | control::CR0_WP | control::CR0_AM | 1 << 5;
        cpu::write_cr0(cr0 & !(control::CR0_TS | 1 << 2) | 1 << 1);
        cpu::write_cr4(cr4);
        // Memory types as the interface promises them to guests (`XEN_MSR_PAT`, public `arch-x86/xen.h` users).
        cpu::write_msr(msr::PAT, 0x0000_0501_0007_0406);
        cpu::write_msr(msr::STAR, star);
        cpu::write_msr(msr::LSTAR, stub);
        cpu::write_msr(msr::CSTAR, stub + crate::entry::STUB32_OFFSET);
        cpu::write_msr(msr::SYSCALL_MASK, masked);
        cpu::write_msr(msr::SYSENTER_CS, 0);
    }
}
