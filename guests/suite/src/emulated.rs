//! Privileged and sensitive instructions of guest kernel, which the hypervisor carries out or
//! refuses: CPUID, MSRs, ports, control registers, the interrupt flag.

use core::arch::asm;
use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::events::vcpu_info;
use guest_kit::hypercall::*;
use guest_kit::mmu::current_l4;
use guest_kit::trap::{catch, expect_fault};

/// The group.
pub const GROUP: Group = Group {
    name: "emulated",
    cases: &[
        case!(
            "cpuid-xen-leaves",
            "the forced-emulation prefix with CPUID names Xen and its version",
            xen_leaves
        ),
        case!(
            "cpuid-filtered",
            "emulated CPUID says a hypervisor is present and hides VMX and SVM",
            filtered
        ),
        case!(
            "cpuid-prefix-alone",
            "the prefix before anything else is vector 6",
            prefix_alone
        ),
        case!(
            "rdmsr-allowed",
            "RDMSR of the segment bases and EFER works",
            rdmsr_allowed
        ),
        case!(
            "rdmsr-refused",
            "RDMSR of an MSR that does not exist is vector 13",
            rdmsr_refused
        ),
        case!("wrmsr-base", "WRMSR sets the segment bases", wrmsr_base),
        case!(
            "wrmsr-non-canonical",
            "WRMSR of a non-canonical base is vector 13",
            wrmsr_non_canonical
        ),
        case!(
            "wrmsr-refused",
            "the hypervisor's own MSRs are vector 13, written and (but EFER) read",
            wrmsr_refused
        ),
        case!("rdtsc", "RDTSC and RDTSCP work and advance", rdtsc),
        case!(
            "port-needs-iopl",
            "IN and OUT are vector 13 until the I/O privilege level is raised",
            port_needs_iopl
        ),
        case!(
            "port-denied",
            "with it, a port of the hypervisor's reads all ones and ignores writes",
            port_denied
        ),
        case!("port-allowed", "a port dom0 owns is real", port_allowed),
        case!(
            "port-bitmap",
            "an I/O bitmap opens single ports",
            port_bitmap
        ),
        case!("port-string", "INS and OUTS are emulated too", port_string),
        case!("iopl-range", "set_iopl takes 0 to 3", iopl_range),
        case!(
            "iobitmap-range",
            "set_iobitmap takes up to 65536 ports",
            iobitmap_range
        ),
        case!(
            "cli-sti",
            "CLI and STI are vector 13, or ignored once the I/O privilege level allows them",
            cli_sti
        ),
        case!("popf-if", "POPF leaves the interrupt flag alone", popf),
        case!(
            "cr0-read",
            "CR0 reads with paging and protection on, TS as fpu_taskswitch set it",
            cr0_read
        ),
        case!(
            "cr0-write",
            "a write to CR0 may change TS and nothing else",
            cr0_write
        ),
        case!("cr2", "CR2 keeps what is written, in vcpu_info too", cr2),
        case!(
            "cr3",
            "CR3 reads as the L4 in use and switches when written",
            cr3
        ),
        case!(
            "cr4",
            "CR4 lets OSXSAVE be set and keeps the rest as it is",
            cr4
        ),
        case!("cr8", "CR8 is vector 13", cr8),
        case!("clts", "CLTS clears TS", clts),
        case!(
            "xsetbv",
            "XSETBV takes the present mask and refuses 0",
            xsetbv
        ),
        case!("wbinvd", "WBINVD is carried out, INVD refused", wbinvd),
        case!("swapgs-refused", "SWAPGS is vector 13", swapgs),
    ],
};

/// CPUID behind the forced-emulation prefix.
pub fn forced_cpuid(leaf: u32, subleaf: u32) -> [u32; 4] {
    let (mut eax, mut ecx) = (leaf, subleaf);
    let (ebx, edx): (u64, u32);
    unsafe {
        asm!(
            "xchg {saved}, rbx",
            "ud2",
            ".ascii \"xen\"",
            "cpuid",
            "xchg {saved}, rbx",
            saved = inout(reg) 0u64 => ebx,
            inout("eax") eax,
            inout("ecx") ecx,
            out("edx") edx,
        )
    };
    [eax, ebx as u32, ecx, edx]
}

fn xen_leaves() {
    let [max, b, c, d] = forced_cpuid(0x4000_0000, 0);
    assert!((0x4000_0002..=0x4000_00ff).contains(&max), "{max:#x}");
    let mut name = [0u8; 12];
    for (part, word) in name.chunks_mut(4).zip([b, c, d]) {
        part.copy_from_slice(&word.to_le_bytes());
    }
    assert_eq!(&name, b"XenVMMXenVMM");
    assert_eq!(forced_cpuid(0x4000_0001, 0)[0], xen_version(0, 0) as u32);
    let [pages, msr, features, _] = forced_cpuid(0x4000_0002, 0);
    assert_eq!((pages, msr), (1, 0x4000_0000));
    // MMU_PT_UPDATE_PRESERVE_AD
    assert_eq!(features & 1, 1);
}

fn filtered() {
    let leaf = forced_cpuid(1, 0);
    assert_eq!(leaf[2] >> 31, 1, "hypervisor bit");
    assert_eq!(leaf[2] >> 5 & 1, 0, "VMX");
    assert_eq!(leaf[3] & 0x200, 0x200, "APIC");
    let extended = forced_cpuid(0x8000_0001, 0);
    assert_eq!(extended[2] >> 2 & 1, 0, "SVM");
    assert_eq!(extended[3] >> 29 & 1, 1, "long mode");
}

fn prefix_alone() {
    let frame = expect_fault(|| unsafe { asm!("ud2", ".ascii \"xen\"", "nop") });
    assert_eq!(frame.vector, 6);
}

fn rdmsr(msr: u32) -> Option<u64> {
    let (mut low, mut high) = (0u32, 0u32);
    let fault = catch(|| unsafe { asm!("rdmsr", in("ecx") msr, out("eax") low, out("edx") high) });
    match fault {
        None => Some(low as u64 | (high as u64) << 32),
        Some(frame) => {
            assert_eq!((frame.vector, frame.error), (13, 0), "rdmsr {msr:#x}");
            None
        }
    }
}

fn wrmsr(msr: u32, value: u64) -> bool {
    let fault = catch(|| unsafe {
        asm!("wrmsr", in("ecx") msr, in("eax") value as u32, in("edx") (value >> 32) as u32)
    });
    if let Some(frame) = fault {
        assert_eq!((frame.vector, frame.error), (13, 0), "wrmsr {msr:#x}");
    }
    fault.is_none()
}

const EFER: u32 = 0xc000_0080;
const FS_BASE: u32 = 0xc000_0100;
const GS_BASE: u32 = 0xc000_0101;
const KERNEL_GS_BASE: u32 = 0xc000_0102;

fn rdmsr_allowed() {
    for msr in [FS_BASE, GS_BASE, KERNEL_GS_BASE, EFER] {
        assert!(rdmsr(msr).is_some(), "{msr:#x}");
    }
    assert_eq!(set_segment_base(0, 0x1234_5000), 0);
    assert_eq!(rdmsr(FS_BASE), Some(0x1234_5000));
    assert_eq!(rdmsr(EFER).unwrap() & 0x500, 0x500, "LME and LMA");
}

fn rdmsr_refused() {
    for msr in [0x1234_5678, 0x4000_0105, 0xc001_0117] {
        assert_eq!(rdmsr(msr), None, "{msr:#x}");
    }
}

fn wrmsr_base() {
    for msr in [FS_BASE, GS_BASE, KERNEL_GS_BASE] {
        assert!(wrmsr(msr, 0x7654_3000));
        assert_eq!(rdmsr(msr), Some(0x7654_3000));
        assert!(wrmsr(msr, 0));
    }
}

fn wrmsr_non_canonical() {
    for msr in [FS_BASE, GS_BASE, KERNEL_GS_BASE] {
        assert!(!wrmsr(msr, 0x8000_0000_0000_0000), "{msr:#x}");
        assert!(!wrmsr(msr, 0x0000_8000_0000_0000), "{msr:#x}");
    }
}

fn wrmsr_refused() {
    // STAR, LSTAR, SFMASK, SYSENTER_CS, one that does not exist, EFER.
    for msr in [
        0xc000_0081,
        0xc000_0082,
        0xc000_0084,
        0x174,
        0x1234_5678,
        EFER,
    ] {
        assert!(!wrmsr(msr, 0), "{msr:#x}");
        assert_eq!(rdmsr(msr).is_some(), msr == EFER, "{msr:#x}");
    }
}

fn rdtsc() {
    let first = guest_kit::time::tsc();
    let (mut low, mut high) = (0u32, 0u32);
    unsafe { asm!("rdtscp", out("eax") low, out("edx") high, out("ecx") _) };
    assert!(low as u64 | (high as u64) << 32 > first);
}

fn set_iopl(level: u32) -> i64 {
    physdev_op(6, at(&level))
}

fn inb(port: u16) -> Result<u8, (u64, u64)> {
    let mut value = 0u8;
    match catch(|| unsafe { asm!("in al, dx", in("dx") port, out("al") value) }) {
        None => Ok(value),
        Some(frame) => Err((frame.vector, frame.error)),
    }
}

fn outb(port: u16, value: u8) -> Result<(), (u64, u64)> {
    match catch(|| unsafe { asm!("out dx, al", in("dx") port, in("al") value) }) {
        None => Ok(()),
        Some(frame) => Err((frame.vector, frame.error)),
    }
}

/// The CMOS index and data ports.
const CMOS: u16 = 0x70;
/// The first interrupt controller, never a guest's.
const PIC: u16 = 0x20;

fn port_needs_iopl() {
    assert_eq!(set_iopl(0), 0);
    assert_eq!(inb(CMOS + 1), Err((13, 0)));
    assert_eq!(outb(0x80, 1), Err((13, 0)));
}

fn port_denied() {
    assert_eq!(set_iopl(1), 0);
    for port in [PIC, 0x21, 0xa1, 0x40, 0x3f8] {
        assert_eq!(inb(port), Ok(0xff), "port {port:#x}");
        assert_eq!(outb(port, 0), Ok(()), "port {port:#x}");
    }
    assert_eq!(set_iopl(0), 0);
}

fn port_allowed() {
    assert_eq!(set_iopl(1), 0);
    // Register 0x0d of the clock: bit 7 says its battery is good.
    assert_eq!(outb(CMOS, 0x0d), Ok(()));
    assert_eq!(inb(CMOS + 1), Ok(0x80));
    assert_eq!(set_iopl(0), 0);
}

fn set_iobitmap(address: u64, ports: u32) -> i64 {
    let argument = [address, ports as u64];
    physdev_op(7, at(&argument))
}

fn port_bitmap() {
    let bitmap = guest_kit::pages::Page::take();
    bitmap.bytes().fill(0xff);
    bitmap.bytes()[0x80 / 8] &= !1;
    assert_eq!(set_iobitmap(bitmap.va, 1024), 0);
    assert_eq!(outb(0x80, 1), Ok(()));
    assert_eq!(outb(0x81, 1), Err((13, 0)));
    assert_eq!(set_iobitmap(0, 0), 0);
    assert_eq!(outb(0x80, 1), Err((13, 0)));
}

fn port_string() {
    assert_eq!(set_iopl(1), 0);
    let mut bytes = [0u8; 4];
    unsafe {
        asm!("rep insb", in("dx") PIC, inout("rdi") bytes.as_mut_ptr() => _, inout("rcx") 4u64 => _);
        asm!("rep outsb", in("dx") 0x80u16, inout("rsi") bytes.as_ptr() => _, inout("rcx") 4u64 => _);
    }
    assert_eq!(bytes, [0xff; 4]);
    assert_eq!(set_iopl(0), 0);
}

fn iopl_range() {
    for level in 0..4 {
        assert_eq!(set_iopl(level), 0);
    }
    assert_eq!(set_iopl(4), errno::EINVAL);
    assert_eq!(set_iopl(u32::MAX), errno::EINVAL);
    assert_eq!(set_iopl(0), 0);
}

fn iobitmap_range() {
    let page = guest_kit::pages::Page::take();
    assert_eq!(set_iobitmap(page.va, 65537), errno::EINVAL);
    assert_eq!(set_iobitmap(0xffff_8300_0000_0000, 1024), errno::EINVAL);
    assert_eq!(set_iobitmap(0, 0), 0);
}

fn cli_sti() {
    let fault = |run: fn()| catch(run).map(|frame| (frame.vector, frame.error));
    let cli = || unsafe { asm!("cli") };
    let sti = || unsafe { asm!("sti") };
    assert_eq!(set_iopl(0), 0);
    assert_eq!((fault(cli), fault(sti)), (Some((13, 0)), Some((13, 0))));
    assert_eq!(set_iopl(1), 0);
    for mask in [0, 1] {
        vcpu_info().mask = mask;
        assert_eq!((fault(cli), fault(sti)), (None, None));
        assert_eq!(vcpu_info().mask, mask);
    }
    assert_eq!(set_iopl(0), 0);
}

fn popf() {
    let before: u64;
    let after: u64;
    unsafe {
        asm!(
            "pushfq", "mov rax, [rsp]", "xor qword ptr [rsp], 0x200", "popfq", "pushfq", "pop rdx",
            out("rax") before, out("rdx") after
        )
    };
    assert_eq!(before & 0x200, 0x200);
    assert_eq!(after, before);
}

fn read_cr0() -> u64 {
    let value: u64;
    unsafe { asm!("mov {}, cr0", out(reg) value) };
    value
}

const TS: u64 = 8;

fn cr0_read() {
    assert_eq!(read_cr0() & 0x8000_0001, 0x8000_0001);
    for set in [1, 0] {
        assert_eq!(call2(nr::FPU_TASKSWITCH, set, 0), 0);
        assert_eq!(read_cr0() & TS, set * TS);
    }
}

fn cr0_write() {
    let value = read_cr0() & !TS;
    unsafe { asm!("mov cr0, {}", in(reg) value | TS) };
    assert_eq!(read_cr0(), value | TS);
    unsafe { asm!("mov cr0, {}", in(reg) value) };
    assert_eq!(read_cr0(), value);
    for bit in [0x1_0000, 0x20, 0x8000_0000] {
        let frame = expect_fault(|| unsafe { asm!("mov cr0, {}", in(reg) value ^ bit) });
        assert_eq!((frame.vector, frame.error), (13, 0), "bit {bit:#x}");
    }
}

fn cr2() {
    unsafe { asm!("mov cr2, {}", in(reg) 0x1234u64) };
    assert_eq!(vcpu_info().cr2, 0x1234);
    let value: u64;
    unsafe { asm!("mov {}, cr2", out(reg) value) };
    assert_eq!(value, 0x1234);
}

fn cr3() {
    let first = current_l4();
    let copy = crate::tables::kernel_l4_copy();
    unsafe { asm!("mov cr3, {}", in(reg) copy.machine()) };
    assert_eq!(current_l4(), copy.mfn());
    unsafe { asm!("mov cr3, {}", in(reg) first << 12) };
    assert_eq!(current_l4(), first);
    let bad = guest_kit::pages::Page::take().machine();
    let frame = expect_fault(|| unsafe { asm!("mov cr3, {}", in(reg) bad) });
    assert_eq!((frame.vector, frame.error), (13, 0));
    assert_eq!(current_l4(), first);
}

fn read_cr4() -> u64 {
    let value: u64;
    unsafe { asm!("mov {}, cr4", out(reg) value) };
    value
}

fn write_cr4(value: u64) {
    unsafe { asm!("mov cr4, {}", in(reg) value) };
}

const OSXSAVE: u64 = 1 << 18;

fn cr4() {
    let value = read_cr4();
    // PAE is always on.
    assert_eq!(value & 0x20, 0x20);
    write_cr4(value);
    assert_eq!(read_cr4(), value);
    write_cr4(value | OSXSAVE);
    assert_eq!(read_cr4(), value | OSXSAVE);
    // PAE off, SMEP: not the guest's to choose.
    for bit in [0x20, 1 << 20] {
        write_cr4(read_cr4() ^ bit);
        assert_eq!(read_cr4(), value | OSXSAVE, "bit {bit:#x}");
    }
    write_cr4(value);
}

fn cr8() {
    let frame = expect_fault(|| unsafe { asm!("mov rax, cr8", out("rax") _) });
    assert_eq!((frame.vector, frame.error), (13, 0));
}

fn clts() {
    assert_eq!(call2(nr::FPU_TASKSWITCH, 1, 0), 0);
    unsafe { asm!("clts") };
    assert_eq!(read_cr0() & TS, 0);
}

fn xsetbv() {
    let cr4 = read_cr4();
    write_cr4(cr4 | OSXSAVE);
    let (low, high): (u32, u32);
    unsafe { asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") high) };
    unsafe { asm!("xsetbv", in("ecx") 0, in("eax") low, in("edx") high) };
    for (index, value) in [(0, 0u32), (1, low), (0, 4)] {
        let frame = expect_fault(|| unsafe {
            asm!("xsetbv", in("ecx") index, in("eax") value, in("edx") 0)
        });
        assert_eq!((frame.vector, frame.error), (13, 0), "{index} {value}");
    }
    write_cr4(cr4);
}

fn wbinvd() {
    unsafe { asm!("wbinvd") };
    let frame = expect_fault(|| unsafe { asm!("invd") });
    assert_eq!((frame.vector, frame.error), (13, 0));
}

fn swapgs() {
    let frame = expect_fault(|| unsafe { asm!("swapgs") });
    assert_eq!((frame.vector, frame.error), (13, 0));
}
