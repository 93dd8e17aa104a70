//! How fast messages may come.

use vocabulary::Nanos;

/// Messages that may come at once.
const BURST: u64 = 10;
/// Time after which one more may come.
const INTERVAL: u64 = 5_000_000_000;

/// Whether a message is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// It is, and so many before it were not since the last that was.
    Yes {
        /// Messages dropped.
        missed: u32,
    },
    /// It is not.
    No,
}

/// A limit of ten messages at once and one in five seconds after that, as Xen has it.
#[derive(Clone, Debug)]
pub struct RateLimit {
    /// Time saved up for messages, at most that for [`BURST`].
    saved: u64,
    last: Nanos,
    missed: u32,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self::new()
    }
}

impl RateLimit {
    /// A limit that nothing has used.
    pub const fn new() -> Self {
        Self {
            saved: BURST * INTERVAL,
            last: Nanos(0),
            missed: 0,
        }
    }

    /// Asks for one message at a time.
    pub fn ask(&mut self, now: Nanos) -> Allowed {
        let passed = now.0.saturating_sub(self.last.0);
        self.last = Nanos(self.last.0.max(now.0));
        self.saved = self.saved.saturating_add(passed).min(BURST * INTERVAL);
        if self.saved < INTERVAL {
            self.missed = self.missed.saturating_add(1);
            return Allowed::No;
        }
        self.saved -= INTERVAL;
        Allowed::Yes {
            missed: core::mem::take(&mut self.missed),
        }
    }
}
