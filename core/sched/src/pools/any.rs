//! One of the policies, in place.

use crate::{DeadlineScheduler, FairScheduler, NullScheduler, Policy, Scheduler};

/// A pool's scheduler.
#[derive(Debug)]
pub(super) enum AnyScheduler {
    Fair(FairScheduler),
    Deadline(DeadlineScheduler),
    Null(NullScheduler),
}

impl AnyScheduler {
    /// One of a policy, without CPUs and vCPUs.
    pub const fn new(policy: Policy) -> Self {
        match policy {
            Policy::Credit2 => Self::Fair(FairScheduler::credit2()),
            Policy::Credit => Self::Fair(FairScheduler::credit()),
            Policy::Rtds => Self::Deadline(DeadlineScheduler::new()),
            Policy::Null => Self::Null(NullScheduler::new()),
        }
    }

    pub fn get(&self) -> &dyn Scheduler {
        match self {
            Self::Fair(scheduler) => scheduler,
            Self::Deadline(scheduler) => scheduler,
            Self::Null(scheduler) => scheduler,
        }
    }

    pub fn get_mut(&mut self) -> &mut dyn Scheduler {
        match self {
            Self::Fair(scheduler) => scheduler,
            Self::Deadline(scheduler) => scheduler,
            Self::Null(scheduler) => scheduler,
        }
    }
}
