//! A policy written down as the interface's list of leaves (`xen_cpuid_leaf_t`), and a guest's own made from such a list.
//!
//! Which leaves there can be, and how many, is part of the interface: the toolstack refuses a list with others. Leaves 4,
//! 7, 0xb and 0xd have subleaves; all others are written with [`Entry::ANY`]. Of the hypervisor's leaves a list has the
//! first only, whose first register limits them.

use arrayvec::ArrayVec;

use crate::hypervisor::{Platform, FIRST_LEAF};
use crate::leaves::{Entry, Leaf};
use crate::policy::{GuestKind, Offer, Policy};
use crate::table::{feature, FeatureSet, PLACES};
use crate::xstate::component;

/// The most records of a list, as toolstacks make room for them.
pub const MOST_RECORDS: usize = 120;
/// A list of leaves.
pub type Records = ArrayVec<Entry, MOST_RECORDS>;
/// The model-specific registers of a list: `PLATFORM_INFO` and `ARCH_CAPABILITIES`. Guests read both as 0.
pub const MSRS: [u32; 2] = [0xce, 0x10a];

/// The highest leaves there can be.
const LAST_BASIC: u32 = 0xd;
const FIRST_EXTENDED: u32 = 0x8000_0000;
const LAST_EXTENDED: u32 = 0x8000_0021;
/// Leaves with subleaves.
const CACHES: u32 = 4;
const FEATURES: u32 = 7;
const TOPOLOGY: u32 = 0xb;
const XSTATE: u32 = 0xd;
/// The highest subleaf that each of them can have.
const LAST_SUBLEAF: [(u32, u32); 4] = [(CACHES, 5), (FEATURES, 2), (TOPOLOGY, 1), (XSTATE, 62)];
/// The first leaf of a second hypervisor interface.
const SECOND_INTERFACE: u32 = 0x4000_0100;

/// Why a list is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyError {
    /// There can be no such leaf.
    NoSuchLeaf {
        /// The leaf.
        leaf: u32,
        /// Its subleaf.
        subleaf: u32,
    },
    /// The leaf asks for more than there is.
    TooMuch {
        /// The leaf.
        leaf: u32,
        /// Its subleaf.
        subleaf: u32,
    },
    /// There can be no such model-specific register.
    NoSuchRegister(u32),
    /// The register asks for more than there is, or has flags.
    RegisterTooMuch(u32),
}

/// The list of a host's own answers.
pub fn of_host(host: impl Fn(u32, u32) -> Leaf) -> Records {
    list(|leaf, subleaf| match leaf {
        FIRST_LEAF | SECOND_INTERFACE => Leaf::NONE,
        _ => host(leaf, subleaf),
    })
}

/// The list of what `answer` says.
fn list(answer: impl Fn(u32, u32) -> Leaf) -> Records {
    let mut records = Records::new();
    let mut put = |leaf, subleaf| {
        let asked = if subleaf == Entry::ANY { 0 } else { subleaf };
        let entry = Entry {
            leaf,
            subleaf,
            answer: answer(leaf, asked),
        };
        // There is room for all that is put.
        let _ = records.try_push(entry);
    };
    for leaf in 0..=answer(0, 0).eax.min(LAST_BASIC) {
        match last_subleaf(leaf, &answer) {
            Some(last) if leaf == XSTATE => (0..=last)
                .filter(|&subleaf| is_state(subleaf, &answer))
                .for_each(|subleaf| put(leaf, subleaf)),
            Some(last) => (0..=last).for_each(|subleaf| put(leaf, subleaf)),
            None => put(leaf, Entry::ANY),
        }
    }
    put(FIRST_LEAF, Entry::ANY);
    put(SECOND_INTERFACE, Entry::ANY);
    let last = answer(FIRST_EXTENDED, 0).eax.min(LAST_EXTENDED);
    (FIRST_EXTENDED..=last).for_each(|leaf| put(leaf, Entry::ANY));
    records
}

/// The last subleaf that a leaf with subleaves has by its own answers.
fn last_subleaf(leaf: u32, answer: &impl Fn(u32, u32) -> Leaf) -> Option<u32> {
    let &(_, most) = LAST_SUBLEAF.iter().find(|&&(with, _)| with == leaf)?;
    Some(match leaf {
        CACHES => (0..=most)
            .find(|&subleaf| answer(leaf, subleaf).eax & 0x1f == 0)
            .unwrap_or(most),
        FEATURES => answer(leaf, 0).eax.min(most),
        TOPOLOGY => (0..=most)
            .find(|&subleaf| answer(leaf, subleaf).ecx >> 8 & 0xff == 0)
            .unwrap_or(most),
        _ => most,
    })
}

/// Whether a subleaf of leaf 0xd says anything: the first two, and one for each component there is.
fn is_state(subleaf: u32, answer: &impl Fn(u32, u32) -> Leaf) -> bool {
    let (main, more) = (answer(XSTATE, 0), answer(XSTATE, 1));
    let low = main.eax | more.ecx;
    let high = main.edx | more.edx;
    let components = u64::from(high) << 32 | u64::from(low);
    subleaf < 2 || components >> subleaf & 1 != 0
}

/// Whether there can be such a record.
fn can_be(leaf: u32, subleaf: u32) -> bool {
    if let Some(&(_, most)) = LAST_SUBLEAF.iter().find(|&&(with, _)| with == leaf) {
        return subleaf <= most;
    }
    let named = leaf <= LAST_BASIC
        || leaf == FIRST_LEAF
        || leaf == SECOND_INTERFACE
        || (FIRST_EXTENDED..=LAST_EXTENDED).contains(&leaf);
    named && subleaf == Entry::ANY
}

impl Policy {
    /// The list of what the policy says.
    pub fn records(&self) -> Records {
        list(|leaf, subleaf| match leaf {
            FIRST_LEAF => Leaf::new(self.hypervisor_limit(), 0, 0, 0),
            SECOND_INTERFACE => Leaf::NONE,
            _ => self.plain(leaf, subleaf),
        })
    }

    /// This policy, changed as a list asks: what the list does not name stays. Features beyond `maximum` are left out
    /// without a word, as are those that need one that is left out; the sizes of the extended state are the host's.
    pub fn changed(
        &self,
        changes: &[Entry],
        maximum: &Self,
        platform: &Platform,
    ) -> Result<Self, PolicyError> {
        let mut wanted = self.records();
        for change in changes {
            let &Entry { leaf, subleaf, .. } = change;
            if !can_be(leaf, subleaf) {
                return Err(PolicyError::NoSuchLeaf { leaf, subleaf });
            }
            let old = wanted
                .iter_mut()
                .find(|old| old.leaf == leaf && old.subleaf == subleaf);
            match old {
                Some(old) => *old = *change,
                // Room runs out only for leaves that say nothing.
                None => {
                    let _ = wanted.try_push(*change);
                }
            }
        }
        let asked = |leaf, subleaf| find(&wanted, leaf, subleaf);
        for leaf in [0, FEATURES, FIRST_EXTENDED] {
            if asked(leaf, 0).eax > maximum.plain(leaf, 0).eax {
                let subleaf = if leaf == FEATURES { 0 } else { Entry::ANY };
                return Err(PolicyError::TooMuch { leaf, subleaf });
            }
        }
        let mut features = Self::host_features(&asked);
        for (word, most) in features.iter_mut().zip(maximum.features()) {
            *word &= most;
        }
        let host = |leaf, subleaf| bounded(asked(leaf, subleaf), leaf, subleaf, &features, maximum);
        let offer = Offer {
            kind: GuestKind::Maximum,
            xcr0: usable_state(&features, maximum),
            // What the hypervisor cannot do the maximum has not.
            speculation_msrs: true,
            fsgsbase: true,
            platform: *platform,
        };
        let mut policy = Self::new(host, &offer);
        policy.limit_hypervisor(asked(FIRST_LEAF, 0).eax, platform);
        Ok(policy)
    }
}

/// Checks a model-specific register of a list.
pub fn check_register(index: u32, flags: u32, value: u64) -> Result<(), PolicyError> {
    if flags != 0 {
        return Err(PolicyError::RegisterTooMuch(index));
    }
    match MSRS.contains(&index) {
        true if value == 0 => Ok(()),
        true => Err(PolicyError::RegisterTooMuch(index)),
        false => Err(PolicyError::NoSuchRegister(index)),
    }
}

fn find(records: &Records, leaf: u32, subleaf: u32) -> Leaf {
    records
        .iter()
        .find(|entry| {
            entry.leaf == leaf && (entry.subleaf == subleaf || entry.subleaf == Entry::ANY)
        })
        .map_or(Leaf::NONE, |entry| entry.answer)
}

/// A wanted answer, within the maximum.
fn bounded(wanted: Leaf, leaf: u32, subleaf: u32, features: &FeatureSet, maximum: &Policy) -> Leaf {
    const SIZES: u32 = 0x8000_0008;
    let mut answer = match leaf {
        XSTATE => maximum.plain(leaf, subleaf),
        _ => wanted,
    };
    if leaf == SIZES {
        let most = maximum.plain(leaf, subleaf).eax;
        let physical = (answer.eax & 0xff).min(most & 0xff);
        let linear = (answer.eax & 0xff00).min(most & 0xff00);
        answer.eax = linear | physical;
    }
    for place in PLACES {
        if place.leaf == leaf && place.subleaf == subleaf {
            let word = features.get(usize::from(place.word));
            answer.set(place.output, word.copied().unwrap_or(0));
        }
    }
    answer
}

/// The components of the extended state that a set of features uses.
fn usable_state(features: &FeatureSet, maximum: &Policy) -> u64 {
    let mut state = 0;
    for (feature, components) in [
        (feature::XSAVE, component::X87 | component::SSE),
        (feature::AVX, component::AVX),
        (feature::AVX512F, component::AVX512),
    ] {
        if feature::XSAVE.is_in(features) && feature.is_in(features) {
            state |= components;
        }
    }
    state & maximum.xstate().mask()
}
