//! The contract between the hypervisor and a scheduling policy.

use vocabulary::{Nanos, Refused};

use crate::{CpuId, CpuSet};

/// The weight of a vCPU whose domain never had one set (the interface's default, public `domctl.h` users).
pub const DEFAULT_WEIGHT: u16 = 256;

/// A vCPU's number inside one scheduler: small, dense, reused after removal. The caller keeps the way back
/// from it to its own vCPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VcpuKey(pub u32);

/// The physical CPU, if any, that must soon call [`Scheduler::schedule`]: send it an interrupt unless it is
/// the caller's own, which then reschedules before it returns to a guest.
pub type Poke = Option<CpuId>;

/// What a scheduler must know of a new vCPU.
#[derive(Clone, Copy, Debug)]
pub struct VcpuParameters {
    /// Its share of processor time against others, 1..=65535; [`DEFAULT_WEIGHT`] where nobody said.
    pub weight: u16,
    /// Where it may run.
    pub hard_affinity: CpuSet,
    /// Where it prefers to run; `CpuSet::ALL` for no preference.
    pub soft_affinity: CpuSet,
    /// Where to look first for it to run: dom0 spreads its vCPUs by giving vCPU n the CPU n.
    pub first_cpu: CpuId,
}

impl Default for VcpuParameters {
    fn default() -> Self {
        Self {
            weight: DEFAULT_WEIGHT,
            hard_affinity: CpuSet::ALL,
            soft_affinity: CpuSet::ALL,
            first_cpu: CpuId(0),
        }
    }
}

/// What a physical CPU shall do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The vCPU to run; `None` is the idle loop.
    pub run: Option<VcpuKey>,
    /// System time at which to call [`Scheduler::schedule`] again at the latest; `None` where nothing waits,
    /// so that a CPU without competition takes no scheduling timer at all.
    pub until: Option<Nanos>,
    /// Another CPU that was given work while deciding.
    pub poke: Poke,
}

/// A scheduling policy for a set of physical CPUs.
///
/// Protocol, per physical CPU: `schedule` names the vCPU to run. If it is not the one that ran before, the
/// CPU saves the old vCPU and then says `context_saved`; until then the policy offers the old vCPU to no
/// other CPU. A vCPU starts asleep; `wake` makes it runnable, `sleep` makes it not runnable (blocked, paused,
/// down: the policy does not care). All times are system time and must not go back on one CPU by more than
/// the clocks' disagreement. The caller re-checks a decision's invariants (vCPU not running elsewhere,
/// affinity) before acting on it; a policy that breaks them is a hypervisor bug.
///
/// A method given an unknown key or CPU does nothing and answers "no poke", or refuses where it can.
pub trait Scheduler: Send {
    /// The policy's name as the tools print it, such as "credit2".
    fn name(&self) -> &'static str;

    /// A physical CPU joins, idle; it calls `schedule` next. Answers the CPUs to poke, because they run a vCPU
    /// that had lost its own CPUs and may go back to one. May allocate.
    /// EINVAL: number too large; EEXIST: already in; ENOMEM.
    fn cpu_online(&mut self, cpu: CpuId, now: Nanos) -> Refused<CpuSet>;

    /// A physical CPU leaves: what ran or waited on it is moved elsewhere. A vCPU whose hard affinity names no
    /// remaining CPU runs anywhere until one comes back. Answers the CPUs to poke. The CPU itself must call
    /// `schedule` no more; the vCPU that ran on it is still unsaved until `context_saved`.
    /// ENODEV: not a member; EBUSY: the last one while there are vCPUs.
    fn cpu_offline(&mut self, cpu: CpuId, now: Nanos) -> Refused<CpuSet>;

    /// Takes a new vCPU in, asleep. May allocate, so that nothing later has to.
    /// EINVAL: weight 0 or empty hard affinity; ENOMEM.
    fn insert(&mut self, parameters: &VcpuParameters, now: Nanos) -> Refused<VcpuKey>;

    /// Forgets a vCPU. EBUSY while it runs or is unsaved (put it to sleep first and retry); ENOENT.
    fn remove(&mut self, vcpu: VcpuKey, now: Nanos) -> Refused<()>;

    /// The vCPU is runnable from now on. Waking one that is runnable already changes nothing.
    fn wake(&mut self, vcpu: VcpuKey, now: Nanos) -> Poke;

    /// The vCPU is not runnable from now on. If it runs, the answer is its CPU, which stops running it at its
    /// next `schedule`.
    fn sleep(&mut self, vcpu: VcpuKey, now: Nanos) -> Poke;

    /// The running vCPU lets others go first: the CPU's next `schedule` prefers any other that waits there.
    fn yield_now(&mut self, vcpu: VcpuKey, now: Nanos) -> Poke;

    /// Chooses what `cpu` runs from `now` on.
    fn schedule(&mut self, cpu: CpuId, now: Nanos) -> Decision;

    /// The vCPU's registers are in memory: other CPUs may run it from now on.
    fn context_saved(&mut self, vcpu: VcpuKey, now: Nanos) -> Poke;

    /// Sets where the vCPU may run and prefers to. EINVAL: empty hard affinity; ENOENT.
    fn set_affinity(
        &mut self,
        vcpu: VcpuKey,
        hard: CpuSet,
        soft: CpuSet,
        now: Nanos,
    ) -> Refused<Poke>;

    /// Sets the vCPU's share. EINVAL: 0; ENOENT.
    fn set_weight(&mut self, vcpu: VcpuKey, weight: u16, now: Nanos) -> Refused<()>;

    /// The CPU that runs the vCPU, or still holds its registers.
    fn running_on(&self, vcpu: VcpuKey) -> Option<CpuId>;
}
