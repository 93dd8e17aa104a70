//! Log levels and the two thresholds of `loglvl=` and `guest_loglvl=`.

/// How much is printed: messages at this importance and above. Ordered from the least output to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Nothing.
    None,
    /// Errors.
    Error,
    /// Warnings too.
    Warning,
    /// Information too.
    Info,
    /// Debugging messages too, which is everything (`all` is the same).
    Debug,
}

impl LogLevel {
    pub(crate) const EXPECTED: &'static str =
        "none, error, warning, info, debug or all, or two of these with \"/\" between";

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        match word {
            "none" => Some(Self::None),
            "error" => Some(Self::Error),
            "warning" => Some(Self::Warning),
            "info" => Some(Self::Info),
            "debug" | "all" => Some(Self::Debug),
            _ => None,
        }
    }
}

/// Two thresholds: messages up to [`Self::always`] are all printed, those above it and up to [`Self::limited`] at a limited
/// rate, and the rest are dropped. `limited` is never below `always`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelPair {
    /// Messages up to this level are printed.
    pub always: LogLevel,
    /// Messages above `always` and up to this level are printed at a limited rate.
    pub limited: LogLevel,
}

impl LevelPair {
    /// What holds for the hypervisor's own messages where nothing was said.
    pub const HYPERVISOR: Self = Self {
        always: LogLevel::Warning,
        limited: LogLevel::Warning,
    };
    /// What holds for messages about guests where nothing was said.
    pub const GUEST: Self = Self {
        always: LogLevel::None,
        limited: LogLevel::Warning,
    };

    /// Reads `level` or `level/level`, as `loglvl=` has it. `None` where it is neither.
    pub fn from_value(value: &str) -> Option<Self> {
        let (always, limited) = value.split_once('/').unwrap_or((value, value));
        let always = LogLevel::from_word(always)?;
        let limited = LogLevel::from_word(limited)?.max(always);
        Some(Self { always, limited })
    }
}

impl core::fmt::Display for LogLevel {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(match self {
            Self::None => "none",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
            Self::Debug => "all",
        })
    }
}

impl core::fmt::Display for LevelPair {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "{}/{}", self.always, self.limited)
    }
}
