//! Model-specific registers of guests: which may be read or written, and what that does. Everything that is
//! not named here faults.

use hw::cpu::{self, msr};
use hw::switch;
use vocabulary::VirtAddr;

use crate::time_stamps;
use crate::vcpu::Vcpu;

/// What reading a register gives.
#[derive(Clone, Copy)]
enum Read {
    /// The machine's own value.
    Host,
    /// A constant.
    Constant(u64),
    /// A base of the running vCPU's segments.
    Base(Base),
    /// The time-stamp counter as the vCPU reads it.
    TimeStamp,
}

#[derive(Clone, Copy)]
enum Base {
    Fs,
    Active,
    Other,
}

/// Registers guests may read. Sources: the traps of Linux 6.1 as a PV guest (design notes), AMD64 manual volume 2
/// appendix A, Intel SDM volume 4.
const READABLE: &[(u32, Read)] = &[
    (0x10, Read::TimeStamp),
    (msr::APIC_BASE, Read::Host), // Linux looks whether there is a local APIC
    (0x8b, Read::Host),           // microcode revision
    (0xfe, Read::Constant(0)),    // MTRRcap: none to program
    (0x179, Read::Constant(0)),   // machine-check banks: none
    (0x17a, Read::Constant(0)),   // machine-check status
    (msr::PAT, Read::Host),
    (0x2ff, Read::Constant(0)), // MTRRdefType
    (0x1a0, Read::Host),        // MISC_ENABLE
    (msr::EFER, Read::Host),
    (msr::FS_BASE, Read::Base(Base::Fs)),
    (msr::GS_BASE, Read::Base(Base::Active)),
    (msr::KERNEL_GS_BASE, Read::Base(Base::Other)),
    (0xc001_0015, Read::Host),        // K7 HWCR
    (0xc001_0055, Read::Constant(0)), // interrupt pending message
    (0xc001_0010, Read::Host),        // SYSCFG
    (0xc001_1029, Read::Host),        // DE_CFG: whether LFENCE serializes
    (0xce, Read::Constant(0)),        // PLATFORM_INFO
    (0x140, Read::Constant(0)),       // MISC_FEATURES_ENABLES
];

/// Reads a register for the vCPU that runs here; `None` faults.
pub fn read(vcpu: &Vcpu, index: u32) -> Option<u64> {
    let (_, how) = READABLE.iter().find(|&&(number, _)| number == index)?;
    match how {
        Read::Host => cpu::try_read_msr(index),
        Read::Constant(value) => Some(*value),
        Read::TimeStamp => time_stamps::read(vcpu),
        Read::Base(base) => {
            let (fs, active, other) = switch::bases();
            Some(match base {
                Base::Fs => fs,
                Base::Active => active,
                Base::Other => other,
            })
        }
    }
}

/// Writes a register for the vCPU that runs here, in its kernel. Says whether that is allowed.
pub fn write(vcpu: &Vcpu, index: u32, value: u64) -> bool {
    match index {
        msr::FS_BASE | msr::GS_BASE | msr::KERNEL_GS_BASE if !VirtAddr(value).is_canonical() => {
            false
        }
        msr::FS_BASE => {
            switch::set_fs_base(value);
            true
        }
        msr::GS_BASE | msr::KERNEL_GS_BASE => {
            switch::set_gs_base(value, index == msr::GS_BASE);
            true
        }
        // Writing back what is there changes nothing; Linux does so at start.
        msr::PAT | msr::APIC_BASE | 0x1a0 | 0xc001_0015 | 0xc001_0010 | 0xc001_1029 => {
            vcpu.domain.privileged || cpu::try_read_msr(index) == Some(value)
        }
        0x8b | 0x17a | 0x140 => true,
        _ => false,
    }
}
