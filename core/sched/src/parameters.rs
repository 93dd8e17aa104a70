//! What the toolstack may set of a policy, a domain or a vCPU, and within which bounds.

use vocabulary::{refuse, Errno, Nanos, Refused};

/// The weight of a vCPU whose domain never had one set (the `xl` manual, `sched-credit`).
pub const DEFAULT_WEIGHT: u16 = 256;

/// A share of processor time, of the policies `credit2` and `credit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The part that each vCPU of the domain gets against others', 1..=65535.
    pub weight: u16,
    /// Percent of one CPU that all vCPUs of the domain together may use; 0 for no bound.
    pub cap: u16,
}

impl Share {
    /// EINVAL: a weight of 0.
    pub(crate) fn check(&self) -> Refused<()> {
        if self.weight == 0 {
            return refuse(Errno::EINVAL, "a weight is 1 to 65535");
        }
        Ok(())
    }
}

impl Default for Share {
    fn default() -> Self {
        Self {
            weight: DEFAULT_WEIGHT,
            cap: 0,
        }
    }
}

/// A reservation, of the policy `rtds`: so much time in every period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    /// How long a period is.
    pub period: Nanos,
    /// How much of it the vCPU may run, at its deadline's priority.
    pub budget: Nanos,
    /// Whether it may run on when that is spent, where nobody else has a claim.
    pub extra: bool,
}

impl Server {
    /// The shortest period and budget.
    pub const SHORTEST: Nanos = Nanos(10_000);
    /// The longest period.
    pub const LONGEST: Nanos = Nanos(10_000_000_000);

    /// Whether it is the time that every vCPU has by default, which a toolstack sets of each domain it makes without
    /// having been asked to.
    pub(crate) fn is_default(&self) -> bool {
        let default = Self::default();
        (self.period, self.budget) == (default.period, default.budget)
    }

    /// EINVAL: less than 10 µs, more than 10 s, or a budget beyond its period.
    pub(crate) fn check(&self) -> Refused<()> {
        let lengths = Self::SHORTEST..=Self::LONGEST;
        if !lengths.contains(&self.period) || !lengths.contains(&self.budget) {
            return refuse(Errno::EINVAL, "a period and a budget are 10 us to 10 s");
        }
        if self.budget > self.period {
            return refuse(Errno::EINVAL, "the budget is longer than its period");
        }
        Ok(())
    }
}

impl Default for Server {
    /// 4 ms in 10 ms and what is left over (the `xl` manual, `sched-rtds`).
    fn default() -> Self {
        Self {
            period: Nanos(10_000_000),
            budget: Nanos(4_000_000),
            extra: true,
        }
    }
}

/// Parameters of a domain or a vCPU, by the kind of policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameters {
    /// Of `credit2` and `credit`.
    Share(Share),
    /// Of `rtds`.
    Server(Server),
}

/// Parameters of a policy as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// How long a vCPU runs at most while others wait (`credit` only).
    pub slice: Nanos,
    /// How long a vCPU runs at least before it is preempted; 0 for no such bound.
    pub rate_limit: Nanos,
    /// For how long a vCPU that stopped running is not moved to another CPU (`credit` only).
    pub migration_delay: Nanos,
}

impl Tuning {
    /// The bounds of a rate limit (`sysctl.h`, `XEN_SYSCTL_SCHED_RATELIMIT_…`).
    pub const RATE_LIMITS: core::ops::RangeInclusive<Nanos> = Nanos(100_000)..=Nanos(500_000_000);
    /// The bounds of a slice (`sysctl.h`, `XEN_SYSCTL_CSCHED_TSLICE_…`).
    pub const SLICES: core::ops::RangeInclusive<Nanos> = Nanos(1_000_000)..=Nanos(1_000_000_000);
    /// 30 ms, 1 ms, none (the `xl` manual, `sched-credit`).
    pub const DEFAULT: Self = Self {
        slice: Nanos(30_000_000),
        rate_limit: Nanos(1_000_000),
        migration_delay: Nanos(0),
    };
    /// The longest migration delay (`sysctl.h`, `XEN_SYSCTL_CSCHED_MGR_DLY_MAX_US`).
    pub const LONGEST_DELAY: Nanos = Nanos(100_000_000);

    /// EINVAL: a limit outside its bounds.
    pub(crate) fn check_rate_limit(&self) -> Refused<()> {
        if self.rate_limit.0 != 0 && !Self::RATE_LIMITS.contains(&self.rate_limit) {
            return refuse(Errno::EINVAL, "the rate limit is outside 100 us to 500 ms");
        }
        Ok(())
    }

    /// EINVAL: something outside its bounds, or a slice shorter than the rate limit.
    pub(crate) fn check_all(&self) -> Refused<()> {
        self.check_rate_limit()?;
        if !Self::SLICES.contains(&self.slice) {
            return refuse(Errno::EINVAL, "the slice is outside 1 ms to 1 s");
        }
        if self.rate_limit > self.slice {
            return refuse(Errno::EINVAL, "the rate limit is longer than a slice");
        }
        if self.migration_delay > Self::LONGEST_DELAY {
            return refuse(Errno::EINVAL, "the migration delay is more than 100 ms");
        }
        Ok(())
    }
}

impl Default for Tuning {
    fn default() -> Self {
        Self::DEFAULT
    }
}
