//! The wall clock: real time at system time zero, as the shared info page holds it.

use vocabulary::{refuse, Errno, Nanos, Refused};

use crate::NANOS_PER_SECOND;

/// `wc_sec`, `wc_nsec` and `wc_sec_hi` of the shared info page. Publish them under a
/// [`Version`](crate::Version) of their own (`wc_version`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WallFields {
    /// Low half of the seconds since 1970.
    pub seconds: u32,
    /// Nanoseconds within the second.
    pub nanoseconds: u32,
    /// High half of the seconds. A time before 1970 is negative over both halves, which a guest's own 64-bit
    /// addition undoes.
    pub seconds_high: u32,
}

/// Real time of the host: what it was at system time zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WallClock {
    /// Seconds since 1970, rounded down.
    seconds: i64,
    /// The rest, below a second.
    nanoseconds: u32,
}

impl WallClock {
    /// The clock under which it is `seconds` and `nanoseconds` after 1970 at the given system time, as
    /// `XENPF_settime64` says it. EINVAL: a whole second or more of nanoseconds, or seconds beyond 2^62.
    pub fn from_time_at(seconds: u64, nanoseconds: u32, system: Nanos) -> Refused<Self> {
        if u64::from(nanoseconds) >= NANOS_PER_SECOND || seconds > 1 << 62 {
            return refuse(
                Errno::EINVAL,
                "a time is whole seconds and less than one more",
            );
        }
        let second = i128::from(NANOS_PER_SECOND);
        let at_zero = i128::from(seconds) * second + i128::from(nanoseconds) - i128::from(system.0);
        Ok(Self {
            seconds: at_zero.div_euclid(second) as i64,
            nanoseconds: at_zero.rem_euclid(second) as u32,
        })
    }

    /// Seconds and nanoseconds since 1970 at the given system time.
    pub fn at(&self, system: Nanos) -> (i64, u32) {
        let nanos = u64::from(self.nanoseconds) + system.0 % NANOS_PER_SECOND;
        let seconds = system.0 / NANOS_PER_SECOND + nanos / NANOS_PER_SECOND;
        (
            self.seconds.saturating_add_unsigned(seconds),
            (nanos % NANOS_PER_SECOND) as u32,
        )
    }

    /// What a domain sees whose clock is `offset` seconds ahead of the host's (`XEN_DOMCTL_settimeoffset`).
    pub const fn fields(&self, offset: i64) -> WallFields {
        let seconds = self.seconds.saturating_add(offset) as u64;
        WallFields {
            seconds: seconds as u32,
            nanoseconds: self.nanoseconds,
            seconds_high: (seconds >> 32) as u32,
        }
    }
}
