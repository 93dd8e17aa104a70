//! dom0's memory: `dom0_mem=`, and what it comes to on a machine.

use core::fmt;

use crate::values::{size, unsigned32};

/// What every amount is rounded down to.
const PAGE: u64 = 4096;
/// The most that is held back from dom0 where no amount was asked for.
const LARGEST_RESERVE: u64 = 128 << 20;

/// An amount of memory as written: bytes plus a part of the machine's, or that much less than what is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryAmount {
    /// Whether the amount is subtracted from the available memory.
    pub negative: bool,
    /// The fixed part, in bytes.
    pub bytes: u64,
    /// The part of the machine's memory, in percent, below 100.
    pub percent: u32,
}

impl MemoryAmount {
    /// Reads `[-]<size>`, `[-]<percent>%` or `[-]<size>+<percent>%`.
    fn from_word(word: &str) -> Option<Self> {
        let (negative, word) = match word.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, word),
        };
        let (bytes, percent) = match word.strip_suffix('%') {
            None => (size(word)?, 0),
            Some(part) => {
                let (fixed, percent) = part.split_once('+').unwrap_or(("0", part));
                let percent = unsigned32(percent).filter(|percent| *percent < 100)?;
                (size(fixed)?, percent)
            }
        };
        Some(Self {
            negative,
            bytes,
            percent,
        })
    }

    /// The amount in bytes, whole pages, on a machine with `host` bytes of which `available` are free. A negative amount
    /// larger than what is available comes to 0.
    pub fn on(&self, host: u64, available: u64) -> u64 {
        let part = u128::from(host).saturating_mul(u128::from(self.percent)) / 100;
        let part = u64::try_from(part).unwrap_or(u64::MAX);
        let amount = self.bytes.saturating_add(part);
        let amount = if self.negative {
            available.saturating_sub(amount)
        } else {
            amount
        };
        amount & !(PAGE - 1)
    }
}

/// `dom0_mem=`: the exact amount and its bounds, each optional.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dom0Memory {
    /// The amount asked for.
    pub exact: Option<MemoryAmount>,
    /// `min:`.
    pub minimum: Option<MemoryAmount>,
    /// `max:`; also what dom0 may grow to.
    pub maximum: Option<MemoryAmount>,
}

/// What dom0 gets on this machine. Both are bytes, whole pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// The memory dom0 starts with.
    pub initial: u64,
    /// The most it may have later; `None` for no limit.
    pub maximum: Option<u64>,
}

/// Why dom0 cannot get the memory asked for. `Display` is one line that names what is wrong and what is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryError {
    /// More was asked for than there is.
    TooMuch {
        /// Bytes asked for.
        asked: u64,
        /// Bytes there are for dom0.
        available: u64,
    },
    /// What was asked for comes to nothing.
    Nothing {
        /// Bytes there are for dom0.
        available: u64,
    },
}

impl fmt::Display for MemoryError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMuch { asked, available } => write!(
                formatter,
                "dom0_mem asks for {} MiB but only {} MiB are free: ask for less, or leave dom0_mem out",
                asked >> 20,
                available >> 20
            ),
            Self::Nothing { available } => write!(
                formatter,
                "dom0_mem leaves dom0 no memory of the {} MiB that are free: ask for at least 128M",
                available >> 20
            ),
        }
    }
}

impl Dom0Memory {
    pub(crate) const EXPECTED: &'static str =
        "a size such as 1024M, -512M, 25% or 1G+10%, optionally after min: or max:";

    /// Reads the list. `complain` gets each item that is wrong, with what would be right.
    pub(crate) fn from_value<'a>(
        value: &'a str,
        mut complain: impl FnMut(&'a str, &'static str),
    ) -> Self {
        let mut memory = Self::default();
        for item in value.split(',').filter(|item| !item.is_empty()) {
            let (place, word) = if let Some(word) = item.strip_prefix("min:") {
                (&mut memory.minimum, word)
            } else if let Some(word) = item.strip_prefix("max:") {
                (&mut memory.maximum, word)
            } else {
                (&mut memory.exact, item)
            };
            match MemoryAmount::from_word(word) {
                Some(amount) => *place = Some(amount),
                None => complain(item, Self::EXPECTED),
            }
        }
        memory
    }

    /// What dom0 gets on a machine with `host` bytes of memory of which `available` can be given to it.
    ///
    /// Without an exact amount that is what is available less a reserve, a sixteenth and at most 128 MiB. The bounds
    /// apply to both, and the upper one wins.
    ///
    /// # Errors
    ///
    /// Where the result is more than what is available, or nothing.
    pub fn plan(&self, host: u64, available: u64) -> Result<MemoryPlan, MemoryError> {
        let in_bytes = |amount: MemoryAmount| amount.on(host, available);
        let reserve = (available / 16).min(LARGEST_RESERVE);
        let unasked = available.saturating_sub(reserve) & !(PAGE - 1);
        let maximum = self.maximum.map(in_bytes);
        let wanted = self.exact.map_or(unasked, in_bytes);
        let wanted = wanted.max(self.minimum.map_or(0, in_bytes));
        let initial = wanted.min(maximum.unwrap_or(u64::MAX));
        if initial > available {
            return Err(MemoryError::TooMuch {
                asked: initial,
                available,
            });
        }
        if initial == 0 {
            return Err(MemoryError::Nothing { available });
        }
        Ok(MemoryPlan { initial, maximum })
    }
}
