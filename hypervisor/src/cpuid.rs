//! CPUID as guests see it: the machine's policies, made once from the host's own leaves, and each domain's own where
//! the toolstack gave it one.

use cpu_policy::{
    check_register, Entry, FeatureSet, GuestKind, GuestView, Leaf, Offer, Platform, Policy,
    PolicyError, Records,
};
use hw::sync::SpinLock;
use spin::Once;
use xen_abi::arch_x86::{CpuidLeaf, MsrEntry};

use core::sync::atomic::Ordering::Relaxed;

use crate::domain::Domain;
use crate::vcpu::Vcpu;
use crate::{clock, levels, time_stamps};

static HARDWARE_DOMAIN: Once<Policy> = Once::new();
static DEFAULT: Once<Policy> = Once::new();
static MAXIMUM: Once<Policy> = Once::new();

/// CR4.OSXSAVE.
const OSXSAVE: u64 = 1 << 18;

/// A policy of the machine, as the toolstack asks for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachinePolicy {
    /// What the processor says.
    Host,
    /// The most a PV domain can be given.
    Maximum,
    /// What a PV domain gets that nothing is said about.
    Default,
}

/// A domain's own policy; `None` for what all domains of its kind see.
pub struct DomainPolicy(SpinLock<Option<Policy>, { levels::VCPU }>);

impl DomainPolicy {
    /// What all domains of its kind see.
    pub const fn new() -> Self {
        Self(SpinLock::new(None))
    }
}

impl Default for DomainPolicy {
    fn default() -> Self {
        Self::new()
    }
}

fn host(leaf: u32, subleaf: u32) -> Leaf {
    let [eax, ebx, ecx, edx] = hw::cpu::cpuid(leaf, subleaf);
    Leaf::new(eax, ebx, ecx, edx)
}

/// What the hypervisor's leaves say, but for the domain's time-stamp counter.
fn platform() -> Platform {
    let [widths, ..] = hw::cpu::cpuid(0x8000_0008, 0);
    Platform {
        tsc_khz: clock::tsc_khz() as u32,
        tsc_reliable: clock::is_tsc_stable(),
        machine_address_bits: widths as u8,
        ..Platform::default()
    }
}

fn make(kind: GuestKind) -> Policy {
    let platform = match kind {
        GuestKind::HardwareDomain => platform(),
        GuestKind::Domain | GuestKind::Maximum => time_stamps::of_new_domain(platform()),
    };
    Policy::new(
        host,
        &Offer {
            kind,
            xcr0: hw::fpu::enabled(),
            speculation_msrs: false,
            fsgsbase: hw::cpu::cpuid(7, 0)[1] & 1 != 0,
            platform,
        },
    )
}

fn default_policy() -> &'static Policy {
    DEFAULT.call_once(|| make(GuestKind::Domain))
}

fn maximum() -> &'static Policy {
    MAXIMUM.call_once(|| make(GuestKind::Maximum))
}

/// Runs `work` with the domain's policy.
fn with_policy<R>(domain: &Domain, work: impl FnOnce(&Policy) -> R) -> R {
    let own = domain.cpuid.0.lock();
    match &*own {
        Some(policy) => work(policy),
        None if domain.privileged => {
            work(HARDWARE_DOMAIN.call_once(|| make(GuestKind::HardwareDomain)))
        }
        None => work(default_policy()),
    }
}

/// What CPUID answers the vCPU.
pub fn answer(vcpu: &Vcpu, leaf: u32, subleaf: u32) -> Leaf {
    let view = GuestView {
        osxsave: vcpu.context.cr4.load(Relaxed) & OSXSAVE != 0,
        xcr0: vcpu.context.xcr0.load(Relaxed),
    };
    with_policy(&vcpu.domain, |policy| policy.cpuid(leaf, subleaf, &view))
}

/// The components of the extended state that a domain may use.
pub fn state_components(domain: &Domain) -> u64 {
    with_policy(domain, |policy| policy.xstate().mask())
}

/// A policy of the machine as the interface lists it.
pub fn machine_records(which: MachinePolicy) -> Records {
    match which {
        MachinePolicy::Host => cpu_policy::of_host(host),
        MachinePolicy::Maximum => maximum().records(),
        MachinePolicy::Default => default_policy().records(),
    }
}

/// A policy's features as the interface's words.
pub fn machine_features(which: MachinePolicy) -> FeatureSet {
    match which {
        MachinePolicy::Host => Policy::host_features(&host),
        MachinePolicy::Maximum => *maximum().features(),
        MachinePolicy::Default => *default_policy().features(),
    }
}

/// The domain's policy as the interface lists it.
pub fn domain_records(domain: &Domain) -> Records {
    with_policy(domain, Policy::records)
}

/// The model-specific registers of every policy, as the interface lists them.
pub fn registers() -> [MsrEntry; cpu_policy::MSRS.len()] {
    cpu_policy::MSRS.map(|idx| MsrEntry {
        idx,
        flags: 0,
        val: 0,
    })
}

/// A leaf as the interface writes it.
pub fn leaf_of(entry: &Entry) -> CpuidLeaf {
    CpuidLeaf {
        leaf: entry.leaf,
        subleaf: entry.subleaf,
        a: entry.answer.eax,
        b: entry.answer.ebx,
        c: entry.answer.ecx,
        d: entry.answer.edx,
    }
}

/// Changes the domain's policy, which has not run yet.
pub fn change(
    domain: &Domain,
    changes: &[Entry],
    registers: &[MsrEntry],
) -> Result<(), PolicyError> {
    let platform = domain.settings.time_stamps.described(platform());
    let changed = with_policy(domain, |policy| {
        policy.changed(changes, maximum(), &platform)
    })?;
    for register in registers {
        check_register(register.idx, register.flags, register.val)?;
    }
    *domain.cpuid.0.lock() = Some(changed);
    Ok(())
}

/// Tells of the domain's time-stamp counter as it is now.
pub fn describe_time_stamps(domain: &Domain) {
    let mut policy = with_policy(domain, Policy::clone);
    policy.set_platform(&domain.settings.time_stamps.described(platform()));
    *domain.cpuid.0.lock() = Some(policy);
}
