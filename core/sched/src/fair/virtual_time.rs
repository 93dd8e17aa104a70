//! Virtual time: processor time divided by weight.

use core::cmp::Ordering;

use vocabulary::Nanos;

use crate::DEFAULT_WEIGHT;

/// Units of virtual time in a nanosecond at weight 1. A vCPU of the default weight thus counts 256 units for a
/// nanosecond, so that even short stretches at high weights do not round to nothing.
const UNITS: u64 = 1 << 16;

/// A point on a physical CPU's virtual clock. The count wraps; points are compared by their distance, which
/// stays far below half the range because members' lags are bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct VirtualTime(u64);

impl VirtualTime {
    /// Where a new CPU's clock starts.
    pub const START: Self = Self(0);

    /// How far this point lies after `other`, negative before.
    pub const fn since(self, other: Self) -> i64 {
        self.0.wrapping_sub(other.0) as i64
    }

    pub const fn plus(self, distance: i64) -> Self {
        Self(self.0.wrapping_add_signed(distance))
    }
}

impl Ord for VirtualTime {
    fn cmp(&self, other: &Self) -> Ordering {
        self.since(*other).cmp(&0)
    }
}

impl PartialOrd for VirtualTime {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The distance that a vCPU of the default weight covers in `nanos`.
pub(crate) const fn at_default_weight(nanos: u64) -> i64 {
    (nanos * (UNITS / DEFAULT_WEIGHT as u64)) as i64
}

/// A weight with its inverse, so that charging needs no division.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weight {
    weight: u16,
    /// Units a nanosecond, with 16 fraction bits.
    rate: u64,
}

impl Weight {
    /// The weight; 0 is taken as 1.
    pub const fn new(weight: u16) -> Self {
        let weight = if weight == 0 { 1 } else { weight };
        Self {
            weight,
            rate: (UNITS << 16) / weight as u64,
        }
    }

    /// The number, as a share of a CPU's load.
    pub const fn load(self) -> u64 {
        self.weight as u64
    }

    /// The distance covered by running for `time`.
    pub const fn distance(self, time: Nanos) -> i64 {
        ((time.0 as u128 * self.rate as u128) >> 16) as i64
    }

    /// How long to run to cover a distance; 0 for a negative one.
    pub const fn time_for(self, distance: i64) -> Nanos {
        if distance <= 0 {
            return Nanos(0);
        }
        Nanos(((distance as u128 * self.weight as u128) / UNITS as u128) as u64)
    }
}
