//! The hypervisor's own messages: levels, and the way to the console.

use core::fmt;
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// How much a message matters, from the most to the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Something is broken.
    Error,
    /// Something is not as it should be.
    Warning,
    /// What an administrator wants to know.
    Info,
    /// What a developer wants to know.
    Debug,
}

/// The least level printed of the hypervisor's own messages.
static OWN: AtomicU8 = AtomicU8::new(Level::Info as u8);
/// The least level printed of messages about guests.
static GUESTS: AtomicU8 = AtomicU8::new(Level::Warning as u8);

/// Sets which messages are printed (`loglvl=`, `guest_loglvl=`); `None` for none at all.
pub fn set_levels(own: Option<Level>, guests: Option<Level>) {
    let number = |level: Option<Level>| level.map_or(0, |level| level as u8 + 1);
    OWN.store(number(own), Relaxed);
    GUESTS.store(number(guests), Relaxed);
}

/// Prints a message of the hypervisor's own, if its level is.
pub fn own(level: Level, message: fmt::Arguments<'_>) {
    if (level as u8) < OWN.load(Relaxed) {
        crate::console::print(format_args!("(XEN) {message}\n"));
    }
}

/// Prints a message about a guest, if its level is.
pub fn guests(level: Level, message: fmt::Arguments<'_>) {
    if (level as u8) < GUESTS.load(Relaxed) {
        crate::console::print(format_args!("(XEN) {message}\n"));
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
