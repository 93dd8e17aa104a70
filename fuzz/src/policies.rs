//! CPU policies: the lists of leaves that a toolstack sets for a guest.

use crate::bytes::Bytes;
use crate::Target;
use cpu_policy::{check_register, Entry, GuestKind, GuestView, Leaf, Offer, Platform, Policy};

/// The target.
pub const TARGET: Target = Target {
    name: "cpu-policy",
    run,
    seeds,
};

/// A host whose every leaf says something.
fn host(leaf: u32, subleaf: u32) -> Leaf {
    match (leaf, subleaf) {
        (0, _) => Leaf::new(0xd, 0x6874_7541, 0x444d_4163, 0x6974_6e65),
        (1, _) => Leaf::new(0x0006_0fb1, 0x0302_0800, 0xfed8_320b, 0x1fcb_fbfd),
        (7, 0) => Leaf::new(0, 0x01c8_43a9, 0x8001_021c, 0),
        (0xd, 0) => Leaf::new(7, 0x340, 0x340, 0),
        (0xd, 1) => Leaf::new(5, 0x340, 0, 0),
        (0xd, 2) => Leaf::new(0x100, 0x240, 0, 0),
        (0x8000_0000, _) => Leaf::new(0x8000_000a, 0x6874_7541, 0x444d_4163, 0x6974_6e65),
        (0x8000_0001, _) => Leaf::new(0x0006_0fb1, 0, 0x77, 0xedd3_fbfd),
        (0x8000_0008, _) => Leaf::new(0x3928, 0, 0x1001, 0),
        _ => Leaf::NONE,
    }
}

fn policy(kind: GuestKind) -> Policy {
    let offer = Offer {
        kind,
        xcr0: 7,
        speculation_msrs: true,
        fsgsbase: true,
        platform: Platform::default(),
    };
    Policy::new(host, &offer)
}

fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let (own, maximum) = (policy(GuestKind::Domain), policy(GuestKind::Maximum));
    let mut changes = Vec::new();
    while !bytes.is_empty() && changes.len() < 200 {
        let leaf = match bytes.byte() {
            255 => bytes.double(),
            small => u32::from(small & 0x1f) | bytes.pick(&[0, 0x8000_0000, 0x4000_0000]),
        };
        let subleaf = match bytes.byte() {
            small @ 0..64 => u32::from(small),
            _ => Entry::ANY,
        };
        let answer = Leaf::new(
            bytes.double(),
            bytes.double(),
            bytes.double(),
            bytes.double(),
        );
        changes.push(Entry {
            leaf,
            subleaf,
            answer,
        });
        let _ = check_register(bytes.double(), 0, u64::from(answer.eax));
    }
    let Ok(changed) = own.changed(&changes, &maximum, &Platform::default()) else {
        return;
    };
    let view = GuestView {
        osxsave: true,
        xcr0: 7,
    };
    // What a guest is told of features is no more than the most it may be told.
    for (leaf, subleaf) in [(7, 0), (0x8000_0001, 0)] {
        let (told, most) = (
            changed.cpuid(leaf, subleaf, &view),
            maximum.cpuid(leaf, subleaf, &view),
        );
        if leaf == 7 {
            assert_eq!(told.ebx & !most.ebx, 0, "EBX of leaf 7");
        }
        assert_eq!(told.edx & !most.edx, 0, "EDX of leaf {leaf:#x}");
    }
    let _ = changed.records();
}

fn seeds() -> Vec<Vec<u8>> {
    let one = |leaf: u8, area: u8, subleaf: u8, answer: Leaf| {
        let mut seed = vec![leaf, area, subleaf];
        for word in [answer.eax, answer.ebx, answer.ecx, answer.edx, 0xce] {
            seed.extend(word.to_le_bytes());
        }
        seed
    };
    let mut all = one(1, 0, 255, host(1, 0));
    all.extend(one(7, 0, 0, host(7, 0)));
    all.extend(one(0xd, 0, 1, host(0xd, 1)));
    all.extend(one(1, 1, 255, host(0x8000_0001, 0)));
    vec![all]
}
