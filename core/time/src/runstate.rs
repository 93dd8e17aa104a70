//! How long a vCPU ran, waited, slept: its runstate, and how guests are shown it.

use vocabulary::Nanos;

/// Bit of `state_entry_time` that is set while the guest's copy changes (public `vcpu.h`,
/// `XEN_RUNSTATE_UPDATE`).
pub const RUNSTATE_UPDATE: u64 = 1 << 63;

/// What a vCPU is doing; the numbers are the interface's (public `vcpu.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// On a physical CPU.
    Running = 0,
    /// Would run, had it a CPU.
    Runnable = 1,
    /// Asleep until something happens.
    Blocked = 2,
    /// Neither runnable nor blocked: down, paused, or held by the hypervisor.
    Offline = 3,
}

/// `vcpu_runstate_info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunstateFields {
    /// A [`RunState`].
    pub state: u32,
    /// System time when the state was entered, in nanoseconds.
    pub state_entry_time: u64,
    /// Nanoseconds spent in each state so far.
    pub time: [u64; 4],
}

/// A guest's own copy of `vcpu_runstate_info`. Stores must become visible in the order of the calls.
pub trait RunstateArea {
    /// Why a store could not be done.
    type Fault;
    /// Stores `state_entry_time` alone.
    fn store_entry_time(&mut self, value: u64) -> Result<(), Self::Fault>;
    /// Stores all fields, in any order.
    fn store(&mut self, fields: &RunstateFields) -> Result<(), Self::Fault>;
}

/// The runstate of one vCPU. The four times always sum to the time since it was made.
#[derive(Clone, Copy, Debug)]
pub struct Runstate {
    state: RunState,
    entered: Nanos,
    time: [u64; 4],
}

/// Adds what passed from `entered` to `now` to the time spent in a state.
#[inline]
fn add_time(times: &mut [u64; 4], state: RunState, entered: Nanos, now: Nanos) {
    if let Some(time) = times.get_mut(state as usize) {
        *time = time.saturating_add(now.0.saturating_sub(entered.0));
    }
}

impl Runstate {
    /// A vCPU that is offline from `now` on.
    pub const fn new(now: Nanos) -> Self {
        Self {
            state: RunState::Offline,
            entered: now,
            time: [0; 4],
        }
    }

    /// What it is doing.
    pub const fn state(&self) -> RunState {
        self.state
    }

    /// When it began to.
    pub const fn entered(&self) -> Nanos {
        self.entered
    }

    /// From `now` on the vCPU does something else. A clock that reads less than at the last change, on another
    /// CPU, adds nothing.
    pub fn change(&mut self, state: RunState, now: Nanos) {
        let now = now.max(self.entered);
        add_time(&mut self.time, self.state, self.entered, now);
        self.state = state;
        self.entered = now;
    }

    /// Nanoseconds spent in each state up to `now`.
    pub fn times_at(&self, now: Nanos) -> [u64; 4] {
        let mut time = self.time;
        add_time(&mut time, self.state, self.entered, now);
        time
    }

    /// Nanoseconds of processor time up to `now`.
    pub fn cpu_time(&self, now: Nanos) -> Nanos {
        let [running, ..] = self.times_at(now);
        Nanos(running)
    }

    /// The answer to `VCPUOP_get_runstate_info`: times up to `now`.
    pub fn snapshot(&self, now: Nanos) -> RunstateFields {
        RunstateFields {
            time: self.times_at(now),
            ..self.record()
        }
    }

    /// What goes into the guest's own copy: times up to when the current state was entered.
    pub const fn record(&self) -> RunstateFields {
        RunstateFields {
            state: self.state as u32,
            state_entry_time: self.entered.0,
            time: self.time,
        }
    }

    /// Writes the guest's own copy. With `update_flag` (the guest asked for it through `vm_assist`), the entry
    /// time has [`RUNSTATE_UPDATE`] set from before the first change until after the last, so that a reader on
    /// another vCPU can tell.
    pub fn publish<A: RunstateArea>(
        &self,
        area: &mut A,
        update_flag: bool,
    ) -> Result<(), A::Fault> {
        let fields = self.record();
        if !update_flag {
            return area.store(&fields);
        }
        let marked = RunstateFields {
            state_entry_time: fields.state_entry_time | RUNSTATE_UPDATE,
            ..fields
        };
        area.store_entry_time(marked.state_entry_time)?;
        area.store(&marked)?;
        area.store_entry_time(fields.state_entry_time)
    }
}
