//! The hypervisor's own messages: levels, and the way to the console.

use core::fmt;
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

use conring::{Allowed, RateLimit};
use hw::sync::SpinLock;
use options::{LevelPair, LogLevel};

use crate::{clock, console, levels};

/// How much a message matters, from the most to the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Something is broken.
    Error = 1,
    /// Something is not as it should be.
    Warning,
    /// What an administrator wants to know.
    Info,
    /// What a developer wants to know.
    Debug,
}

/// Which messages of one kind are printed: those up to one level always, those up to another while they are few.
pub struct Threshold {
    /// Numbers of [`LogLevel`], 0 for none.
    always: AtomicU8,
    limited: AtomicU8,
}

/// The hypervisor's own messages (`loglvl=`).
pub static OWN: Threshold = Threshold::new(LevelPair::HYPERVISOR);
/// Messages about guests (`guest_loglvl=`).
pub static GUESTS: Threshold = Threshold::new(LevelPair::GUEST);

static LIMIT: SpinLock<RateLimit, { levels::CONSOLE }> = SpinLock::new(RateLimit::new());

impl Threshold {
    const fn new(pair: LevelPair) -> Self {
        Self {
            always: AtomicU8::new(pair.always as u8),
            limited: AtomicU8::new(pair.limited as u8),
        }
    }

    /// The two levels in force.
    pub fn get(&self) -> LevelPair {
        let level = |number| match number {
            0 => LogLevel::None,
            1 => LogLevel::Error,
            2 => LogLevel::Warning,
            3 => LogLevel::Info,
            _ => LogLevel::Debug,
        };
        LevelPair {
            always: level(self.always.load(Relaxed)),
            limited: level(self.limited.load(Relaxed)),
        }
    }

    /// Sets the two levels.
    pub fn set(&self, pair: LevelPair) {
        self.always.store(pair.always as u8, Relaxed);
        self.limited.store(pair.limited as u8, Relaxed);
    }

    /// Whether a message of this level is printed now.
    #[inline]
    fn shows(&self, level: Level) -> bool {
        let level = level as u8;
        level <= self.always.load(Relaxed)
            || (level <= self.limited.load(Relaxed) && within_limit())
    }
}

#[cold]
fn within_limit() -> bool {
    let allowed = LIMIT.lock().ask(clock::now());
    match allowed {
        Allowed::No => false,
        Allowed::Yes { missed: 0 } => true,
        Allowed::Yes { missed } => {
            console::print(format_args!("(XEN) {missed} messages left out\n"));
            true
        }
    }
}

/// Prints a message of the hypervisor's own, if its level is.
pub fn own(level: Level, message: fmt::Arguments<'_>) {
    if OWN.shows(level) {
        console::print(format_args!("(XEN) {message}\n"));
    }
}

/// Prints a message about a guest, if its level is.
pub fn guests(level: Level, message: fmt::Arguments<'_>) {
    if GUESTS.shows(level) {
        console::print(format_args!("(XEN) {message}\n"));
    }
}

/// Says something at a level: `log!(Info, "{} processors", count)`.
#[macro_export]
macro_rules! log {
    ($level:ident, $($message:tt)*) => {
        $crate::log::own($crate::log::Level::$level, format_args!($($message)*))
    };
}

/// Says something about a guest at a level.
#[macro_export]
macro_rules! guest_log {
    ($level:ident, $($message:tt)*) => {
        $crate::log::guests($crate::log::Level::$level, format_args!($($message)*))
    };
}
