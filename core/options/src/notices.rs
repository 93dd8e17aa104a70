//! What the parser has to say about a command line: warnings, and mistakes that stop the boot.

use core::fmt;

use arrayvec::ArrayVec;

/// Warnings kept; more are only counted.
const CAPACITY: usize = 24;

/// Something on the command line that was ignored. `Display` is one line without a line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// No option has this name.
    Unknown {
        /// The name as it was written.
        name: &'a str,
    },
    /// Xen documents the option, but here it changes nothing.
    WithoutEffect {
        /// The name as it was written.
        name: &'a str,
    },
    /// The option's value (or a part of it) is not one it takes.
    BadValue {
        /// The option's name.
        name: &'a str,
        /// The offending part of the value.
        value: &'a str,
        /// What the option takes.
        expected: &'static str,
    },
    /// A word that is not text.
    NotText,
}

impl fmt::Display for Notice<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => write!(formatter, "unknown option \"{name}\" ignored"),
            Self::WithoutEffect { name } => write!(
                formatter,
                "option \"{name}\" has no effect in this version, ignored"
            ),
            Self::BadValue {
                name,
                value,
                expected,
            } => write!(
                formatter,
                "option \"{name}\": \"{value}\" ignored, expected {expected}"
            ),
            Self::NotText => formatter.write_str("an option that is not UTF-8 text ignored"),
        }
    }
}

/// The warnings about one command line, in its order.
#[derive(Clone, Debug, Default)]
pub struct Notices<'a> {
    kept: ArrayVec<Notice<'a>, CAPACITY>,
    dropped: usize,
}

impl<'a> Notices<'a> {
    /// The warnings that were kept (the first 24).
    pub fn iter(&self) -> impl Iterator<Item = &Notice<'a>> {
        self.kept.iter()
    }

    /// How many more there were.
    pub const fn dropped(&self) -> usize {
        self.dropped
    }

    pub(crate) fn push(&mut self, notice: Notice<'a>) {
        if self.kept.try_push(notice).is_err() {
            self.dropped = self.dropped.saturating_add(1);
        }
    }
}

/// A mistake on the command line that must stop the boot. `Display` is one line that names what is wrong and what is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fatal<'a> {
    /// `console=` was given twice.
    SecondConsole {
        /// The value of the first one, which is in force.
        first: &'a str,
        /// The value of the second one.
        second: &'a str,
    },
    /// `dom0=pvh` was given.
    Dom0NotPv,
}

impl fmt::Display for Fatal<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecondConsole { first, second } => write!(
                formatter,
                "two console= options, \"{first}\" and \"{second}\": give one with a list, such as console={first},{second}"
            ),
            Self::Dom0NotPv => formatter.write_str(
                "dom0=pvh is not supported: dom0 is para-virtualized, use dom0=pv or leave the option out",
            ),
        }
    }
}
