//! When free memory runs low: the falling thresholds at which somebody is told, and how far it must rise before he may be
//! told again. Xen's documentation names the first threshold (`low_mem_virq_limit`), its ABI the event (`VIRQ_ENOMEM`).

/// What is watched for.
///
/// The first threshold is the limit; those below are the powers of two under it (under the next power of two, where
/// the limit is none), down to one frame. Falling to a threshold is told once. It may be told again when twice the
/// threshold (rounded up to a power of two) is free, so that memory that goes up and down around one says nothing new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LowMemory {
    /// The first threshold in frames; 0 where nothing is ever told.
    limit: u64,
    /// How many thresholds free memory is below of.
    passed: u32,
}

impl Default for LowMemory {
    fn default() -> Self {
        Self::never()
    }
}

impl LowMemory {
    /// Tells nothing.
    pub const fn never() -> Self {
        Self {
            limit: 0,
            passed: 0,
        }
    }

    /// Tells when free memory falls to `limit` frames or, where that is less, to half of what is `free` now. A limit of 0
    /// is never reached.
    pub fn below(limit: u64, free: u64) -> Self {
        Self {
            limit: limit.min(free / 2),
            passed: 0,
        }
    }

    /// Whether a threshold was passed from which memory may rise again.
    pub const fn has_told(&self) -> bool {
        self.passed != 0
    }

    /// Takes note of how much is free. Says whether it has fallen to a threshold that was not told.
    pub fn observe(&mut self, free: u64) -> bool {
        let before = self.passed;
        while self.threshold().is_some_and(|threshold| free <= threshold) {
            self.passed += 1;
        }
        if self.passed > before {
            return true;
        }
        while self.again().is_some_and(|again| free >= again) {
            self.passed -= 1;
        }
        false
    }

    /// The limit as an order of frames, rounded up.
    const fn order(&self) -> u32 {
        match self.limit.checked_next_power_of_two() {
            Some(power) => power.trailing_zeros(),
            None => u64::BITS - 1,
        }
    }

    /// The next threshold; `None` below the last.
    fn threshold(&self) -> Option<u64> {
        match self.passed {
            0 => (self.limit != 0).then_some(self.limit),
            passed => Some(1 << self.order().checked_sub(passed)?),
        }
    }

    /// How much must be free for the threshold passed last to count again.
    fn again(&self) -> Option<u64> {
        let passed = self.order().checked_sub(self.passed.checked_sub(1)?)?;
        1u64.checked_shl(passed + 1)
    }
}
