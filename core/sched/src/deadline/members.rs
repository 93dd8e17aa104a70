//! What the deadline scheduler keeps of each vCPU, each domain and each physical CPU.

use indexed_heap::Places;
use vocabulary::Nanos;

use crate::{CpuId, CpuSet, Order, Server, Slots};

/// Who comes first: round, then deadline. A vCPU is in its first round while its budget lasts, and in a later one with
/// every further budget that it runs in time nobody claims. Round 0 is of those alone whose reservation somebody made:
/// what every other vCPU has by default may together be more than there is, and must break no promise.
pub(crate) type Urgency = (u32, Nanos);

/// A vCPU. Runnable and on no CPU, it has an event at its deadline, and is ready unless its budget is spent.
#[derive(Debug)]
pub(crate) struct Vcpu {
    pub domain: u32,
    pub server: Server,
    /// Somebody set its reservation, or its domain's.
    pub is_reserved: bool,
    pub hard: CpuSet,
    pub soft: CpuSet,
    pub runnable: bool,
    /// The CPU that runs it or still holds its registers.
    pub on_cpu: Option<CpuId>,
    /// The CPU it ran on last.
    pub home: CpuId,
    /// What is left of the budget of this round; less than nothing where a timer came late.
    pub left: i64,
    /// When its period ends.
    pub deadline: Nanos,
    pub round: u32,
    /// Its place among those that are ready.
    pub ready: Option<u32>,
    /// Its place among those whose deadline something is due.
    pub event: Option<u32>,
}

impl Vcpu {
    pub const fn urgency(&self) -> Urgency {
        (self.round, self.deadline)
    }

    /// The same for people, with what is left.
    pub const fn order(&self) -> Order {
        Order::Deadline {
            round: self.round,
            deadline: self.deadline,
            left: self.left,
        }
    }

    /// When something is due, and the deadline that it has then: of many periods that begin together, the most urgent does
    /// first.
    pub const fn next_event(&self) -> (Nanos, Nanos) {
        let next = self.deadline.0.saturating_add(self.server.period.0);
        (self.deadline, Nanos(next))
    }

    const fn budget(&self) -> i64 {
        self.server.budget.0 as i64
    }

    const fn first_round(&self) -> u32 {
        if self.is_reserved {
            0
        } else {
            1
        }
    }

    /// It may run no more before its next period.
    pub const fn is_spent(&self) -> bool {
        self.left <= 0 && !self.server.extra
    }

    /// Begins a period now.
    pub fn begin_period(&mut self, now: Nanos) {
        self.deadline = Nanos(now.0.saturating_add(self.server.period.0));
        self.left = self.budget();
        self.round = self.first_round();
    }

    /// Brings budget, round and deadline up to `now`; of the time since it was last done, it ran `ran` at the end.
    pub fn settle(&mut self, ran: Nanos, now: Nanos) {
        let ran = ran.0;
        if now < self.deadline {
            self.left = self
                .left
                .saturating_sub(i64::try_from(ran).unwrap_or(i64::MAX));
        } else {
            let period = self.server.period.0.max(1);
            let over = now.0 - self.deadline.0;
            let begun = now.0 - over % period;
            self.deadline = Nanos(begun.saturating_add(period));
            self.round = self.first_round();
            let owed = if ran == 0 { self.left.min(0) } else { 0 };
            let since = ran.min(now.0 - begun);
            self.left = self
                .budget()
                .saturating_add(owed)
                .saturating_sub(i64::try_from(since).unwrap_or(i64::MAX));
        }
        if self.left <= 0 && self.server.extra {
            let spent = self.left.unsigned_abs();
            let rounds = spent / self.server.budget.0.max(1) + 1;
            self.round = self
                .round
                .saturating_add(u32::try_from(rounds).unwrap_or(u32::MAX));
            let given = self
                .budget()
                .saturating_mul(i64::try_from(rounds).unwrap_or(i64::MAX));
            self.left = self.left.saturating_add(given);
        }
    }

    /// It wakes: what is left of its budget stays its own only if using it up before the deadline asks no more of the
    /// CPU than its reservation. Else a period begins, so that who sleeps and wakes never gets ahead of it.
    pub fn wake(&mut self, now: Nanos) {
        if now >= self.deadline {
            self.begin_period(now);
            return;
        }
        let time = u128::from(self.deadline.0 - now.0);
        let left = u128::try_from(self.left).unwrap_or(0);
        let is_ahead =
            left * u128::from(self.server.period.0) > time * u128::from(self.server.budget.0);
        if self.round == self.first_round() && is_ahead {
            self.begin_period(now);
        }
    }
}

/// The vCPUs as members of the heap of those that are ready.
pub(crate) struct Ready<'a>(pub &'a mut Slots<Vcpu>);

impl Places for Ready<'_> {
    fn set_place(&mut self, id: u32, place: Option<u32>) {
        if let Some(vcpu) = self.0.get_mut(id) {
            vcpu.ready = place;
        }
    }
}

/// The vCPUs as members of the heap of events.
pub(crate) struct Events<'a>(pub &'a mut Slots<Vcpu>);

impl Places for Events<'_> {
    fn set_place(&mut self, id: u32, place: Option<u32>) {
        if let Some(vcpu) = self.0.get_mut(id) {
            vcpu.event = place;
        }
    }
}

/// A domain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Domain {
    /// What its new vCPUs reserve.
    pub server: Server,
    /// Somebody set it: to other than the default, or after the domain had run.
    pub is_reserved: bool,
    /// A vCPU of it woke, here or in another pool.
    pub has_run: bool,
    /// How many vCPUs it has here.
    pub members: u32,
}

/// A physical CPU.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu {
    /// What it runs.
    pub current: Option<u32>,
    /// Up to when the current vCPU's time has been counted.
    pub counted: Nanos,
    /// When it will call `schedule` at the latest.
    pub timer: Option<Nanos>,
}
