//! Tests of policies as lists, and of those made from lists.

use super::*;

/// The policies of a machine: the most a domain can be given, and what it gets unasked.
fn machine(host: impl Fn(u32, u32) -> Leaf + Copy) -> (Policy, Policy) {
    let default = Policy::new(host, &offer(GuestKind::Domain));
    (Policy::new(host, &offer(GuestKind::Maximum)), default)
}

fn record(leaf: u32, subleaf: u32, [a, b, c, d]: [u32; 4]) -> Entry {
    Entry {
        leaf,
        subleaf,
        answer: Leaf::new(a, b, c, d),
    }
}

fn find(records: &[Entry], leaf: u32) -> Entry {
    *records.iter().find(|entry| entry.leaf == leaf).unwrap()
}

#[test]
fn a_list_names_each_leaf_once_and_only_known_ones() {
    for leaves in [QEMU, SERVER] {
        let (maximum, default) = machine(&host(leaves));
        for records in [maximum.records(), default.records(), of_host(host(leaves))] {
            let mut places = HashSet::new();
            for entry in &records {
                assert!(places.insert((entry.leaf, entry.subleaf)), "{entry:x?}");
                let has_subleaves = matches!(entry.leaf, 4 | 7 | 0xb | 0xd);
                assert_eq!(has_subleaves, entry.subleaf != Entry::ANY, "{entry:x?}");
            }
            assert_eq!(find(&records, 0x4000_0000).answer, Leaf::NONE);
        }
    }
}

#[test]
fn what_is_not_changed_stays() {
    for leaves in [QEMU, SERVER] {
        let (maximum, default) = machine(&host(leaves));
        let platform = offer(GuestKind::Domain).platform;
        let same = default.changed(&[], &maximum, &platform).unwrap();
        assert_eq!(same.records(), default.records());
        let all = default.records();
        let again = same.changed(&all, &maximum, &platform).unwrap();
        assert_eq!(again.records(), default.records());
        assert_eq!(again.features(), default.features());
        assert_eq!(again.xstate(), default.xstate());
    }
}

#[test]
fn a_feature_taken_away_takes_along_what_needs_it() {
    let (maximum, default) = machine(&host(SERVER));
    let platform = offer(GuestKind::Domain).platform;
    let mut version = find(&default.records(), 1);
    version.answer.ecx &= !(1 << feature::AVX.bit);
    let less = default.changed(&[version], &maximum, &platform).unwrap();
    for gone in [
        feature::AVX,
        feature::AVX2,
        feature::FMA,
        feature::AVX512F,
        feature::AVX512VL,
        feature::VAES,
    ] {
        assert!(default.shows(gone) && !less.shows(gone), "{gone:?}");
    }
    assert_eq!(less.xstate().mask(), 3);
    let view = GuestView {
        osxsave: true,
        xcr0: 3,
    };
    assert_eq!(less.cpuid(0xd, 0, &view), Leaf::new(3, 0x240, 0x240, 0));
    assert_eq!(less.cpuid(0xd, 2, &view), Leaf::NONE);
    assert!(less.shows(feature::XSAVE) && less.shows(feature::SSE4_2));
}

#[test]
fn a_feature_on_request_is_given_and_one_nobody_has_is_not() {
    let (maximum, default) = machine(&host(SERVER));
    let platform = offer(GuestKind::Domain).platform;
    let wanted = record(0x8000_0007, Entry::ANY, [0, 0, 0, u32::MAX]);
    let more = default.changed(&[wanted], &maximum, &platform).unwrap();
    assert!(!default.shows(feature::ITSC) && more.shows(feature::ITSC));
    assert!(!more.shows(feature::CPB) && !more.shows(feature::EFRO));
}

#[test]
fn lists_that_ask_for_what_cannot_be_are_refused() {
    let (maximum, default) = machine(&host(SERVER));
    let platform = offer(GuestKind::Domain).platform;
    let refused = |leaf, subleaf, eax| {
        let wanted = record(leaf, subleaf, [eax, 0, 0, 0]);
        default.changed(&[wanted], &maximum, &platform).unwrap_err()
    };
    for (leaf, subleaf) in [
        (0xe, Entry::ANY),
        (1, 0),
        (7, 3),
        (0xd, 63),
        (4, Entry::ANY),
        (0x4000_0001, Entry::ANY),
        (0x8000_0022, Entry::ANY),
    ] {
        assert_eq!(
            refused(leaf, subleaf, 0),
            PolicyError::NoSuchLeaf { leaf, subleaf }
        );
    }
    for (leaf, subleaf) in [(0, Entry::ANY), (7, 0), (0x8000_0000, Entry::ANY)] {
        assert_eq!(
            refused(leaf, subleaf, u32::MAX),
            PolicyError::TooMuch { leaf, subleaf }
        );
    }
    assert_eq!(check_register(0xce, 0, 0), Ok(()));
    assert_eq!(
        check_register(0x10a, 0, 1),
        Err(PolicyError::RegisterTooMuch(0x10a))
    );
    assert_eq!(
        check_register(0x10, 0, 0),
        Err(PolicyError::NoSuchRegister(0x10))
    );
}

#[test]
fn the_hypervisors_leaves_end_where_the_list_says() {
    let (maximum, default) = machine(&host(QEMU));
    let platform = offer(GuestKind::Domain).platform;
    let limited = record(0x4000_0000, Entry::ANY, [0x4000_0003, 0, 0, 0]);
    let policy = default.changed(&[limited], &maximum, &platform).unwrap();
    let view = GuestView::default();
    assert_eq!(policy.cpuid(0x4000_0000, 0, &view).eax, 0x4000_0003);
    assert_eq!(policy.cpuid(0x4000_0003, 2, &view).eax, platform.tsc_khz);
    assert_eq!(policy.cpuid(0x4000_0005, 0, &view), Leaf::NONE);
    // A guest always finds the version.
    let none = record(0x4000_0000, Entry::ANY, [1, 0, 0, 0]);
    let policy = policy.changed(&[none], &maximum, &platform).unwrap();
    assert_eq!(policy.cpuid(0x4000_0000, 0, &view).eax, 0x4000_0002);
    assert_ne!(policy.cpuid(0x4000_0001, 0, &view), Leaf::NONE);
}

proptest! {
    #[test]
    fn no_list_gives_more_than_the_maximum(
        seed: u64,
        vendor in 0..3_usize,
        wanted in prop::collection::vec(
            (prop::sample::select(&[0_u32, 1, 4, 7, 0xd, 0x8000_0000, 0x8000_0001, 0x8000_0007,
                0x8000_0008, 0x8000_0021, 0x4000_0000, 0x500][..]), 0..4_u32, any::<[u32; 4]>()),
            0..12,
        ),
    ) {
        let source = random_host(seed, vendor);
        let (maximum, default) = machine(&source);
        let platform = offer(GuestKind::Domain).platform;
        let changes: Vec<_> = wanted
            .iter()
            .map(|&(leaf, subleaf, registers)| {
                let subleaf = if matches!(leaf, 4 | 7 | 0xd) { subleaf } else { Entry::ANY };
                record(leaf, subleaf, registers)
            })
            .collect();
        let Ok(policy) = default.changed(&changes, &maximum, &platform) else {
            return Ok(());
        };
        for (less, more) in policy.features().iter().zip(maximum.features()) {
            prop_assert_eq!(less & !more, 0);
        }
        prop_assert_eq!(policy.xstate().mask() & !maximum.xstate().mask(), 0);
        prop_assert!(policy.records().len() < MOST_RECORDS);
        // What it says of itself is what it is: writing it down and reading it back changes nothing.
        let again = policy.changed(&policy.records(), &maximum, &platform).unwrap();
        prop_assert_eq!(again.records(), policy.records());
        prop_assert_eq!(again.features(), policy.features());
    }
}
