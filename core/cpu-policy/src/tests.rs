//! Tests of the table and of policies made from known hosts.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used
)]

mod lists;

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use crate::*;

/// A host by its answers; what is not listed reads as zero.
fn host(answers: &[(u32, u32, [u32; 4])]) -> impl Fn(u32, u32) -> Leaf {
    let answers: HashMap<_, _> = answers
        .iter()
        .map(|(leaf, subleaf, [a, b, c, d])| ((*leaf, *subleaf), Leaf::new(*a, *b, *c, *d)))
        .collect();
    move |leaf, subleaf| answers.get(&(leaf, subleaf)).copied().unwrap_or(Leaf::NONE)
}

/// QEMU 7.2's processor `max,-smap`, as read on it by `xen-cpuid -p`.
const QEMU: &[(u32, u32, [u32; 4])] = &[
    (0, 0, [0xd, 0x6874_7541, 0x444d_4163, 0x6974_6e65]),
    (1, 0, [0x0006_0fb1, 0x0302_0800, 0xfed8_320b, 0x1fcb_fbfd]),
    (5, 0, [0, 0, 3, 0]),
    (6, 0, [4, 0, 0, 0]),
    (7, 0, [0, 0x01c8_43a9, 0x8001_021c, 0]),
    (0xb, 0, [0, 1, 0x100, 0]),
    (0xb, 1, [1, 2, 0x201, 0]),
    (0xd, 0, [0x21f, 0xa88, 0xa88, 0]),
    (0xd, 1, [5, 0x3c8, 0, 0]),
    (0xd, 2, [0x100, 0x240, 0, 0]),
    (0xd, 3, [0x40, 0x3c0, 0, 0]),
    (0xd, 4, [0x40, 0x400, 0, 0]),
    (0xd, 9, [8, 0xa80, 0, 0]),
    (
        0x8000_0000,
        0,
        [0x8000_000a, 0x6874_7541, 0x444d_4163, 0x6974_6e65],
    ),
    (0x8000_0001, 0, [0x0006_0fb1, 0, 0x77, 0xedd3_fbfd]),
    (
        0x8000_0002,
        0,
        [0x554d_4551, 0x4743_5420, 0x5550_4320, 0x7265_7620],
    ),
    (0x8000_0003, 0, [0x6e6f_6973, 0x352e_3220, 0x2b, 0]),
    (
        0x8000_0005,
        0,
        [0x01ff_01ff, 0x01ff_01ff, 0x4002_0140, 0x4002_0140],
    ),
    (0x8000_0006, 0, [0, 0x4200_4200, 0x0200_8140, 0x0080_8140]),
    (0x8000_0008, 0, [0x3928, 0, 0x1001, 0]),
    (0x8000_000a, 0, [1, 0x10, 0, 0x1001_0001]),
];

/// An Intel server processor with AVX-512 and AMX (the leaves a policy reads).
const SERVER: &[(u32, u32, [u32; 4])] = &[
    (0, 0, [0x20, 0x756e_6547, 0x6c65_746e, 0x4965_6e69]),
    (1, 0, [0x000c_06f2, 0x0580_0800, 0x7ffe_fbff, 0xbfeb_fbff]),
    (2, 0, [0x00fe_ff01, 0xf0, 0, 0]),
    (4, 0, [0xfc00_4121, 0x02c0_003f, 0x3f, 0]),
    (4, 1, [0xfc00_4122, 0x01c0_003f, 0x3f, 0]),
    (7, 0, [2, 0xf3bf_b7ef, 0xbbc2_7fee, 0xffdd_4532]),
    (7, 1, [0x1c30, 0, 0, 0]),
    (7, 2, [0, 0, 0, 0x3f]),
    (0xa, 0, [0x0830_0805, 0, 0xf, 0x8604]),
    (0xd, 0, [0x0006_02e7, 0xa88, 0x2b00, 0]),
    (0xd, 1, [0x1f, 0, 0x1_9900, 0]),
    (0xd, 2, [0x100, 0x240, 0, 0]),
    (0xd, 5, [0x40, 0x440, 0, 0]),
    (0xd, 6, [0x200, 0x480, 0, 0]),
    (0xd, 7, [0x400, 0x680, 0, 0]),
    (0xd, 9, [8, 0xa80, 0, 0]),
    (0xd, 17, [0x40, 0xac0, 2, 0]),
    (0xd, 18, [0x2000, 0xb00, 6, 0]),
    (0x8000_0000, 0, [0x8000_0008, 0, 0, 0]),
    (0x8000_0001, 0, [0, 0, 0x121, 0x2c10_0800]),
    (0x8000_0006, 0, [0, 0, 0x0800_7040, 0]),
    (0x8000_0007, 0, [0, 0, 0, 0x100]),
    (0x8000_0008, 0, [0x3934, 0x200, 0, 0]),
];

fn offer(kind: GuestKind) -> Offer {
    Offer {
        kind,
        xcr0: u64::MAX >> 1,
        speculation_msrs: true,
        fsgsbase: true,
        platform: Platform {
            tsc_khz: 2_596_141,
            machine_address_bits: 32,
            ..Platform::default()
        },
    }
}

fn native_set(host: &impl Fn(u32, u32) -> Leaf) -> FeatureSet {
    Policy::host_features(host)
}

#[test]
fn no_bit_and_no_name_is_in_the_table_twice() {
    let mut bits = HashSet::new();
    let mut names = HashSet::new();
    for row in rows() {
        assert!(bits.insert(row.feature), "{} again", row.name);
        assert!(names.insert(row.name), "{} again", row.name);
        assert!(row.feature.bit < 32);
        assert!(PLACES.iter().any(|place| place.word == row.feature.word));
    }
}

#[test]
fn what_pv_guests_cannot_use_is_shown_to_nobody() {
    for hidden in [
        feature::VMX,
        feature::SVM,
        feature::PSE36,
        feature::PCID,
        feature::INVPCID,
        feature::SMEP,
        feature::SMAP,
        feature::UMIP,
        feature::MTRR,
        feature::PGE,
        feature::PSE,
        feature::VME,
        feature::X2APIC,
        feature::TSC_DEADLINE,
        feature::MONITOR,
        feature::PKU,
        feature::XSAVES,
        feature::PAGE1GB,
        feature::CET_SS,
        feature::CET_IBT,
        feature::AMX_TILE,
        feature::LA57,
    ] {
        let row = rows().find(|row| row.feature == hidden).unwrap();
        assert_eq!(row.show, Show::No, "{}", row.name);
    }
}

/// What dom0 read on that processor under Debian's Xen 4.17, with the forced-emulation prefix.
const DOM0_ON_XEN: &[(u32, u32, [u32; 4])] = &[
    (0, 0, [0xd, 0x6874_7541, 0x444d_4163, 0x6974_6e65]),
    (1, 0, [0x0006_0fb1, 0x0002_0800, 0xfed8_3203, 0x1fc9_c3f5]),
    (2, 0, [0; 4]),
    (4, 0, [0; 4]),
    (5, 0, [0; 4]),
    (6, 0, [0; 4]),
    (7, 0, [0, 0x0188_0329, 0x0000_0200, 0]),
    (7, 1, [0; 4]),
    (0xa, 0, [0; 4]),
    (0xb, 0, [0; 4]),
    (0xb, 1, [0; 4]),
    (0xd, 0, [7, 0x340, 0x340, 0]),
    (0xd, 1, [5, 0, 0, 0]),
    (0xd, 2, [0x100, 0x240, 0, 0]),
    (0xd, 3, [0; 4]),
    (0xd, 9, [0; 4]),
    (0x12, 0, [0; 4]),
    (
        0x4000_0000,
        0,
        [0x4000_0005, 0x566e_6558, 0x6558_4d4d, 0x4d4d_566e],
    ),
    (0x4000_0001, 0, [0x0004_0011, 0, 0, 0]),
    (0x4000_0002, 0, [1, 0x4000_0000, 1, 0]),
    (0x4000_0003, 0, [4, 0, 0, 0]),
    (0x4000_0003, 1, [0; 4]),
    (0x4000_0003, 2, [0x0027_9d2d, 0, 0, 0]),
    (0x4000_0004, 0, [0; 4]),
    (0x4000_0005, 0, [0, 0x20, 0, 0]),
    (0x4000_0005, 1, [0; 4]),
    (0x4000_0006, 0, [0; 4]),
    (0x8000_0001, 0, [0x0006_0fb1, 0, 0x63, 0xe9d1_cbf5]),
    (
        0x8000_0002,
        0,
        [0x554d_4551, 0x4743_5420, 0x5550_4320, 0x7265_7620],
    ),
    (
        0x8000_0005,
        0,
        [0x01ff_01ff, 0x01ff_01ff, 0x4002_0140, 0x4002_0140],
    ),
    (0x8000_0006, 0, [0, 0x4200_4200, 0x0200_8140, 0x0080_8140]),
    (0x8000_0007, 0, [0; 4]),
    (0x8000_0008, 0, [0x3028, 0, 0x1001, 0]),
    (0x8000_000a, 0, [0; 4]),
];

#[test]
fn dom0_on_qemu_sees_what_debians_xen_shows_it() {
    let policy = Policy::new(host(QEMU), &offer(GuestKind::HardwareDomain));
    let view = GuestView {
        osxsave: true,
        xcr0: 7,
    };
    for (leaf, subleaf, [a, b, c, d]) in DOM0_ON_XEN.iter().copied() {
        assert_eq!(
            policy.cpuid(leaf, subleaf, &view),
            Leaf::new(a, b, c, d),
            "leaf {leaf:#x}.{subleaf}"
        );
    }
    // Xen adds leaf 0x80000021 with a promise about LFENCE that this hypervisor does not make.
    assert_eq!(policy.cpuid(0x8000_0000, 0, &view).eax, 0x8000_000a);
}

#[test]
fn a_server_shows_avx512_but_neither_amx_nor_protection_keys() {
    let policy = Policy::new(host(SERVER), &offer(GuestKind::HardwareDomain));
    assert_eq!(policy.vendor(), Vendor::Intel);
    assert_eq!(policy.xstate().mask(), 0xe7);
    assert!(policy.shows(feature::AVX512F) && policy.shows(feature::AVX512VL));
    assert!(!policy.shows(feature::AMX_TILE) && !policy.shows(feature::PKU));
    assert!(policy.shows(feature::SEP) && policy.shows(feature::ITSC));
    let all = GuestView {
        osxsave: true,
        xcr0: 0xe7,
    };
    let main = policy.cpuid(0xd, 0, &all);
    assert_eq!(main, Leaf::new(0xe7, 0xa80, 0xa80, 0));
    let some = GuestView {
        osxsave: true,
        xcr0: 7,
    };
    assert_eq!(policy.cpuid(0xd, 0, &some).ebx, 0x340);
    assert_eq!(policy.cpuid(0xd, 17, &all), Leaf::NONE);
    assert_eq!(policy.cpuid(4, 1, &all).eax, 0xfc00_4122);
    assert_eq!(policy.cpuid(4, 2, &all), Leaf::NONE);
    assert_eq!(policy.cpuid(0, 0, &all).eax, 0xd);
    let sizes = policy.cpuid(0x8000_0008, 0, &all);
    assert_eq!((sizes.eax, sizes.ecx), (0x3034, 0));
}

#[test]
fn other_domains_do_not_see_the_invariant_counter() {
    let domain = Policy::new(host(SERVER), &offer(GuestKind::Domain));
    assert!(!domain.shows(feature::ITSC) && !domain.shows(feature::HLE));
    let maximum = Policy::new(host(SERVER), &offer(GuestKind::Maximum));
    assert!(maximum.shows(feature::ITSC));
}

#[test]
fn features_that_need_registers_follow_the_offer() {
    let mut poor = offer(GuestKind::Domain);
    poor.speculation_msrs = false;
    poor.fsgsbase = false;
    let policy = Policy::new(host(SERVER), &poor);
    assert!(!policy.shows(feature::IBRSB) && !policy.shows(feature::ARCH_CAPS));
    assert!(!policy.shows(feature::FSGSBASE));
    let rich = Policy::new(host(SERVER), &offer(GuestKind::Domain));
    assert!(rich.shows(feature::IBRSB) && rich.shows(feature::FSGSBASE));
}

#[test]
fn without_extended_state_nothing_that_needs_it_is_shown() {
    let mut offer = offer(GuestKind::HardwareDomain);
    offer.xcr0 = 0;
    let policy = Policy::new(host(SERVER), &offer);
    let view = GuestView {
        osxsave: true,
        xcr0: 0,
    };
    for gone in [
        feature::XSAVE,
        feature::AVX,
        feature::AVX2,
        feature::FMA,
        feature::AVX512F,
        feature::XSAVEOPT,
    ] {
        assert!(!policy.shows(gone));
    }
    assert!(!feature::OSXSAVE.is_in(&{
        let mut set = [0; WORDS];
        set[1] = policy.cpuid(1, 0, &view).ecx;
        set
    }));
    assert_eq!(policy.cpuid(0xd, 0, &view), Leaf::NONE);
    assert_eq!(policy.cpuid(0xd, 1, &view), Leaf::NONE);
}

#[test]
fn xcr0_is_taken_in_whole_groups_only() {
    let policy = Policy::new(host(SERVER), &offer(GuestKind::Domain));
    let state = policy.xstate();
    for good in [1, 3, 7, 0xe7] {
        assert!(state.accepts(good), "{good:#x}");
    }
    for bad in [0, 2, 5, 0x23, 0x27, 0xe3, 0xef, 0x207, 0x6_0007] {
        assert!(!state.accepts(bad), "{bad:#x}");
    }
    assert_eq!(
        state.compacted_bytes(0xe7),
        0x240 + 0x100 + 0x40 + 0x200 + 0x400
    );
}

#[test]
fn every_answer_fits_the_list() {
    for leaves in [QEMU, SERVER] {
        let policy = Policy::new(host(leaves), &offer(GuestKind::Maximum));
        assert!(policy.records().len() < MOST_RECORDS);
    }
}

/// A host that answers leaf numbers soundly and everything else at random.
fn random_host(seed: u64, vendor: usize) -> impl Fn(u32, u32) -> Leaf {
    let names = [
        [0x756e_6547, 0x6c65_746e, 0x4965_6e69],
        [0x6874_7541, 0x444d_4163, 0x6974_6e65],
        [1, 2, 3],
    ];
    let [ebx, ecx, edx] = names[vendor % 3];
    move |leaf, subleaf| match leaf {
        0 => Leaf::new(0x20, ebx, ecx, edx),
        0x8000_0000 => Leaf::new(0x8000_0022, ebx, ecx, edx),
        _ => {
            let mix = |salt: u64| {
                let word = seed ^ u64::from(leaf) << 20 ^ u64::from(subleaf) << 2 ^ salt;
                (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 29) as u32
            };
            Leaf::new(mix(0), mix(1), mix(2), mix(3))
        }
    }
}

proptest! {
    #[test]
    fn nothing_is_shown_that_the_host_lacks(
        seed: u64,
        vendor in 0..3_usize,
        xcr0: u64,
        speculation_msrs: bool,
        fsgsbase: bool,
    ) {
        let host = random_host(seed, vendor);
        let native = native_set(&host);
        for kind in [GuestKind::HardwareDomain, GuestKind::Domain, GuestKind::Maximum] {
            let offer = Offer { xcr0, speculation_msrs, fsgsbase, ..offer(kind) };
            let policy = Policy::new(&host, &offer);
            for row in rows() {
                let shown = policy.shows(row.feature);
                let may = row.feature.is_in(&native) || row.show == Show::Always;
                prop_assert!(may || !shown, "{}", row.name);
                prop_assert!(row.show != Show::No || !shown, "{}", row.name);
            }
            // Nor is a bit outside the table.
            for (word, bits) in policy.features().iter().enumerate() {
                for bit in (0..32_u8).filter(|bit| bits >> bit & 1 != 0) {
                    let feature = Feature { word: word as u8, bit };
                    prop_assert!(rows().any(|row| row.feature == feature));
                }
            }
            prop_assert_eq!(policy.xstate().mask() & !xcr0, 0);
        }
    }

    #[test]
    fn dom0_and_domains_see_no_more_than_the_maximum(seed: u64, vendor in 0..3_usize) {
        let host = random_host(seed, vendor);
        let maximum = Policy::new(&host, &offer(GuestKind::Maximum));
        for kind in [GuestKind::HardwareDomain, GuestKind::Domain] {
            let policy = Policy::new(&host, &offer(kind));
            for (less, more) in policy.features().iter().zip(maximum.features()) {
                prop_assert_eq!(less & !more, 0);
            }
        }
    }

    #[test]
    fn any_question_gets_an_answer(seed: u64, leaf: u32, subleaf: u32, xcr0: u64, osxsave: bool) {
        let policy = Policy::new(random_host(seed, 0), &offer(GuestKind::HardwareDomain));
        let view = GuestView { osxsave, xcr0 };
        let _ = policy.cpuid(leaf, subleaf, &view);
        let _ = policy.cpuid(0xd, subleaf % 64, &view);
    }
}
