//! What the fair scheduler keeps of each vCPU, each domain and each physical CPU.

use indexed_heap::{IndexedHeap, Places};
use vocabulary::Nanos;

use super::caps::Budget;
use super::virtual_time::{at_default_weight, VirtualTime, Weight, LONGEST_MEMORY};
use crate::{CpuId, CpuSet, Share, Slots};

/// How often a CPU is to look while others wait for a vCPU that may be waiting, spinning, for one of those: the mechanism
/// then sees whether it does, and yields for it.
pub(crate) const SPIN_LOOKS: Nanos = Nanos(250_000);

/// How far whoever came least far may be behind its share, as a time at the default weight. More than a vCPU takes along
/// of that when it moves (`placement.rs`): who waits long enough is before all that come.
const LONGEST_WAIT: i64 = at_default_weight(100_000_000);

/// A vCPU. It is in at most one of these: some CPU's queue or its domain's parking place (`place`), some CPU's
/// hands (`on_cpu`).
#[derive(Debug)]
pub(crate) struct Vcpu {
    pub domain: u32,
    pub weight: Weight,
    pub hard: CpuSet,
    /// The CPU that `hard` names, where it is a single one.
    pub only: Option<CpuId>,
    pub soft: CpuSet,
    pub runnable: bool,
    /// The CPU that runs it or still holds its registers.
    pub on_cpu: Option<CpuId>,
    /// The CPU whose queue it is in, or was on last, and by whose clock `reached` counts.
    pub home: CpuId,
    /// Its place in its home's queue, or where it is parked in its domain's.
    pub place: Option<u32>,
    /// Queued, it is one of its home's `movable`.
    pub movable: bool,
    /// It waits for its domain's cap to let it run.
    pub parked: bool,
    /// How far it has come on its home's virtual clock.
    pub reached: VirtualTime,
    /// How far it was ahead of its home's `fair` when it last stopped or ceased to wait; negative behind. It says nothing
    /// while it runs or waits.
    pub lead: i64,
    /// When it came to its home.
    pub arrived: Nanos,
    /// When it last stopped running.
    pub stopped: Nanos,
    /// Since when it waits for a CPU, if it does.
    pub waits_since: Nanos,
}

impl Vcpu {
    /// Whether, asleep, it has been so for too long for `reached` to mean anything.
    #[inline(always)]
    pub fn slept_long(&self, now: Nanos) -> bool {
        // Beyond it, too, where the clocks of two CPUs disagree a little.
        now.0.wrapping_sub(self.stopped.0) >= LONGEST_MEMORY.0 && self.came_long_ago(now)
    }

    #[cold]
    const fn came_long_ago(&self, now: Nanos) -> bool {
        now.0.saturating_sub(self.arrived.0) >= LONGEST_MEMORY.0
            && now.0.saturating_sub(self.stopped.0) >= LONGEST_MEMORY.0
    }
}

impl Places for Slots<Vcpu> {
    fn set_place(&mut self, id: u32, place: Option<u32>) {
        if let Some(vcpu) = self.get_mut(id) {
            vcpu.place = place;
        }
    }
}

/// A domain.
#[derive(Debug)]
pub(crate) struct Domain {
    pub share: Share,
    /// What its cap leaves it.
    pub budget: Budget,
    /// How many vCPUs it has here.
    pub members: u32,
    /// How many of them run.
    pub running: u32,
    /// Its runnable vCPUs that the cap keeps from running, longest first.
    pub parked: IndexedHeap<Nanos>,
    /// The CPU that lets them go on when the budget is filled again.
    pub keeper: Option<CpuId>,
    /// Its place among its keeper's duties.
    pub place: Option<u32>,
}

impl Places for Slots<Domain> {
    fn set_place(&mut self, id: u32, place: Option<u32>) {
        if let Some(domain) = self.get_mut(id) {
            domain.place = place;
        }
    }
}

/// A physical CPU.
#[derive(Debug)]
pub(crate) struct Cpu {
    /// What it runs.
    pub current: Option<u32>,
    /// Since when, without interruption.
    pub since: Nanos,
    /// When the current vCPU's turn began: it has as many as it needs, one after the other.
    pub turn: Nanos,
    /// Up to when the current vCPU's time has been counted.
    pub counted: Nanos,
    /// Runnable vCPUs that wait here, by how far they have come.
    pub queue: IndexedHeap<VirtualTime>,
    /// How many of those another CPU might take.
    pub movable: u32,
    /// The least that any vCPU here has come to; never goes back.
    pub clock: VirtualTime,
    /// What a vCPU has come to that got just its share of this CPU: whoever is behind it is owed processor time, whoever is
    /// ahead of it owes some. It goes on by what runs here, divided among all that share the CPU, and stays between
    /// `clock` and [`LONGEST_WAIT`] after it; while there is one CPU, and nobody moves, by that alone.
    pub fair: VirtualTime,
    /// The sum of weights of the current vCPU, if runnable when last looked at, and those in the queue.
    pub load: u64,
    /// When it will look at the latest because others wait here.
    pub until: Option<Nanos>,
    /// When it will call `schedule` at the latest, for whatever reason.
    pub timer: Option<Nanos>,
    /// The current vCPU asked to let others go first.
    pub yielded: bool,
    /// One came that need not wait for the end of the turn.
    pub preempted: bool,
    /// The current vCPU's domain has several.
    pub has_siblings: bool,
    /// One of them waits here when last looked at, for which the current vCPU may be waiting, spinning.
    pub looks: bool,
    /// When to look whether it does.
    pub look: Nanos,
    /// When a vCPU may be moved away again merely so that all get their turn alone.
    pub next_rotation: Nanos,
    /// When to look for those that wait too long.
    pub next_review: Nanos,
    /// Domains whose parked vCPUs it lets go on, by when.
    pub duties: IndexedHeap<Nanos>,
}

/// For how many a CPU has room in its queue and among its duties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub vcpus: usize,
    pub domains: usize,
}

impl Room {
    pub const NONE: Self = Self {
        vcpus: 0,
        domains: 0,
    };
}

impl Cpu {
    /// Makes room. False where there is no memory.
    #[must_use]
    pub fn reserve(&mut self, room: Room) -> bool {
        self.queue.reserve(room.vcpus) && self.duties.reserve(room.domains)
    }

    /// The clock follows whoever has come least far: the current vCPU, which came to `reached`, or the queue's first.
    pub fn advance(&mut self, reached: VirtualTime) {
        let least = match self.queue.first() {
            Some((first, _)) => first.min(reached),
            None => reached,
        };
        self.clock = self.clock.max(least);
        self.keep_fair_near();
    }

    /// A vCPU, not part of `load` yet, comes in with a lead that is larger by `lead` than the one that it left with, or smaller,
    /// if that is negative. Those that share the CPU get, or give, the difference: leads and lags together stay what they were,
    /// but for the bounds.
    pub fn share_out(&mut self, lead: i64, weight: Weight) {
        // Below 2^35, and a weight below 2^16.
        let lead = lead.clamp(-LONGEST_WAIT, LONGEST_WAIT);
        let all = self.load + weight.load();
        let each = lead * weight.load() as i64 / all as i64;
        self.fair = self.fair.plus(each);
        self.keep_fair_near();
    }

    fn keep_fair_near(&mut self) {
        let last = self.clock.plus(LONGEST_WAIT);
        self.fair = self.fair.max(self.clock).min(last);
    }

    /// When to look whether the current vCPU, for which others wait, spins.
    #[inline]
    pub fn next_look(&mut self, now: Nanos) -> Nanos {
        if !self.looks {
            return Nanos(u64::MAX);
        }
        if self.look <= now {
            self.look = Nanos(now.0.saturating_add(SPIN_LOOKS.0));
        }
        self.look
    }

    pub const fn new(now: Nanos) -> Self {
        Self {
            current: None,
            since: now,
            turn: now,
            counted: now,
            queue: IndexedHeap::new(),
            movable: 0,
            clock: VirtualTime::START,
            fair: VirtualTime::START,
            load: 0,
            until: None,
            timer: None,
            yielded: false,
            preempted: false,
            has_siblings: false,
            looks: false,
            look: now,
            next_rotation: now,
            next_review: now,
            duties: IndexedHeap::new(),
        }
    }

    /// One that has been nowhere yet, with the room of this one, which nothing waits for and which has no duties.
    pub fn anew(self, now: Nanos) -> Self {
        debug_assert!(self.queue.is_empty() && self.duties.is_empty());
        Self {
            queue: self.queue,
            duties: self.duties,
            ..Self::new(now)
        }
    }
}
