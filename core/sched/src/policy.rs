//! The contract between the hypervisor and a scheduling policy.

use vocabulary::{refuse, Errno, Nanos, Refused};

use crate::slots::Slots;
use crate::{CpuId, CpuSet, CpuView, Parameters, Tuning, MAX_CPUS};

/// A scheduling policy, by what it promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Time by weight, in short turns; caps. The default.
    #[default]
    Credit2,
    /// Time by weight, in turns of a set length that who wakes may cut short; caps.
    Credit,
    /// A budget in every period, earliest deadline first.
    Rtds,
    /// A CPU for each vCPU alone; who finds none waits.
    Null,
}

impl Policy {
    /// Its name, as the `sched=` option and the tools have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Credit2 => "credit2",
            Self::Credit => "credit",
            Self::Rtds => "rtds",
            Self::Null => "null",
        }
    }
}

/// A vCPU's number: small, dense, given by the caller, who keeps the way back from it to its own vCPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VcpuKey(pub u32);

/// A domain's number: small, dense, given by the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainKey(pub u32);

/// The physical CPU, if any, that must soon call [`Scheduler::schedule`]: send it an interrupt unless it is
/// the caller's own, which then reschedules before it returns to a guest.
pub type Poke = Option<CpuId>;

/// What a scheduler must know of a new vCPU.
#[derive(Clone, Copy, Debug)]
pub struct VcpuParameters {
    /// Its domain, which has joined.
    pub domain: DomainKey,
    /// Its number in the domain.
    pub number: u32,
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
            domain: DomainKey(0),
            number: 0,
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
    /// Other CPUs that were given work while deciding.
    pub pokes: CpuSet,
}

impl Decision {
    /// The idle loop, for as long as nobody pokes.
    pub const IDLE: Self = Self {
        run: None,
        until: None,
        pokes: CpuSet::EMPTY,
    };
}

/// A scheduling policy for a set of physical CPUs.
///
/// Protocol, per physical CPU: `schedule` names the vCPU to run. If it is not the one that ran before, the
/// CPU saves the old vCPU and then says `context_saved`; until then the policy offers the old vCPU to no
/// other CPU. A vCPU starts asleep; `wake` makes it runnable, `sleep` makes it not runnable (blocked, paused:
/// the policy does not care). All times are system time and must not go back on one CPU by more than
/// the clocks' disagreement. The caller re-checks a decision's invariants (vCPU not running elsewhere,
/// affinity) before acting on it; a policy that breaks them is a hypervisor bug.
///
/// A method given an unknown key or CPU does nothing and answers "no poke", or refuses where it can.
///
/// Memory is taken by `cpu_online`, `domain_join` and `insert` only: they reserve, in every structure that the
/// newcomer may ever enter, room for all there are, and fail where there is none. Nothing else allocates.
pub trait Scheduler: Send {
    /// Which policy it is.
    fn policy(&self) -> Policy;

    /// A physical CPU joins, idle; it calls `schedule` next. Answers the CPUs to poke, because they run a vCPU
    /// that had lost its own CPUs and may go back to one. May allocate.
    /// EINVAL: number too large; EEXIST: already in; ENOMEM.
    fn cpu_online(&mut self, cpu: CpuId, now: Nanos) -> Refused<CpuSet>;

    /// A physical CPU leaves: what ran or waited on it is moved elsewhere. A vCPU whose hard affinity names no
    /// remaining CPU runs anywhere until one comes back. Answers the CPUs to poke. The CPU itself must call
    /// `schedule` no more; the vCPU that ran on it is still unsaved until `context_saved`.
    /// ENODEV: not a member; EBUSY: the last one while there are vCPUs.
    fn cpu_offline(&mut self, cpu: CpuId, now: Nanos) -> Refused<CpuSet>;

    /// A domain joins, with the policy's default parameters. May allocate. EEXIST; ENOMEM.
    fn domain_join(&mut self, domain: DomainKey, now: Nanos) -> Refused<()>;

    /// A domain leaves. EBUSY: it has vCPUs here; ENOENT.
    fn domain_leave(&mut self, domain: DomainKey) -> Refused<()>;

    /// A domain that joined may have run under another policy: what is set of it from now on, somebody wants.
    fn note_has_run(&mut self, domain: DomainKey) {
        let _ = domain;
    }

    /// Takes a new vCPU in, asleep, with its domain's parameters. May allocate, so that nothing later has to.
    /// EINVAL: empty hard affinity; EEXIST: the key is in use; ENOENT: no such domain; ENOMEM.
    fn insert(&mut self, vcpu: VcpuKey, parameters: &VcpuParameters, now: Nanos) -> Refused<()>;

    /// Forgets a vCPU. Answers the CPU that takes another instead. EBUSY while it runs or is unsaved (put it to
    /// sleep first and retry); ENOENT.
    fn remove(&mut self, vcpu: VcpuKey, now: Nanos) -> Refused<Poke>;

    /// The vCPU is runnable from now on. Waking one that is runnable already changes nothing.
    fn wake(&mut self, vcpu: VcpuKey, now: Nanos) -> Poke;

    /// The vCPU is not runnable from now on. If it runs, the answer is its CPU, which stops running it at its
    /// next `schedule`.
    fn sleep(&mut self, vcpu: VcpuKey, now: Nanos) -> Poke;

    /// The vCPU was taken down: it is not runnable, and gives up what is kept for sleepers.
    /// Answers the CPUs to poke.
    fn retire(&mut self, vcpu: VcpuKey, now: Nanos) -> CpuSet {
        self.sleep(vcpu, now).into_iter().collect()
    }

    /// The running vCPU lets others go first: the CPU's next `schedule` prefers any other that waits there,
    /// where the policy has room for such a wish.
    fn yield_now(&mut self, vcpu: VcpuKey, now: Nanos) -> Poke;

    /// For a CPU that was just told by [`Scheduler::wake`] to look: when it must call `schedule` at the latest, if it
    /// goes on with what it runs until then and nothing else is to be done at once. `None`: it calls `schedule` now.
    fn glance(&mut self, cpu: CpuId, now: Nanos) -> Option<Nanos> {
        let _ = (cpu, now);
        None
    }

    /// [`Scheduler::wake`] on a CPU which, where it is told to look itself, has a [`Scheduler::glance`] first: then the
    /// second is when it must call `schedule` at the latest, and nobody is to be poked.
    #[inline]
    fn wake_on(&mut self, vcpu: VcpuKey, here: CpuId, now: Nanos) -> (Poke, Option<Nanos>) {
        let poke = self.wake(vcpu, now);
        if poke == Some(here) {
            if let Some(until) = self.glance(here, now) {
                return (None, Some(until));
            }
        }
        (poke, None)
    }

    /// Chooses what `cpu` runs from `now` on.
    fn schedule(&mut self, cpu: CpuId, now: Nanos) -> Decision;

    /// The vCPU's registers are in memory: other CPUs may run it from now on.
    fn context_saved(&mut self, vcpu: VcpuKey, now: Nanos) -> Poke;

    /// Sets where the vCPU may run and prefers to. Answers the CPUs to poke. EINVAL: empty hard affinity; ENOENT.
    fn set_affinity(
        &mut self,
        vcpu: VcpuKey,
        hard: CpuSet,
        soft: CpuSet,
        now: Nanos,
    ) -> Refused<CpuSet>;

    /// The CPU that runs the vCPU, or still holds its registers.
    fn running_on(&self, vcpu: VcpuKey) -> Option<CpuId>;

    /// What runs on the CPU, as it was counted last, and who waits for it. One who may run on several CPUs may wait for
    /// all of them. Looks at all that wait: for people who look.
    fn view(&self, cpu: CpuId) -> CpuView;

    /// Whether the policy keeps the vCPU, should it be runnable, from running even where a CPU is idle: its cap
    /// or budget is spent, or it has no CPU of its own.
    fn is_withheld(&self, vcpu: VcpuKey, now: Nanos) -> bool;

    /// The domain's parameters, or those that its new vCPUs get. EOPNOTSUPP: the policy has none; ENOENT.
    fn domain_parameters(&self, domain: DomainKey) -> Refused<Parameters>;

    /// Sets the parameters of a domain and all its vCPUs. Answers the CPUs to poke. EINVAL: out of bounds, or
    /// of another policy; EOPNOTSUPP: the policy has none; ENOENT.
    fn set_domain_parameters(
        &mut self,
        domain: DomainKey,
        parameters: &Parameters,
        now: Nanos,
    ) -> Refused<CpuSet>;

    /// The vCPU's own parameters. EINVAL: the policy has none of single vCPUs; EOPNOTSUPP: none at all; ENOENT.
    fn vcpu_parameters(&self, vcpu: VcpuKey) -> Refused<Parameters> {
        let _ = vcpu;
        no_vcpu_parameters()
    }

    /// Sets the vCPU's own parameters. EINVAL, EOPNOTSUPP, ENOENT as the two above.
    fn set_vcpu_parameters(
        &mut self,
        vcpu: VcpuKey,
        parameters: &Parameters,
        now: Nanos,
    ) -> Refused<CpuSet> {
        let _ = (vcpu, parameters, now);
        no_vcpu_parameters()
    }

    /// The policy's own parameters. EOPNOTSUPP: it has none.
    fn tuning(&self) -> Refused<Tuning> {
        refuse(Errno::EOPNOTSUPP, "the policy has no parameters of its own")
    }

    /// Sets the policy's own parameters; those it does not have are ignored. EINVAL: out of bounds; EOPNOTSUPP.
    fn tune(&mut self, tuning: &Tuning) -> Refused<()> {
        let _ = tuning;
        refuse(Errno::EOPNOTSUPP, "the policy has no parameters of its own")
    }
}

fn no_vcpu_parameters<T>() -> Refused<T> {
    refuse(
        Errno::EINVAL,
        "the policy has no parameters of single vCPUs",
    )
}

pub(crate) fn no_such_vcpu<T>() -> Refused<T> {
    refuse(Errno::ENOENT, "the scheduler has no such vCPU")
}

pub(crate) fn no_such_domain<T>() -> Refused<T> {
    refuse(Errno::ENOENT, "the scheduler has no such domain")
}

/// May the CPU join those that are online? EINVAL: number too large; EEXIST.
pub(crate) fn check_new_cpu(cpu: CpuId, online: &CpuSet) -> Refused<()> {
    if cpu.0 >= MAX_CPUS {
        return refuse(Errno::EINVAL, "the CPU's number is too large");
    }
    if online.contains(cpu) {
        return refuse(Errno::EEXIST, "the CPU is in use already");
    }
    Ok(())
}

/// May the CPU leave those that are online, with so many vCPUs? ENODEV: not one of them; EBUSY: the last one.
pub(crate) fn check_leaving_cpu(cpu: CpuId, online: &CpuSet, vcpus: usize) -> Refused<()> {
    if !online.contains(cpu) {
        return refuse(Errno::ENODEV, "the CPU is not in use");
    }
    if online.is_single() && vcpus != 0 {
        return refuse(Errno::EBUSY, "the last CPU stays while there are vCPUs");
    }
    Ok(())
}

/// May a domain join, of whose key this was found? EEXIST.
pub(crate) fn check_new_domain<T>(found: Option<&T>) -> Refused<()> {
    match found {
        Some(_) => refuse(Errno::EEXIST, "the domain is here already"),
        None => Ok(()),
    }
}

/// May a domain with so many vCPUs leave? EBUSY; ENOENT: there is no such domain.
pub(crate) fn check_leaving_domain(vcpus: Option<u32>) -> Refused<()> {
    match vcpus {
        None => no_such_domain(),
        Some(0) => Ok(()),
        Some(_) => refuse(Errno::EBUSY, "the domain has vCPUs here"),
    }
}

/// May a vCPU come, of whose key this was found? EINVAL: empty hard affinity; EEXIST.
pub(crate) fn check_new_vcpu<T>(found: Option<&T>, parameters: &VcpuParameters) -> Refused<()> {
    check_hard_affinity(&parameters.hard_affinity)?;
    match found {
        Some(_) => refuse(Errno::EEXIST, "the vCPU is here already"),
        None => Ok(()),
    }
}

/// The vCPU with this key, which is to be forgotten; `on_cpu` tells which CPU runs or holds it. EBUSY: one does;
/// ENOENT.
pub(crate) fn leaving_vcpu<V>(
    vcpus: &Slots<V>,
    vcpu: VcpuKey,
    on_cpu: impl Fn(&V) -> Option<CpuId>,
) -> Refused<&V> {
    match vcpus.get(vcpu.0) {
        None => no_such_vcpu(),
        Some(member) if on_cpu(member).is_some() => refuse(Errno::EBUSY, "the vCPU is on a CPU"),
        Some(member) => Ok(member),
    }
}

/// EINVAL: empty.
pub(crate) fn check_hard_affinity(hard: &CpuSet) -> Refused<()> {
    if hard.is_empty() {
        return refuse(Errno::EINVAL, "a vCPU has a CPU to run on");
    }
    Ok(())
}

pub(crate) fn no_memory<T>() -> Refused<T> {
    refuse(Errno::ENOMEM, "no memory for another CPU, domain or vCPU")
}

pub(crate) fn wrong_parameters<T>() -> Refused<T> {
    refuse(Errno::EINVAL, "the parameters are another policy's")
}
