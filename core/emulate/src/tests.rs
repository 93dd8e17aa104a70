//! Tests of the decoders: known encodings, agreement of the fast path with the general one, and no harm by random bytes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used
)]

mod page_table;
mod privileged;

use proptest::prelude::*;

use crate::*;

/// A virtual CPU's registers.
#[derive(Clone, Debug)]
struct Vcpu {
    general: [u64; 16],
    pointer: u64,
    flags: u64,
    fs: u64,
    gs: u64,
}

impl Vcpu {
    /// Register n holds `0x1111_1111_1111_1111 * n`.
    fn numbered() -> Self {
        let mut general = [0; 16];
        for (number, register) in general.iter_mut().enumerate() {
            *register = 0x1111_1111_1111_1111 * number as u64;
        }
        Self {
            general,
            pointer: 0xffff_ffff_8100_0000,
            flags: 2,
            fs: 0xf5_0000,
            gs: 0x65_0000,
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
        match segment {
            Segment::Fs => self.fs,
            Segment::Gs => self.gs,
            Segment::Es => 0x1_0000,
            Segment::Ds => 0x2_0000,
            Segment::Cs | Segment::Ss => 0x3_0000,
        }
    }
}

/// Any registers, with the bits of addresses that are likely to meet.
fn any_vcpu() -> impl Strategy<Value = Vcpu> {
    let registers = any::<[u64; 16]>();
    (registers, any::<[u64; 4]>()).prop_map(|(general, [pointer, flags, fs, gs])| Vcpu {
        general,
        pointer,
        flags,
        fs,
        gs,
    })
}
