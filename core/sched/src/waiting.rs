//! What a policy tells of a CPU to people who look: what runs there, and who waits for it, in order.

use vocabulary::Nanos;

use crate::VcpuKey;

/// By what a policy chooses among vCPUs: the least comes first. Those of one policy are of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// How far it has come ahead of the CPU's clock, in nanoseconds at the default weight; behind it is below zero.
    Ahead(i64),
    /// Its claim in time that was promised or is left over.
    Deadline {
        /// 0 while what somebody promised it lasts; whoever is in a later one runs in what others leave.
        round: u32,
        /// When its period ends.
        deadline: Nanos,
        /// What is left of its budget until then, in nanoseconds; below zero where it ran too long.
        left: i64,
    },
    /// The number that it drew when it came.
    Ticket(u64),
}

/// A vCPU, and by what it is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which.
    pub vcpu: VcpuKey,
    /// `None` where the policy compares it with nobody.
    pub order: Option<Order>,
}

/// How many of those that wait are told of.
pub const SHOWN: usize = 16;

/// A CPU as its policy sees it.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuView {
    /// What it runs.
    pub current: Option<Standing>,
    /// How many runnable vCPUs wait for it.
    pub count: usize,
    first: [Option<Standing>; SHOWN],
}

impl CpuView {
    /// The first [`SHOWN`] of those that wait, in the order in which they would run.
    pub fn waiting(&self) -> impl Iterator<Item = &Standing> {
        self.first.iter().flatten()
    }

    /// Adds one that waits, wherever it belongs.
    pub(crate) fn add(&mut self, vcpu: VcpuKey, order: Order) {
        self.count += 1;
        let mut moving = Some(Standing {
            vcpu,
            order: Some(order),
        });
        for place in &mut self.first {
            let is_before = match (&moving, &place) {
                (Some(new), Some(old)) => new.order < old.order,
                _ => true,
            };
            if is_before {
                core::mem::swap(place, &mut moving);
            }
        }
    }

    /// The same with other names for the vCPUs; those without one are left out.
    pub(crate) fn renamed(&self, name: impl Fn(VcpuKey) -> Option<VcpuKey>) -> Self {
        let renamed = |found: &Standing| {
            Some(Standing {
                vcpu: name(found.vcpu)?,
                ..*found
            })
        };
        let mut view = Self {
            current: self.current.as_ref().and_then(renamed),
            ..Self::default()
        };
        let known = self.waiting().filter_map(renamed);
        for (place, found) in view.first.iter_mut().zip(known) {
            *place = Some(found);
        }
        let (told, kept) = (self.waiting().count(), view.waiting().count());
        view.count = self.count.saturating_sub(told.saturating_sub(kept));
        view
    }
}
