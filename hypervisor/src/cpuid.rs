//! CPUID as guests see it: the policies, made once from the host's own leaves.

use cpu_policy::{GuestKind, GuestView, Leaf, Offer, Platform, Policy, TscMode};
use spin::Once;

use core::sync::atomic::Ordering::Relaxed;

use crate::clock;
use crate::vcpu::Vcpu;

static HARDWARE_DOMAIN: Once<Policy> = Once::new();
static DOMAIN: Once<Policy> = Once::new();

/// CR4.OSXSAVE.
const OSXSAVE: u64 = 1 << 18;

fn make(kind: GuestKind) -> Policy {
    let host = |leaf, subleaf| {
        let [eax, ebx, ecx, edx] = hw::cpu::cpuid(leaf, subleaf);
        Leaf::new(eax, ebx, ecx, edx)
    };
    let [widths, ..] = hw::cpu::cpuid(0x8000_0008, 0);
    Policy::new(
        host,
        &Offer {
            kind,
            xcr0: hw::fpu::enabled(),
            speculation_msrs: false,
            fsgsbase: hw::cpu::cpuid(7, 0)[1] & 1 != 0,
            platform: Platform {
                tsc_khz: clock::tsc_khz() as u32,
                tsc_reliable: clock::is_tsc_stable(),
                tsc_emulated: false,
                tsc_mode: TscMode::Default,
                tsc_incarnation: 0,
                machine_address_bits: widths as u8,
            },
        },
    )
}

/// The policy of a vCPU's domain.
pub fn policy(vcpu: &Vcpu) -> &'static Policy {
    if vcpu.domain.privileged {
        HARDWARE_DOMAIN.call_once(|| make(GuestKind::HardwareDomain))
    } else {
        DOMAIN.call_once(|| make(GuestKind::Domain))
    }
}

/// What CPUID answers the vCPU.
pub fn answer(vcpu: &Vcpu, leaf: u32, subleaf: u32) -> Leaf {
    let view = GuestView {
        osxsave: vcpu.context.cr4.load(Relaxed) & OSXSAVE != 0,
        xcr0: vcpu.context.xcr0.load(Relaxed),
    };
    policy(vcpu).cpuid(leaf, subleaf, &view)
}
