//! A negative answer to a guest, with the rule it broke.

use xen_abi::Errno;

/// Why a request was refused: the errno the guest sees and the rule the log names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What the guest is answered.
    pub errno: Errno,
    /// The rule that was broken, as a short clause an administrator understands.
    pub rule: &'static str,
}

/// A result whose error is an explained refusal.
pub type Refused<T> = Result<T, Refusal>;

impl Refusal {
    /// A refusal with `errno` because of `rule`.
    pub const fn new(errno: Errno, rule: &'static str) -> Self {
        Self { errno, rule }
    }
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "{}: {}", self.errno.name(), self.rule)
    }
}

/// Shorthand for an `Err` that holds a refusal.
pub const fn refuse<T>(errno: Errno, rule: &'static str) -> Refused<T> {
    Err(Refusal::new(errno, rule))
}
