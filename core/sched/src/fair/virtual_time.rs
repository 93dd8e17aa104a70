//! Virtual time: processor time divided by weight.

use core::cmp::Ordering;

use vocabulary::Nanos;

use crate::DEFAULT_WEIGHT;

/// Units of virtual time in a nanosecond at weight 1. A vCPU of the default weight thus counts 256 units for a
/// nanosecond, so that even short stretches at high weights do not round to nothing.
const UNITS: u64 = 1 << 16;

/// The longest time that one step counts, and that a vCPU may sleep with what it got ahead: 4.6 minutes.
///
/// A count of [`VirtualTime`] can be told from another while they are less than 2^63 apart. However long a vCPU sleeps, the
/// clock goes on without it: by 2^16 a nanosecond at most for what runs there, and as much for each other CPU, where what
/// comes may have run ahead. For 256 CPUs and this time that is 2^62.
pub(crate) const LONGEST_MEMORY: Nanos = Nanos(1 << 38);

/// A point on a physical CPU's virtual clock. The count wraps; points are compared by their distance. That stays below half
/// the range: of those that wait or run, because their lags and leads are bounded; of those that sleep, because what
/// they came to is forgotten after [`LONGEST_MEMORY`], and when their CPU leaves and comes back.
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

/// How long a vCPU of the default weight takes to cover a distance, in nanoseconds.
pub(crate) const fn nanos_at_default_weight(distance: i64) -> i64 {
    distance / at_default_weight(1)
}

/// What counts of a time, in nanoseconds: no more than [`LONGEST_MEMORY`].
const fn remembered(time: Nanos) -> u64 {
    if time.0 < LONGEST_MEMORY.0 {
        time.0
    } else {
        LONGEST_MEMORY.0
    }
}

/// The distance covered by whoever gets just its share while something runs for `time`, of which no more than
/// [`LONGEST_MEMORY`] counts, among those whose weights sum up to `load`; nothing if there are none.
pub(crate) const fn fair_distance(time: Nanos, load: u64) -> i64 {
    match (remembered(time) * UNITS).checked_div(load) {
        Some(distance) => distance as i64,
        None => 0,
    }
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

    /// The distance covered by running for `time`, of which no more than [`LONGEST_MEMORY`] counts.
    pub const fn distance(self, time: Nanos) -> i64 {
        ((remembered(time) as u128 * self.rate as u128) >> 16) as i64
    }

    /// How long to run to cover a distance; 0 for a negative one.
    pub const fn time_for(self, distance: i64) -> Nanos {
        if distance <= 0 {
            return Nanos(0);
        }
        Nanos(((distance as u128 * self.weight as u128) / UNITS as u128) as u64)
    }
}
