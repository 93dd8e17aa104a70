//! The one table of processor features: which a para-virtualized guest is shown, and why not where it is not.

mod basic;
mod dependencies;
mod newer;

pub(crate) use dependencies::remove_dependent;

/// The features' own names.
pub mod feature {
    pub use super::basic::*;
    pub use super::newer::*;
}

/// Words in a feature set, as the public interface orders them (`arch-x86/cpufeatureset.h`).
pub const WORDS: usize = 19;

/// A set of features: one bit each, by word.
pub type FeatureSet = [u32; WORDS];

/// A feature: a bit of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Feature {
    /// The word.
    pub word: u8,
    /// The bit, 0 to 31.
    pub bit: u8,
}

impl Feature {
    /// Whether a set has the feature.
    pub fn is_in(self, set: &FeatureSet) -> bool {
        let word = set.get(usize::from(self.word));
        word.is_some_and(|word| word >> (self.bit & 31) & 1 != 0)
    }

    /// Puts the feature into a set or takes it out.
    pub(crate) fn put(self, set: &mut FeatureSet, present: bool) {
        if let Some(word) = set.get_mut(usize::from(self.word)) {
            let mask = 1 << (self.bit & 31);
            *word = if present { *word | mask } else { *word & !mask };
        }
    }
}

/// Who is shown a feature of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// Every guest.
    Both,
    /// dom0 only; others where their configuration asks for it.
    Dom0,
    /// No guest unless its configuration asks for it.
    OnRequest,
    /// Nobody: a PV guest cannot use it, or it is not virtualized.
    No,
    /// Every guest, even where the host lacks it.
    Always,
    /// Every guest as the host has it. It says how the processor behaves rather than what it can do.
    AsHost,
    /// Every guest on Intel processors; others do not have it in 64-bit mode.
    Intel,
    /// Worked out anew each time a guest asks, from its control registers.
    Asked,
    /// Every guest if the hypervisor emulates the registers that control speculation.
    SpeculationMsr,
}

/// The extended state a feature works on. It is shown only where that state is saved for the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// None beyond SSE.
    Nothing,
    /// The XSAVE instruction itself.
    Xsave,
    /// The upper halves of the AVX registers.
    Avx,
    /// The mask registers and the further registers of AVX-512.
    Avx512,
}

/// A line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The feature's name.
    pub name: &'static str,
    /// Which bit it is.
    pub feature: Feature,
    /// Who is shown it.
    pub show: Show,
    /// What it works on.
    pub need: Need,
}

/// The whole table.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    basic::BASIC.iter().chain(newer::NEWER)
}

/// A register of CPUID's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The first.
    Eax,
    /// The second.
    Ebx,
    /// The third.
    Ecx,
    /// The fourth.
    Edx,
}

/// Where CPUID reports a word of features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WordPlace {
    /// The word's number.
    pub word: u8,
    /// The leaf.
    pub leaf: u32,
    /// The subleaf.
    pub subleaf: u32,
    /// The register.
    pub output: Output,
}

const fn place(word: u8, leaf: u32, subleaf: u32, output: Output) -> WordPlace {
    WordPlace {
        word,
        leaf,
        subleaf,
        output,
    }
}

/// Where CPUID reports each word. Words 16 and 17 are a model-specific register's and are not shown.
pub const PLACES: [WordPlace; 17] = [
    place(0, 0x0000_0001, 0, Output::Edx),
    place(1, 0x0000_0001, 0, Output::Ecx),
    place(2, 0x8000_0001, 0, Output::Edx),
    place(3, 0x8000_0001, 0, Output::Ecx),
    place(4, 0x0000_000d, 1, Output::Eax),
    place(5, 0x0000_0007, 0, Output::Ebx),
    place(6, 0x0000_0007, 0, Output::Ecx),
    place(7, 0x8000_0007, 0, Output::Edx),
    place(8, 0x8000_0008, 0, Output::Ebx),
    place(9, 0x0000_0007, 0, Output::Edx),
    place(10, 0x0000_0007, 1, Output::Eax),
    place(11, 0x8000_0021, 0, Output::Eax),
    place(12, 0x0000_0007, 1, Output::Ebx),
    place(13, 0x0000_0007, 2, Output::Edx),
    place(14, 0x0000_0007, 1, Output::Ecx),
    place(15, 0x0000_0007, 1, Output::Edx),
    place(18, 0x8000_0021, 0, Output::Ecx),
];

/// Declares features as constants and as rows of a table.
macro_rules! features {
    ($table:ident: $($name:ident = $word:literal, $bit:literal, $show:ident, $need:ident;)*) => {
        $(
            #[doc = concat!("The feature ", stringify!($name), ": bit ", $bit, " of word ", $word, ".")]
            pub const $name: $crate::Feature = $crate::Feature { word: $word, bit: $bit };
        )*
        /// The rows of this part.
        pub(super) const $table: &[$crate::table::Row] = &[$(
            $crate::table::Row {
                name: stringify!($name),
                feature: $name,
                show: $crate::table::Show::$show,
                need: $crate::table::Need::$need,
            },
        )*];
    };
}
use features;
