//! The leaves from 0x40000000 on, by which a guest finds out about the hypervisor (public header `arch-x86/cpuid.h`).

use crate::leaves::{Entry, Leaf, Leaves};

/// The first of the hypervisor's leaves.
pub const FIRST_LEAF: u32 = 0x4000_0000;
/// The number of the last one.
const LAST: u32 = 5;
/// "XenVMMXenVMM".
const SIGNATURE: [u32; 3] = [0x566e_6558, 0x6558_4d4d, 0x4d4d_566e];
/// Version 4.17: the major number in the upper half.
const VERSION: u32 = 4 << 16 | 17;
/// The first of the hypervisor's model-specific registers, for the hypercall page.
const FIRST_MSR: u32 = 0x4000_0000;
/// `XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD`.
const PRESERVES_AD: u32 = 1;

/// How a guest reads the time-stamp counter: the numbers of the interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TscMode {
    /// Natively where that is sound.
    #[default]
    Default = 0,
    /// Always emulated.
    AlwaysEmulate = 1,
    /// Never emulated.
    NeverEmulate = 2,
}

/// What the hypervisor's leaves say of the machine and of the guest's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Platform {
    /// The rate of the host's time-stamp counter in kHz.
    pub tsc_khz: u32,
    /// Whether the host's counters are known to run at one rate and in step.
    pub tsc_reliable: bool,
    /// Whether the guest's reads of the counter are emulated.
    pub tsc_emulated: bool,
    /// The guest's mode.
    pub tsc_mode: TscMode,
    /// How often the guest was migrated.
    pub tsc_incarnation: u32,
    /// The rate of the counter as the guest reads it, in kHz; 0 where nothing is said of it.
    pub guest_khz: u32,
    /// From the guest's ticks to nanoseconds: multiplier and shift as in `vcpu_time_info`.
    pub guest_scale: (u32, i8),
    /// How many bits a machine address can have, memory that may be added later included.
    pub machine_address_bits: u8,
}

/// The last of the leaves that can be the hypervisor's.
const END_LEAF: u32 = 0x4000_00ff;
/// A guest sees the version whatever its policy says.
const LEAST: u32 = 2;

/// Adds the hypervisor's leaves, up to number `limit`; 0 for all there are. `rdtscp` is whether the guest is shown that
/// instruction.
pub(crate) fn add(leaves: &mut Leaves, platform: &Platform, rdtscp: bool, limit: u32) {
    let last = match limit & 0xff {
        0 => LAST,
        limit => limit.clamp(LEAST, LAST),
    };
    leaves.remove(FIRST_LEAF, END_LEAF);
    let [ebx, ecx, edx] = SIGNATURE;
    let mut put = |number: u32, subleaf, answer| {
        if number <= last {
            leaves.put(FIRST_LEAF + number, subleaf, answer);
        }
    };
    put(0, Entry::ANY, Leaf::new(FIRST_LEAF + last, ebx, ecx, edx));
    put(1, Entry::ANY, Leaf::new(VERSION, 0, 0, 0));
    put(2, Entry::ANY, Leaf::new(1, FIRST_MSR, PRESERVES_AD, 0));
    let flags = u32::from(platform.tsc_emulated)
        | u32::from(platform.tsc_reliable) << 1
        | u32::from(rdtscp) << 2;
    let time = Leaf::new(
        flags,
        platform.tsc_mode as u32,
        platform.guest_khz,
        platform.tsc_incarnation,
    );
    put(3, 0, time);
    let (multiplier, shift) = platform.guest_scale;
    // Readings have no offset: what it would be is in them already.
    put(3, 1, Leaf::new(0, 0, multiplier, i32::from(shift) as u32));
    put(3, 2, Leaf::new(platform.tsc_khz, 0, 0, 0));
    // Leaf 4 is of hardware-assisted guests.
    put(
        5,
        0,
        Leaf::new(0, u32::from(platform.machine_address_bits), 0, 0),
    );
}
