//! The factor between TSC ticks and nanoseconds, in the form that guests compute with.

use vocabulary::{refuse, Errno, Refused};

use crate::NANOS_PER_SECOND;

/// A factor as `vcpu_time_info` holds it: nanoseconds = ((ticks << shift) * multiplier) >> 32, the shift going
/// right where it is negative (public `xen.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TscScale {
    /// `tsc_to_system_mul`: its top bit is always set, for precision.
    pub multiplier: u32,
    /// `tsc_shift`.
    pub shift: i8,
}

impl TscScale {
    /// The scale of a counter of `hz` ticks a second. EINVAL: 0 or above 2^40.
    pub fn from_hz(hz: u64) -> Refused<Self> {
        Self::from_ratio(NANOS_PER_SECOND, hz)
    }

    /// The scale of a counter of `khz` thousand ticks a second. EINVAL: 0 or too fast.
    pub fn from_khz(khz: u64) -> Refused<Self> {
        Self::from_ratio(1_000_000, khz)
    }

    /// The scale under which `ticks` ticks take `nanos` nanoseconds, rounded to nearest: the relative error is
    /// at most 2^-32. EINVAL: a rate below 2^-30 or above 2^30 ticks a nanosecond.
    pub fn from_ratio(nanos: u64, ticks: u64) -> Refused<Self> {
        let quotient = (u128::from(nanos) << 64).checked_div(ticks.into());
        // The quotient is nanoseconds a tick with 64 fraction bits; 32 significant bits of it are kept.
        let Some(quotient) = quotient.filter(|quotient| (1 << 34..1 << 94).contains(quotient))
        else {
            return refuse(
                Errno::EINVAL,
                "the counter's rate is out of any sensible range",
            );
        };
        let length = u128::BITS - quotient.leading_zeros();
        let dropped = length - u32::BITS;
        let rounded = (quotient + (1 << (dropped - 1))) >> dropped;
        let shift = length as i8 - 64;
        Ok(match u32::try_from(rounded) {
            Ok(multiplier) => Self { multiplier, shift },
            Err(_) => Self {
                multiplier: 1 << 31,
                shift: shift + 1,
            },
        })
    }

    /// Nanoseconds that `ticks` ticks take, exactly as a guest computes it: shift first, in 64 bits.
    pub const fn ticks_to_nanos(self, ticks: u64) -> u64 {
        let shifted = if self.shift < 0 {
            ticks.wrapping_shr(self.shift.unsigned_abs() as u32)
        } else {
            ticks.wrapping_shl(self.shift as u32)
        };
        ((shifted as u128 * self.multiplier as u128) >> 32) as u64
    }

    /// The fewest ticks after which [`ticks_to_nanos`](Self::ticks_to_nanos) is `nanos` or more, saturating:
    /// a deadline programmed so is never early by the guest's own clock.
    #[allow(clippy::manual_div_ceil)]
    pub fn nanos_to_ticks(self, nanos: u64) -> u64 {
        // Each division rounds up. Not by `div_ceil`, which takes a second division: this stands before every timer.
        let multiplier = u64::from(self.multiplier.max(1));
        let distance = u32::from(self.shift.unsigned_abs());
        let fits = nanos <= u64::from(u32::MAX) && multiplier >= 1 << 31 && distance <= 30;
        if fits {
            // Below four seconds, 64 bits are enough: the quotient has 34 at most.
            let shifted = ((nanos << 32) + (multiplier - 1)) / multiplier;
            return if self.shift < 0 {
                shifted << distance
            } else {
                (shifted + ((1 << distance) - 1)) >> distance
            };
        }
        let multiplier = u128::from(multiplier);
        let shifted = ((u128::from(nanos) << 32) + (multiplier - 1)) / multiplier;
        let ticks = if self.shift < 0 {
            shifted << distance
        } else {
            (shifted + ((1 << distance) - 1)) >> distance
        };
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    /// The counter's rate in ticks a second, rounded down: what guests compute from the two fields, but for the
    /// bits that their order of operations loses.
    pub fn hz(self) -> u64 {
        let multiplier = u128::from(self.multiplier.max(1));
        let dividend = u128::from(NANOS_PER_SECOND) << 32;
        let distance = u32::from(self.shift.unsigned_abs());
        let hz = if self.shift < 0 {
            (dividend << distance) / multiplier
        } else {
            (dividend / multiplier) >> distance
        };
        u64::try_from(hz).unwrap_or(u64::MAX)
    }
}
