//! Single instructions of the processor: model-specific and control registers, CPUID, halting.

use core::arch::asm;
use core::arch::x86_64::__cpuid_count;

/// Model-specific registers the hypervisor uses (AMD64 manual, volume 2, appendix A; Intel SDM volume 4).
pub mod msr {
    #![allow(missing_docs, reason = "the manuals' names")]
    pub const APIC_BASE: u32 = 0x1b;
    pub const SYSENTER_CS: u32 = 0x174;
    pub const SYSENTER_ESP: u32 = 0x175;
    pub const SYSENTER_EIP: u32 = 0x176;
    pub const PAT: u32 = 0x277;
    pub const EFER: u32 = 0xc000_0080;
    pub const STAR: u32 = 0xc000_0081;
    pub const LSTAR: u32 = 0xc000_0082;
    pub const CSTAR: u32 = 0xc000_0083;
    pub const SYSCALL_MASK: u32 = 0xc000_0084;
    pub const FS_BASE: u32 = 0xc000_0100;
    pub const GS_BASE: u32 = 0xc000_0101;
    pub const KERNEL_GS_BASE: u32 = 0xc000_0102;
    pub const TSC_AUX: u32 = 0xc000_0103;
}

/// Control register bits.
pub mod control {
    #![allow(missing_docs, reason = "the manuals' names")]
    pub const CR0_TS: u64 = 1 << 3;
    pub const CR0_WP: u64 = 1 << 16;
    pub const CR0_AM: u64 = 1 << 18;
    pub const CR4_TSD: u64 = 1 << 2;
    pub const CR4_DE: u64 = 1 << 3;
    pub const CR4_MCE: u64 = 1 << 6;
    pub const CR4_PGE: u64 = 1 << 7;
    pub const CR4_OSFXSR: u64 = 1 << 9;
    pub const CR4_OSXMMEXCPT: u64 = 1 << 10;
    pub const CR4_UMIP: u64 = 1 << 11;
    pub const CR4_FSGSBASE: u64 = 1 << 16;
    pub const CR4_OSXSAVE: u64 = 1 << 18;
    pub const CR4_SMEP: u64 = 1 << 20;
    pub const CR4_SMAP: u64 = 1 << 21;
    pub const EFER_SCE: u64 = 1 << 0;
    pub const EFER_NXE: u64 = 1 << 11;
}

/// The four registers CPUID answers for `leaf` and `subleaf`.
pub fn cpuid(leaf: u32, subleaf: u32) -> [u32; 4] {
    // Debian 12's own Rust calls it unsafe, later ones do not.
    #[allow(unused_unsafe)]
    // SAFETY: every x86-64 processor has the instruction, and it touches nothing but registers.
    let answer = unsafe { __cpuid_count(leaf, subleaf) };
    [answer.eax, answer.ebx, answer.ecx, answer.edx]
}

/// Reads a model-specific register that the processor is known to have.
#[inline]
pub(crate) fn read_msr(register: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reading has no side effect; callers name registers every processor we accept has.
    unsafe {
        asm!("rdmsr", in("ecx") register, out("eax") low, out("edx") high, options(nostack, nomem))
    }
    u64::from(high) << 32 | u64::from(low)
}

/// Writes a model-specific register.
///
/// # Safety
/// The value must keep the hypervisor's own entry points, tables and mappings in force.
#[inline]
pub(crate) unsafe fn write_msr(register: u32, value: u64) {
    // SAFETY: the caller answers for the value.
    unsafe {
        asm!("wrmsr", in("ecx") register, in("eax") value as u32, in("edx") (value >> 32) as u32,
            options(nostack))
    }
}

/// Reads a register that may not exist: `None` where the processor faults.
pub fn try_read_msr(register: u32) -> Option<u64> {
    let (low, high, failed): (u32, u32, u32);
    // SAFETY: a fault at the listed instruction continues behind it with `failed` still one.
    unsafe {
        asm!(
            ".pushsection .ex_table, \"a\", @progbits",
            ".quad 2f, 3f",
            ".popsection",
            "2: rdmsr",
            "xor {failed:e}, {failed:e}",
            "3:",
            failed = inout(reg) 1u32 => failed,
            in("ecx") register,
            inout("eax") 0u32 => low,
            inout("edx") 0u32 => high,
            options(nostack)
        )
    }
    (failed == 0).then_some(u64::from(high) << 32 | u64::from(low))
}

macro_rules! control_register {
    ($read:ident, $write:ident, $name:literal) => {
        /// Reads the control register.
        #[inline]
        pub(crate) fn $read() -> u64 {
            let value;
            // SAFETY: reading a control register has no side effect.
            unsafe { asm!(concat!("mov {}, ", $name), out(reg) value, options(nostack, nomem)) }
            value
        }

        /// Writes the control register.
        ///
        /// # Safety
        /// The value must keep the hypervisor mapped and protected.
        #[inline]
        #[allow(dead_code, reason = "one macro for all registers")]
        pub(crate) unsafe fn $write(value: u64) {
            // SAFETY: the caller answers for the value.
            unsafe { asm!(concat!("mov ", $name, ", {}"), in(reg) value, options(nostack)) }
        }
    };
}
control_register!(read_cr0, write_cr0, "cr0");

control_register!(read_cr3, write_cr3, "cr3");
control_register!(read_cr4, write_cr4, "cr4");

/// Forgets the debug status, so that an unwanted debug exception does not repeat.
pub(crate) fn clear_debug_status() {
    // SAFETY: DR6 only reports; clearing it changes nothing that the hypervisor relies on.
    unsafe { asm!("mov dr6, {}", in(reg) 0xffff_0ff0_u64, options(nostack, nomem)) }
}

/// The time-stamp counter.
#[inline]
pub fn time_stamp() -> u64 {
    // SAFETY: every x86-64 processor has the counter, and ring 0 may always read it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// The time-stamp counter, read after all loads before it: what is compared between processors.
#[inline]
pub fn time_stamp_in_order() -> u64 {
    // SAFETY: waiting for earlier loads (`lfence`) and reading the counter are always allowed.
    unsafe {
        core::arch::x86_64::_mm_lfence();
        core::arch::x86_64::_rdtsc()
    }
}

/// Hint in a spin loop.
#[inline]
pub fn relax() {
    core::hint::spin_loop();
}

/// Waits with interrupts open until one arrives and was handled, then closes them again.
pub fn wait_for_interrupt() {
    // SAFETY: only the idle loop calls it, where no lock is held and no borrow of per-processor state is
    // open; the handlers return here. `sti` opens after the next instruction, so no wake-up is lost.
    unsafe { asm!("sti", "hlt", "cli", options(nostack)) }
}

/// Lets interrupts in that wait, then closes them again.
pub fn let_interrupts_in() {
    // SAFETY: as for `wait_for_interrupt`. `sti` opens after the next instruction.
    unsafe { asm!("sti", "nop", "cli", options(nostack)) }
}

/// Stops this processor for good.
pub fn halt_forever() -> ! {
    loop {
        // SAFETY: halting with interrupts off only waits (an NMI may wake it, hence the loop).
        unsafe { asm!("cli", "hlt", options(nostack, nomem)) }
    }
}

/// Writes all modified cache lines back and empties the caches.
pub fn write_back_caches() {
    // SAFETY: only slow: memory holds the same afterwards.
    unsafe { asm!("wbinvd", options(nostack)) }
}
