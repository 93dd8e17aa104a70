//! A policy: made from the host's answers and the table, then asked by guests.

use crate::hypervisor::{self, Platform};
use crate::leaves::{Entry, Leaf, Leaves};
use crate::table::{
    feature, remove_dependent, rows, Feature, FeatureSet, Need, Row, Show, PLACES, WORDS,
};
use crate::xstate::{component, XState};

/// The highest basic leaf a guest is told of.
const LAST_BASIC: u32 = 0xd;
/// The first extended leaf.
const FIRST_EXTENDED: u32 = 0x8000_0000;
/// The highest extended leaf a guest is told of: of Intel processors, and of others.
const LAST_EXTENDED_INTEL: u32 = 0x8000_0008;
const LAST_EXTENDED_OTHER: u32 = 0x8000_0021;
/// The most subleaves of leaf 4 (caches) passed on.
const MOST_CACHES: u32 = 8;
/// The highest subleaf of leaf 7 in the table.
const LAST_FEATURE_SUBLEAF: u32 = 2;

/// Who made the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// Intel.
    Intel,
    /// AMD.
    Amd,
    /// Hygon, whose processors are AMD's in all that matters here.
    Hygon,
    /// Another.
    Other,
}

impl Vendor {
    fn of(basic: &Leaf) -> Self {
        let name = [basic.ebx, basic.edx, basic.ecx].map(u32::to_le_bytes);
        match name.as_flattened() {
            b"GenuineIntel" => Self::Intel,
            b"AuthenticAMD" => Self::Amd,
            b"HygonGenuine" => Self::Hygon,
            _ => Self::Other,
        }
    }
}

/// Which guests a policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestKind {
    /// dom0.
    HardwareDomain,
    /// Any other.
    Domain,
    /// Any other, with all that its configuration may ask for: the upper bound (`pv_max` of the interface).
    Maximum,
}

/// What the hypervisor can do for a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Which guests the policy is for.
    pub kind: GuestKind,
    /// The components of the extended state, as bits of XCR0, that are saved for guests. 0 where XSAVE is not used.
    pub xcr0: u64,
    /// Whether the guest's accesses to `SPEC_CTRL`, `PRED_CMD` and `ARCH_CAPABILITIES` are emulated.
    pub speculation_msrs: bool,
    /// Whether FSGSBASE is enabled, so that guests can use its instructions.
    pub fsgsbase: bool,
    /// The machine and the guest's clock.
    pub platform: Platform,
}

/// What an answer depends on beyond the policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GuestView {
    /// Whether the virtual CPU has CR4.OSXSAVE set.
    pub osxsave: bool,
    /// The virtual CPU's XCR0.
    pub xcr0: u64,
}

/// What CPUID tells a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    vendor: Vendor,
    features: FeatureSet,
    xstate: XState,
    leaves: Leaves,
    /// The last of the hypervisor's leaves a guest sees, as its configuration asked; 0 for all.
    hypervisor_limit: u32,
}

impl Policy {
    /// The policy for guests on a host whose own CPUID answers `host(leaf, subleaf)`.
    pub fn new(host: impl Fn(u32, u32) -> Leaf, offer: &Offer) -> Self {
        let vendor = Vendor::of(&host(0, 0));
        let native = Self::host_features(&host);
        // PKRU and the bound registers are for guests with page tables of their own kind; AMX needs a register (XFD) that
        // is not virtualized.
        let usable = component::X87 | component::SSE | component::AVX | component::AVX512;
        let allowed = if feature::XSAVE.is_in(&native) {
            offer.xcr0 & usable
        } else {
            0
        };
        let xstate = XState::new(&host, allowed);
        let mut features = [0; WORDS];
        for row in rows() {
            let shown = Shown {
                native: row.feature.is_in(&native),
                vendor,
                offer,
                xstate: &xstate,
            };
            row.feature.put(&mut features, shown.decide(row));
        }
        remove_dependent(&mut features);
        let mut policy = Self {
            vendor,
            features,
            xstate,
            leaves: Leaves::default(),
            hypervisor_limit: 0,
        };
        policy.fill_basic(&host);
        policy.fill_extended(&host);
        policy.fill_features();
        policy.set_platform(&offer.platform);
        policy
    }

    /// Changes what the hypervisor's leaves say of the machine and the guest's clock.
    pub fn set_platform(&mut self, platform: &Platform) {
        let rdtscp = self.shows(feature::RDTSCP);
        hypervisor::add(&mut self.leaves, platform, rdtscp, self.hypervisor_limit);
    }

    /// Shows the hypervisor's leaves up to this number only (its lowest byte; 0 for all).
    pub(crate) fn limit_hypervisor(&mut self, limit: u32, platform: &Platform) {
        self.hypervisor_limit = limit;
        self.set_platform(platform);
    }

    /// The last of the hypervisor's leaves shown, as it was asked for; 0 for all.
    pub(crate) const fn hypervisor_limit(&self) -> u32 {
        self.hypervisor_limit
    }

    /// The answer that depends on nothing but the policy.
    pub(crate) fn plain(&self, leaf: u32, subleaf: u32) -> Leaf {
        self.leaves.get(leaf, subleaf)
    }

    /// All features of a host, hidden or not, as the interface's feature set (`XEN_SYSCTL_get_cpu_featureset`).
    pub fn host_features(host: &impl Fn(u32, u32) -> Leaf) -> FeatureSet {
        let mut set = [0; WORDS];
        let last_basic = host(0, 0).eax;
        let last_extended = host(FIRST_EXTENDED, 0).eax;
        let last_feature_subleaf = host(7, 0).eax;
        for place in PLACES {
            let last = if place.leaf < FIRST_EXTENDED {
                last_basic
            } else {
                last_extended
            };
            // Beyond its last leaf a processor may answer anything. One without extended leaves answers below the first.
            let there =
                place.leaf <= last && (place.leaf != 7 || place.subleaf <= last_feature_subleaf);
            if let (true, Some(word)) = (there, set.get_mut(usize::from(place.word))) {
                *word = host(place.leaf, place.subleaf).get(place.output);
            }
        }
        set
    }

    /// What CPUID answers a virtual CPU.
    pub fn cpuid(&self, leaf: u32, subleaf: u32, view: &GuestView) -> Leaf {
        let mut answer = self.leaves.get(leaf, subleaf);
        match (leaf, subleaf) {
            (1, _) if view.osxsave && self.shows(feature::XSAVE) => {
                answer.ecx |= 1 << feature::OSXSAVE.bit;
            }
            (0xd, 0) if self.shows(feature::XSAVE) => {
                answer.ebx = self.xstate.bytes(view.xcr0);
            }
            (0xd, 1) if self.shows(feature::XSAVEC) => {
                answer.ebx = self.xstate.compacted_bytes(view.xcr0);
            }
            _ => {}
        }
        answer
    }

    /// Whether a feature is shown. Of those worked out when a guest asks (OSXSAVE), it is not.
    pub fn shows(&self, feature: Feature) -> bool {
        feature.is_in(&self.features)
    }

    /// All features shown, as the interface's feature set.
    pub const fn features(&self) -> &FeatureSet {
        &self.features
    }

    /// The extended state guests may use.
    pub const fn xstate(&self) -> &XState {
        &self.xstate
    }

    /// Who made the processor.
    pub const fn vendor(&self) -> Vendor {
        self.vendor
    }

    fn fill_basic(&mut self, host: &impl Fn(u32, u32) -> Leaf) {
        let mut first = host(0, 0);
        let host_last = first.eax;
        first.eax = host_last.min(LAST_BASIC);
        self.leaves.put(0, Entry::ANY, first);
        // Processor number and logical count stay, the number of the processor that was asked does not: every virtual CPU
        // reads as APIC number 0, since a PV guest has its topology from elsewhere.
        let mut version = host(1, 0);
        version.ebx &= 0x00ff_ffff;
        self.leaves.put(1, Entry::ANY, version);
        if self.vendor == Vendor::Intel && host_last >= 4 {
            self.leaves.put(2, Entry::ANY, host(2, 0));
            for subleaf in 0..MOST_CACHES {
                let cache = host(4, subleaf);
                if cache.eax & 0x1f == 0 {
                    break;
                }
                self.leaves.put(4, subleaf, cache);
            }
        }
        if host_last >= 7 {
            let last = host(7, 0).eax.min(LAST_FEATURE_SUBLEAF);
            self.leaves.put(7, 0, Leaf::new(last, 0, 0, 0));
        }
        if self.shows(feature::XSAVE) {
            self.leaves.put(0xd, 0, self.xstate.main_leaf());
            for (subleaf, answer) in self.xstate.component_leaves() {
                self.leaves.put(0xd, subleaf, answer);
            }
        }
    }

    fn fill_extended(&mut self, host: &impl Fn(u32, u32) -> Leaf) {
        const BRAND: [u32; 3] = [0x8000_0002, 0x8000_0003, 0x8000_0004];
        const FIRST_CACHES: u32 = 0x8000_0005;
        const SECOND_CACHES: u32 = 0x8000_0006;
        const SIZES: u32 = 0x8000_0008;
        let mut first = host(FIRST_EXTENDED, 0);
        let host_last = first.eax;
        if host_last < FIRST_EXTENDED {
            return;
        }
        let amd = matches!(self.vendor, Vendor::Amd | Vendor::Hygon);
        first.eax = host_last.min(if self.vendor == Vendor::Intel {
            LAST_EXTENDED_INTEL
        } else {
            LAST_EXTENDED_OTHER
        });
        self.leaves.put(FIRST_EXTENDED, Entry::ANY, first);
        let mut copy = |leaf: u32, change: fn(&mut Leaf)| {
            if leaf <= host_last {
                let mut answer = host(leaf, 0);
                change(&mut answer);
                self.leaves.put(leaf, Entry::ANY, answer);
            }
        };
        // Version numbers in the first register, AMD's brand numbers in the second; features are filled in later.
        copy(0x8000_0001, |_| {});
        for leaf in BRAND {
            copy(leaf, |_| {});
        }
        if amd {
            copy(FIRST_CACHES, |_| {});
            copy(SECOND_CACHES, |_| {});
            copy(SIZES, keep_sizes);
        } else {
            copy(SECOND_CACHES, |answer| {
                *answer = Leaf::new(0, 0, answer.ecx, 0);
            });
            copy(SIZES, |answer| {
                keep_sizes(answer);
                answer.ecx = 0;
            });
        }
    }

    /// Puts the words of features into their leaves.
    fn fill_features(&mut self) {
        let last_feature_subleaf = self.leaves.get(7, 0).eax;
        for place in PLACES {
            let Some(word) = self.features.get(usize::from(place.word)).copied() else {
                continue;
            };
            let subleaf = match place.leaf {
                7 | 0xd => place.subleaf,
                _ => Entry::ANY,
            };
            // A word of zeros in a leaf that is not there need not be put.
            let there = place.leaf != 7 || place.subleaf <= last_feature_subleaf;
            let mut answer = self.leaves.get(place.leaf, subleaf);
            if (word == 0 && answer == Leaf::NONE) || !there {
                continue;
            }
            answer.set(place.output, word);
            self.leaves.put(place.leaf, subleaf, answer);
        }
        // AMD's processors repeat features of leaf 1 in leaf 0x80000001.
        if matches!(self.vendor, Vendor::Amd | Vendor::Hygon) {
            const REPEATED: u32 = 0x0183_f3ff;
            let repeated = self.leaves.get(1, 0).edx & REPEATED;
            let mut answer = self.leaves.get(0x8000_0001, 0);
            answer.edx |= repeated;
            self.leaves.put(0x8000_0001, Entry::ANY, answer);
        }
    }
}

/// Of leaf 0x80000008: the address sizes, those of virtual addresses cut to the 48 bits that guests have, and on AMD
/// processors the number of cores.
fn keep_sizes(answer: &mut Leaf) {
    const VIRTUAL: u32 = 48;
    let physical = answer.eax & 0xff;
    let virtual_bits = (answer.eax >> 8 & 0xff).min(VIRTUAL);
    *answer = Leaf::new(virtual_bits << 8 | physical, 0, answer.ecx, 0);
}

/// What decides whether a row's feature is shown.
struct Shown<'a> {
    native: bool,
    vendor: Vendor,
    offer: &'a Offer,
    xstate: &'a XState,
}

impl Shown<'_> {
    fn decide(&self, row: &Row) -> bool {
        let state = match row.need {
            Need::Nothing => true,
            Need::Xsave => self.xstate.mask() != 0,
            Need::Avx => self.xstate.has(component::AVX),
            Need::Avx512 => self.xstate.has(component::AVX512),
        };
        if !state || !self.switched_on(row.feature) {
            return false;
        }
        match row.show {
            Show::Always => true,
            Show::No | Show::Asked => false,
            Show::Both | Show::AsHost => self.native,
            Show::Intel => self.native && self.vendor == Vendor::Intel,
            Show::Dom0 => self.native && self.offer.kind != GuestKind::Domain,
            Show::OnRequest => self.native && self.offer.kind == GuestKind::Maximum,
            Show::SpeculationMsr => self.native && self.offer.speculation_msrs,
        }
    }

    /// Whether the hypervisor has switched on what a feature stands for.
    fn switched_on(&self, feature: Feature) -> bool {
        match feature {
            feature::XSAVE => self.xstate.mask() != 0,
            feature::FSGSBASE => self.offer.fsgsbase,
            _ => true,
        }
    }
}
