//! One of the policies, in place, for CPUs or for groups of them.

use crate::{
    DeadlineScheduler, FairScheduler, GangScheduler, Groups, NullScheduler, Policy, Scheduler,
};

/// A pool's scheduler. Which it is stands in a byte of its own, so that looking it up is a load.
#[derive(Debug)]
#[repr(u8)]
pub(super) enum AnyScheduler {
    Fair(FairScheduler),
    Deadline(DeadlineScheduler),
    Null(NullScheduler),
    FairGang(GangScheduler<FairScheduler>),
    DeadlineGang(GangScheduler<DeadlineScheduler>),
    NullGang(GangScheduler<NullScheduler>),
}

impl AnyScheduler {
    /// One of a policy, without CPUs and vCPUs; for groups of CPUs where there are some.
    pub fn new(policy: Policy, groups: Option<Groups>) -> Self {
        match (policy, groups) {
            (Policy::Credit2, None) => Self::Fair(FairScheduler::credit2()),
            (Policy::Credit, None) => Self::Fair(FairScheduler::credit()),
            (Policy::Rtds, None) => Self::Deadline(DeadlineScheduler::new()),
            (Policy::Null, None) => Self::Null(NullScheduler::new()),
            (Policy::Credit2, Some(groups)) => {
                Self::FairGang(GangScheduler::new(FairScheduler::credit2(), groups))
            }
            (Policy::Credit, Some(groups)) => {
                Self::FairGang(GangScheduler::new(FairScheduler::credit(), groups))
            }
            (Policy::Rtds, Some(groups)) => {
                Self::DeadlineGang(GangScheduler::new(DeadlineScheduler::new(), groups))
            }
            (Policy::Null, Some(groups)) => {
                Self::NullGang(GangScheduler::new(NullScheduler::new(), groups))
            }
        }
    }

    /// The groups of CPUs that it chooses for, where it does not for each by itself.
    pub const fn groups(&self) -> Option<&Groups> {
        match self {
            Self::Fair(_) | Self::Deadline(_) | Self::Null(_) => None,
            Self::FairGang(gang) => Some(gang.groups()),
            Self::DeadlineGang(gang) => Some(gang.groups()),
            Self::NullGang(gang) => Some(gang.groups()),
        }
    }

    pub fn get(&self) -> &dyn Scheduler {
        match self {
            Self::Fair(scheduler) => scheduler,
            Self::Deadline(scheduler) => scheduler,
            Self::Null(scheduler) => scheduler,
            Self::FairGang(scheduler) => scheduler,
            Self::DeadlineGang(scheduler) => scheduler,
            Self::NullGang(scheduler) => scheduler,
        }
    }

    pub fn get_mut(&mut self) -> &mut dyn Scheduler {
        match self {
            Self::Fair(scheduler) => scheduler,
            Self::Deadline(scheduler) => scheduler,
            Self::Null(scheduler) => scheduler,
            Self::FairGang(scheduler) => scheduler,
            Self::DeadlineGang(scheduler) => scheduler,
            Self::NullGang(scheduler) => scheduler,
        }
    }
}
