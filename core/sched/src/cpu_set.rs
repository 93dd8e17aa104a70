//! Physical CPUs by number, and sets of them.

/// How many physical CPUs a set can name: the host's CPUs are numbered below this.
pub const MAX_CPUS: u32 = 256;

const WORD_BITS: u32 = u64::BITS;
const WORDS: usize = (MAX_CPUS / WORD_BITS) as usize;

/// A physical CPU: its number in the hypervisor's own count, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CpuId(pub u32);

/// A set of physical CPUs, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CpuSet {
    words: [u64; WORDS],
}

impl CpuSet {
    /// No CPU.
    pub const EMPTY: Self = Self { words: [0; WORDS] };
    /// Every CPU that can be named.
    pub const ALL: Self = Self {
        words: [u64::MAX; WORDS],
    };

    /// The set of one CPU; empty when the number is beyond [`MAX_CPUS`].
    pub fn only(cpu: CpuId) -> Self {
        let mut set = Self::EMPTY;
        set.insert(cpu);
        set
    }

    /// The set of CPUs 0 up to but not including `count`.
    pub fn first(count: u32) -> Self {
        (0..count.min(MAX_CPUS)).map(CpuId).collect()
    }

    /// Builds a set from its bits, lowest CPU first; bits beyond [`MAX_CPUS`] are dropped.
    pub fn from_words(source: &[u64]) -> Self {
        let mut set = Self::EMPTY;
        for (word, given) in set.words.iter_mut().zip(source) {
            *word = *given;
        }
        set
    }

    /// The set's bits, lowest CPU first.
    pub const fn words(&self) -> &[u64; WORDS] {
        &self.words
    }

    /// Whether the CPU is in the set.
    pub fn contains(&self, cpu: CpuId) -> bool {
        self.words
            .get((cpu.0 / WORD_BITS) as usize)
            .is_some_and(|word| word & (1 << (cpu.0 % WORD_BITS)) != 0)
    }

    /// Adds a CPU; one beyond [`MAX_CPUS`] is ignored.
    pub fn insert(&mut self, cpu: CpuId) {
        if let Some(word) = self.words.get_mut((cpu.0 / WORD_BITS) as usize) {
            *word |= 1 << (cpu.0 % WORD_BITS);
        }
    }

    /// Takes a CPU out.
    pub fn remove(&mut self, cpu: CpuId) {
        if let Some(word) = self.words.get_mut((cpu.0 / WORD_BITS) as usize) {
            *word &= !(1 << (cpu.0 % WORD_BITS));
        }
    }

    /// Whether there is no CPU in the set.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// The CPU of a set of one.
    pub fn single(&self) -> Option<CpuId> {
        self.is_single().then(|| self.lowest()).flatten()
    }

    /// Whether there is one CPU in the set.
    pub fn is_single(&self) -> bool {
        // Not by counting bits, for which the oldest x86-64 processors have no instruction.
        let all = self.words.iter().fold(0, |all, word| all | word);
        let used = self.words.iter().filter(|word| **word != 0).count();
        used == 1 && all & all.wrapping_sub(1) == 0
    }

    /// How many CPUs are in the set.
    pub fn len(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    /// The CPUs in both sets.
    pub fn and(&self, other: &Self) -> Self {
        let mut both = *self;
        for (word, mask) in both.words.iter_mut().zip(other.words) {
            *word &= mask;
        }
        both
    }

    /// The CPUs of this set that are not in the other.
    pub fn and_not(&self, other: &Self) -> Self {
        let mut rest = *self;
        for (word, mask) in rest.words.iter_mut().zip(other.words) {
            *word &= !mask;
        }
        rest
    }

    /// The CPUs in both sets, or all of `others` where that is none: an affinity against the CPUs there are.
    pub fn within(&self, others: &Self) -> Self {
        let both = self.and(others);
        if both.is_empty() {
            *others
        } else {
            both
        }
    }

    /// Whether a CPU is in [`CpuSet::within`].
    pub fn allows(&self, cpu: CpuId, others: &Self) -> bool {
        others.contains(cpu) && (self.contains(cpu) || self.and(others).is_empty())
    }

    /// The CPUs in either set.
    pub fn or(&self, other: &Self) -> Self {
        let mut either = *self;
        for (word, more) in either.words.iter_mut().zip(other.words) {
            *word |= more;
        }
        either
    }

    /// The lowest CPU of the set.
    pub fn lowest(&self) -> Option<CpuId> {
        let mut words = (0u32..).zip(&self.words);
        let (index, word) = words.find(|(_, word)| **word != 0)?;
        Some(CpuId(index * WORD_BITS + word.trailing_zeros()))
    }

    /// The first CPU of the set at or after `start`, wrapping to the lowest.
    pub fn next_from(&self, start: CpuId) -> Option<CpuId> {
        let low = self.lowest()?;
        if start.0 >= MAX_CPUS {
            return Some(low);
        }
        let mut rest = *self;
        let split = (start.0 / WORD_BITS) as usize;
        for (index, word) in rest.words.iter_mut().enumerate() {
            match index.cmp(&split) {
                core::cmp::Ordering::Less => *word = 0,
                core::cmp::Ordering::Equal => *word &= u64::MAX << (start.0 % WORD_BITS),
                core::cmp::Ordering::Greater => {}
            }
        }
        rest.lowest().or(Some(low))
    }

    /// The CPUs of the set, lowest first. Cost: the words plus the members.
    pub fn iter(&self) -> impl Iterator<Item = CpuId> + '_ {
        self.words.iter().zip(0u32..).flat_map(|(word, index)| {
            let mut rest = *word;
            core::iter::from_fn(move || {
                if rest == 0 {
                    return None;
                }
                let bit = rest.trailing_zeros();
                rest &= rest - 1;
                Some(CpuId(index * WORD_BITS + bit))
            })
        })
    }
}

impl FromIterator<CpuId> for CpuSet {
    fn from_iter<I: IntoIterator<Item = CpuId>>(cpus: I) -> Self {
        let mut set = Self::EMPTY;
        for cpu in cpus {
            set.insert(cpu);
        }
        set
    }
}

impl Extend<CpuId> for CpuSet {
    fn extend<I: IntoIterator<Item = CpuId>>(&mut self, cpus: I) {
        for cpu in cpus {
            self.insert(cpu);
        }
    }
}
