//! The extended processor state a guest may use, and what CPUID leaf 0xd says of it (Intel SDM volume 1, chapter 13).

use crate::leaves::Leaf;

/// Components of the extended state, as bits of XCR0.
pub mod component {
    /// x87 registers.
    pub const X87: u64 = 1 << 0;
    /// The lower halves of the vector registers.
    pub const SSE: u64 = 1 << 1;
    /// The upper halves of the AVX registers.
    pub const AVX: u64 = 1 << 2;
    /// The bound registers of MPX.
    pub const BOUNDS: u64 = 3 << 3;
    /// The mask registers and the further vector registers of AVX-512.
    pub const AVX512: u64 = 7 << 5;
    /// The protection-key register.
    pub const PKRU: u64 = 1 << 9;
    /// The tile registers of AMX.
    pub const AMX: u64 = 3 << 17;
}

/// Components beyond the first two that have a subleaf.
const FIRST_EXTENDED: u32 = 2;
/// The highest bit of XCR0 that can be a component.
const LAST_EXTENDED: u32 = 62;
/// The legacy region and the header, which every state has.
const BASE_BYTES: u32 = 512 + 64;
/// The most components kept; processors have ten.
const MOST: usize = 16;

/// The extended state that may be used, with each component's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct XState {
    mask: u64,
    components: [Option<Component>; MOST],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Component {
    bit: u32,
    answer: Leaf,
}

impl XState {
    /// The components of `allowed` that the host has too, by its CPUID leaf 0xd. AVX-512 is taken whole or not at all, and
    /// only with AVX, as XCR0 demands.
    pub(crate) fn new(host: &impl Fn(u32, u32) -> Leaf, allowed: u64) -> Self {
        let main = host(0xd, 0);
        let mut mask = (u64::from(main.edx) << 32 | u64::from(main.eax)) & allowed;
        mask |= allowed & (component::X87 | component::SSE);
        for (group, requires) in [
            (component::AVX, component::SSE),
            (component::AVX512, component::AVX),
            (component::BOUNDS, 0),
            (component::AMX, 0),
        ] {
            if mask & group != group || mask & requires != requires {
                mask &= !group;
            }
        }
        let mut state = Self {
            mask,
            components: [None; MOST],
        };
        let bits = (FIRST_EXTENDED..=LAST_EXTENDED).filter(|bit| mask >> bit & 1 != 0);
        for (bit, slot) in bits.zip(&mut state.components) {
            let answer = host(0xd, bit);
            *slot = Some(Component { bit, answer });
        }
        state
    }

    /// The bits of XCR0 that may be set.
    pub const fn mask(&self) -> u64 {
        self.mask
    }

    /// Whether all of these components may be used.
    pub const fn has(&self, components: u64) -> bool {
        self.mask & components == components
    }

    /// Bytes that the components of `xcr0` take in the standard format.
    pub fn bytes(&self, xcr0: u64) -> u32 {
        let extended = self.components.iter().flatten();
        extended
            .filter(|component| xcr0 >> component.bit & 1 != 0)
            .map(|component| component.answer.ebx.saturating_add(component.answer.eax))
            .fold(BASE_BYTES, u32::max)
    }

    /// Bytes that the components of `xcr0` take in the compacted format.
    pub fn compacted_bytes(&self, xcr0: u64) -> u32 {
        /// In a component's ECX: it starts on a multiple of 64.
        const ALIGNED: u32 = 2;
        let extended = self.components.iter().flatten();
        extended
            .filter(|component| xcr0 >> component.bit & 1 != 0)
            .fold(BASE_BYTES, |bytes, component| {
                let aligned = component.answer.ecx & ALIGNED != 0;
                let start = if aligned {
                    bytes.saturating_add(63) & !63
                } else {
                    bytes
                };
                start.saturating_add(component.answer.eax)
            })
    }

    /// Whether a guest may set XCR0 to this: x87 always, nothing beyond the mask, and the groups whole.
    pub const fn accepts(&self, xcr0: u64) -> bool {
        let sound = xcr0 & component::X87 != 0 && xcr0 & !self.mask == 0;
        let avx = xcr0 & component::AVX == 0 || xcr0 & component::SSE != 0;
        let avx512 = match xcr0 & component::AVX512 {
            0 => true,
            group => group == component::AVX512 && xcr0 & component::AVX != 0,
        };
        let bounds = matches!(xcr0 & component::BOUNDS, 0 | component::BOUNDS);
        let amx = matches!(xcr0 & component::AMX, 0 | component::AMX);
        sound && avx && avx512 && bounds && amx
    }

    /// Subleaf 0 but for the size in use, which depends on XCR0.
    pub(crate) fn main_leaf(&self) -> Leaf {
        Leaf::new(
            self.mask as u32,
            0,
            self.bytes(self.mask),
            (self.mask >> 32) as u32,
        )
    }

    /// The subleaves of the components.
    pub(crate) fn component_leaves(&self) -> impl Iterator<Item = (u32, Leaf)> + '_ {
        let extended = self.components.iter().flatten();
        extended.map(|component| (component.bit, component.answer))
    }
}
