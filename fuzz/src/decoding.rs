//! The instruction decoders: bytes that a guest had at its instruction pointer, and its registers.

use crate::bytes::Bytes;
use crate::Target;
use emulate::{page_table_write, privileged, CodeSize, Registers, Segment};
use vocabulary::VirtAddr;

/// A trapped page-table write.
pub const PAGE_TABLE_WRITE: Target = Target {
    name: "page-table-write",
    run: write,
    seeds,
};

/// A privileged instruction.
pub const PRIVILEGED: Target = Target {
    name: "privileged",
    run: instruction,
    seeds,
};

struct Vcpu {
    general: [u64; 16],
    pointer: u64,
    flags: u64,
}

impl Vcpu {
    fn of(bytes: &mut Bytes<'_>) -> Self {
        Self {
            general: std::array::from_fn(|_| bytes.quad()),
            pointer: bytes.quad(),
            flags: bytes.quad(),
        }
    }
}

impl Registers for Vcpu {
    fn general(&self, number: u8) -> u64 {
        self.general.get(usize::from(number)).copied().unwrap_or(0)
    }

    fn instruction_pointer(&self) -> u64 {
        self.pointer
    }

    fn flags(&self) -> u64 {
        self.flags
    }

    fn segment_base(&self, segment: Segment) -> u64 {
        self.general(segment as u8)
    }
}

/// The first 16 bytes are code, the rest registers.
fn split(data: &[u8]) -> (&[u8], Vcpu) {
    let (code, rest) = data.split_at(data.len().min(16));
    (code, Vcpu::of(&mut Bytes(rest)))
}

fn write(data: &[u8]) {
    let (code, vcpu) = split(data);
    // Where the write goes is one of the registers, or near it.
    for fault in vcpu.general {
        if let Ok(found) = page_table_write(code, &vcpu, VirtAddr(fault)) {
            assert!(
                (1..=15).contains(&found.length),
                "no length of an instruction"
            );
            let outcome = found.apply(vcpu.flags, &vcpu);
            let again = found.apply(vcpu.flags, &vcpu);
            assert_eq!(outcome, again, "the same entry gives the same");
        }
    }
}

fn instruction(data: &[u8]) {
    let (code, vcpu) = split(data);
    for size in [CodeSize::Bits16, CodeSize::Bits32, CodeSize::Bits64] {
        if let Ok(found) = privileged(code, size, &vcpu) {
            assert!(
                (1..=20).contains(&found.length),
                "no length of an instruction"
            );
        }
    }
}

/// One of each form, with registers that point at a table.
fn seeds() -> Vec<Vec<u8>> {
    let codes: &[&[u8]] = &[
        &[0x48, 0x87, 0x07],
        &[0x48, 0x89, 0x07],
        &[0xf0, 0x48, 0x83, 0x27, 0xfd],
        &[0xf0, 0x48, 0x0f, 0xb1, 0x0f],
        &[0xf0, 0x48, 0x0f, 0xba, 0x37, 0x06],
        &[0x48, 0xc7, 0x07, 0, 0, 0, 0],
        &[0x0f, 0x0b, b'x', b'e', b'n', 0x0f, 0xa2],
        &[0x0f, 0x30],
        &[0x0f, 0x22, 0xd8],
        &[0xf3, 0x6c],
        &[0x66, 0xef],
        &[0x0f, 0x01, 0xd1],
        &[0x0f, 0x23, 0xf8],
        &[0x0f, 0x01, 0x38],
    ];
    let seed = |code: &&[u8]| {
        let mut seed = code.to_vec();
        seed.resize(16, 0x90);
        for register in 0..18_u64 {
            seed.extend((0xffff_8880_0123_4000 + 8 * register).to_le_bytes());
        }
        seed
    };
    codes.iter().map(seed).collect()
}
