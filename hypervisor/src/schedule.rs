//! Which vCPU runs on which processor: the policies of crate `sched` under one lock, blocking and waking. The switch
//! itself is in `switcher.rs`, what the toolstack sets in `schedule/settings.rs`, who waits in `schedule/waiting.rs`,
//! pools in `schedule/pools.rs`, the watch over cores that are scheduled as a whole in `schedule/cores.rs`.

mod cores;
pub mod pools;
pub mod settings;
mod waiting;

use alloc::sync::Arc;
use core::sync::atomic::{
    AtomicBool,
    Ordering::{AcqRel, Acquire, Release, SeqCst},
};

use guest_time::{RunState, Runstate, RunstateFields};
use hw::percpu::PerCpu;
use hw::sync::SpinLock;
use sched::{CpuId, CpuSet, Poke, Pools, Slots, VcpuKey, VcpuParameters};
use vocabulary::{refuse, Errno, Nanos, Refused};

use crate::domain::Domain;
use crate::vcpu::Vcpu;
use crate::{clock, levels, processors, switcher, trace, work};

pub use crate::switcher::{is_running, switch};

/// A vCPU that the policy knows.
struct Member {
    /// `None` for the moment between its key and itself being made.
    vcpu: Option<Arc<Vcpu>>,
    runstate: Runstate,
}

/// The pools with their policies, and their members by key.
struct State {
    policy: Pools,
    members: Slots<Member>,
    /// Some pool is, or was, scheduled by cores: what shares one is looked at.
    checks_cores: bool,
}

static STATE: SpinLock<State, { levels::SCHEDULER }> = SpinLock::new(State {
    policy: Pools::new(),
    members: Slots::new(),
    checks_cores: false,
});

/// What a processor shall do.
pub enum Choice {
    /// Go on with what it runs.
    Stay,
    /// Run another vCPU, whose runstate this is.
    Run(Arc<Vcpu>, Runstate),
    /// Nothing.
    Idle,
}

impl State {
    fn member(&mut self, key: VcpuKey) -> Option<&mut Member> {
        self.members.get_mut(key.0)
    }

    fn change(&mut self, vcpu: &Vcpu, state: RunState, now: Nanos) -> Option<Runstate> {
        let member = self.member(vcpu.key)?;
        let old = member.runstate.state();
        if old != state {
            trace::note_runstate(vcpu, old, state);
            member.runstate.change(state, now);
        }
        Some(member.runstate)
    }

    /// Tells the policy whether the vCPU may run, after something about that changed. Answers as [`Pools::wake`].
    fn review(&mut self, vcpu: &Vcpu, here: CpuId, now: Nanos) -> (Poke, Option<Nanos>) {
        let runs = vcpu.is_running.load(Acquire);
        if vcpu.is_runnable() {
            trace::note_vcpu(trace::event::WAKE, vcpu);
            if !runs {
                self.change(vcpu, RunState::Runnable, now);
            }
            self.policy.wake(vcpu.key, here, now)
        } else {
            trace::note_vcpu(trace::event::SLEEP, vcpu);
            if !runs {
                self.change(vcpu, resting(vcpu), now);
            }
            (self.policy.sleep(vcpu.key, now), None)
        }
    }
}

/// The runstate of a vCPU that may not run. One that waits for an event lacks nothing while it is held: guests count the
/// time that they are offline as stolen from them (`vcpu.h`: blocked dominates offline). One whose wait ended just now, which
/// whoever woke it will say next, is not offline either.
fn resting(vcpu: &Vcpu) -> RunState {
    if vcpu.waiting.is_on() || !vcpu.is_held() {
        RunState::Blocked
    } else {
        RunState::Offline
    }
}

/// The scheduler gives work.
static IS_READY: AtomicBool = AtomicBool::new(false);

/// Starts the scheduler, on the boot processor. Others join as they come.
pub fn initialise() {
    pools::make_first();
    pools::online(PerCpu::current().index());
    IS_READY.store(true, Release);
}

/// Waits until there is a scheduler, and joins this processor to those that it gives work.
pub fn wait_until_ready() {
    while !IS_READY.load(Acquire) {
        hw::tlb::poll();
        clock::compare_time_stamps(1);
        hw::cpu::relax();
    }
    pools::online(PerCpu::current().index());
}

/// Reserves a place for a vCPU that is about to be made.
pub fn insert(parameters: &VcpuParameters) -> Refused<VcpuKey> {
    let now = clock::now();
    let mut state = STATE.lock();
    let key = state.policy.insert(parameters, now)?;
    if !state.members.reserve_for_many(key.0) {
        let _ = state.policy.remove(key, now);
        return refuse(Errno::ENOMEM, "no memory for another vCPU");
    }
    let member = Member {
        vcpu: None,
        runstate: Runstate::new(now),
    };
    state.members.put(key.0, member);
    Ok(key)
}

/// Fills the place that [`insert`] reserved.
pub fn attach(vcpu: &Arc<Vcpu>) {
    if let Some(member) = STATE.lock().member(vcpu.key) {
        member.vcpu = Some(Arc::clone(vcpu));
    }
}

/// Forgets a vCPU that runs nowhere and never will again. Says whether it could.
pub fn remove(vcpu: &Vcpu) -> bool {
    let now = clock::now();
    let mut state = STATE.lock();
    let _ = state.policy.sleep(vcpu.key, now);
    if state.member(vcpu.key).is_none() {
        return true;
    }
    let Ok(next) = state.policy.remove(vcpu.key, now) else {
        return false;
    };
    let member = state.members.take(vcpu.key.0);
    drop(state);
    drop(member);
    poke(next);
    true
}

/// The vCPU of a key.
pub fn vcpu(key: VcpuKey) -> Option<Arc<Vcpu>> {
    STATE.lock().member(key)?.vcpu.clone()
}

/// What the vCPU did with its time, up to now.
pub fn runstate(vcpu: &Vcpu) -> RunstateFields {
    let now = clock::now();
    let found = STATE.lock().member(vcpu.key).map(|member| member.runstate);
    found.unwrap_or(Runstate::new(now)).snapshot(now)
}

/// Has a processor choose anew.
fn poke(cpu: Poke) {
    if let Some(cpu) = cpu {
        work::raise_on(cpu.0 as usize, work::RESCHEDULE);
    }
}

/// Has processors choose anew.
fn poke_all(cpus: &CpuSet) {
    if !cpus.is_empty() {
        for cpu in cpus.iter() {
            poke(Some(cpu));
        }
    }
}

/// Chooses what this processor does, which runs `running` now, one that `spins` if it can be seen to wait for another.
/// The runstate of one that stops is the second.
pub fn choose(
    processor: usize,
    running: Option<&Arc<Vcpu>>,
    spins: bool,
) -> (Choice, Option<Runstate>) {
    let now = clock::now();
    let mut state = STATE.lock();
    if let Some(vcpu) = running.filter(|_| spins) {
        trace::note_vcpu(trace::event::YIELD, vcpu);
        // Whoever is told of it is this processor, which is about to look.
        let _ = state.policy.yield_now(vcpu.key, now);
    }
    if let Some(vcpu) = running.filter(|vcpu| !vcpu.is_runnable()) {
        state.policy.sleep(vcpu.key, now);
    }
    let here = CpuId(processor as u32);
    let decision = state.policy.schedule(here, now);
    let stays = running.is_some_and(|vcpu| {
        decision.run == Some(vcpu.key) && state.policy.may_run_on(vcpu.key, here)
    });
    if stays {
        drop(state);
        if let Some(vcpu) = running {
            trace::note_continued(vcpu);
        }
        crate::timers::set_slice(decision.until);
        poke_all(&decision.pokes);
        return (Choice::Stay, None);
    }
    let mut stopped = None;
    let mut next_poke = None;
    if let Some(vcpu) = running {
        vcpu.is_running.store(false, Release);
        if state.checks_cores {
            cores::note_stop(processor);
        }
        let state_now = if vcpu.is_runnable() {
            RunState::Runnable
        } else {
            resting(vcpu)
        };
        stopped = state.change(vcpu, state_now, now);
        // Its registers are still here. Whoever wants it next asks for them (`switcher::wait_until_saved`).
        next_poke = state.policy.context_saved(vcpu.key, now);
    }
    let choice = match decision
        .run
        .and_then(|key| state.start(key, processor, now))
    {
        Some((vcpu, runstate)) => Choice::Run(vcpu, runstate),
        None => Choice::Idle,
    };
    drop(state);
    crate::timers::set_slice(decision.until);
    poke_all(&decision.pokes);
    poke(next_poke);
    (choice, stopped)
}

impl State {
    /// Notes that `processor` runs the vCPU from `now` on. Nothing where the policy was wrong: soundness does not rest
    /// on it.
    fn start(
        &mut self,
        key: VcpuKey,
        processor: usize,
        now: Nanos,
    ) -> Option<(Arc<Vcpu>, Runstate)> {
        let may_run = self.policy.may_run_on(key, CpuId(processor as u32));
        let member = self.members.get_mut(key.0)?;
        let vcpu = Arc::clone(member.vcpu.as_ref()?);
        let may_start = may_run
            && !vcpu.is_running.load(Acquire)
            && (!self.checks_cores || cores::may_share(&self.policy, &vcpu, processor));
        if !may_start {
            crate::log!(
                Error,
                "the policy put d{}v{} on processor {processor}, where it may not run",
                vcpu.domain.id.0,
                vcpu.id.0
            );
            return None;
        }
        trace::note_runstate(&vcpu, member.runstate.state(), RunState::Running);
        member.runstate.change(RunState::Running, now);
        vcpu.processor.store(processor as u32, Release);
        // Sequentially consistent with a sender's setting of pending bits: either the sender finds the vCPU
        // running and interrupts this processor, or the way out to the guest finds the bit.
        vcpu.is_running.store(true, SeqCst);
        Some((vcpu, member.runstate))
    }
}

/// Tells the scheduler that something changed of what [`Vcpu::is_runnable`] looks at.
pub fn review(vcpu: &Vcpu) {
    let now = clock::now();
    let here = CpuId(PerCpu::current().index() as u32);
    let (cpu, until) = STATE.lock().review(vcpu, here, now);
    if until.is_some() {
        crate::timers::set_slice(until);
    }
    poke(cpu);
}

/// An event became pending for the vCPU (which the caller has made visible by a sequentially consistent
/// write): ends its wait, or makes it look at its events.
#[inline]
pub fn wake(vcpu: &Vcpu) {
    if vcpu.waiting.end(&vcpu.domain.events, vcpu.id) {
        review(vcpu);
    } else {
        kick(vcpu);
    }
}

/// Makes the vCPU, if it runs on another processor, come out of its guest and look.
#[inline]
pub fn kick(vcpu: &Vcpu) {
    if vcpu.is_running.load(SeqCst) {
        let processor = vcpu.processor.load(Acquire) as usize;
        if processor != PerCpu::current().index() {
            processors::kick(processor);
        }
    }
}

/// The vCPU, which runs here, waits for an event from now on, unless one is pending that it takes.
#[inline]
pub fn block(vcpu: &Vcpu) {
    // Sequentially consistent with the sender's setting of `upcall_pending`: either the sender finds the
    // vCPU blocked, or the event is found here.
    vcpu.waiting.block();
    let info = vcpu.context.info();
    let takes_event = info.upcall_pending.load(SeqCst) != 0 && info.upcall_mask.load(SeqCst) == 0;
    if takes_event {
        vcpu.waiting.cancel();
    } else {
        trace::note_vcpu(trace::event::BLOCK, vcpu);
        work::raise_here(work::RESCHEDULE);
    }
}

/// What a poll waited for came, or its deadline.
pub fn end_poll(vcpu: &Vcpu) {
    if vcpu.waiting.end_poll(&vcpu.domain.events, vcpu.id) {
        review(vcpu);
    }
}

/// The vCPU, which runs here, lets others go first.
pub fn yield_now(vcpu: &Vcpu) {
    trace::note_vcpu(trace::event::YIELD, vcpu);
    let now = clock::now();
    let cpu = STATE.lock().policy.yield_now(vcpu.key, now);
    poke(cpu);
}

/// Holds the vCPU until as many [`unpause`] have come. It may still run for a moment.
pub fn pause(vcpu: &Vcpu) {
    if vcpu.pauses.fetch_add(1, AcqRel) == 0 {
        review(vcpu);
    }
}

/// As [`pause`], and waits until the vCPU does not run and its state lies in memory. It is not the caller.
pub fn pause_and_wait(vcpu: &Vcpu) {
    pause(vcpu);
    wait_until_stopped(vcpu);
}

/// Waits until the vCPU, which something keeps from running, does not run and its state lies in memory. It is not
/// the caller.
pub fn wait_until_stopped(vcpu: &Vcpu) {
    while vcpu.is_running.load(Acquire) {
        hw::tlb::poll();
        hw::cpu::relax();
    }
    switcher::wait_until_saved(vcpu);
}

/// Ends one [`pause`].
pub fn unpause(vcpu: &Vcpu) {
    if vcpu.pauses.fetch_sub(1, AcqRel) == 1 {
        review(vcpu);
    }
}

/// Brings the vCPU up; says whether it was down.
pub fn up(vcpu: &Vcpu) -> bool {
    let was_up = vcpu.is_up.swap(true, AcqRel);
    if !was_up {
        review(vcpu);
    }
    !was_up
}

/// Takes the vCPU down.
pub fn down(vcpu: &Vcpu) {
    if vcpu.is_up.swap(false, AcqRel) {
        review(vcpu);
        let mut state = STATE.lock();
        // Under the lock: whoever brings it up again meanwhile wakes it after this.
        let freed = if vcpu.is_up.load(Acquire) {
            CpuSet::EMPTY
        } else {
            state.policy.retire(vcpu.key, clock::now())
        };
        drop(state);
        poke_all(&freed);
    }
}

/// Has the scheduler look at all vCPUs of a domain, after something changed of what [`Domain::is_held`] looks at.
pub fn review_domain(domain: &Domain) {
    for vcpu in domain.vcpus() {
        review(&vcpu);
    }
}
