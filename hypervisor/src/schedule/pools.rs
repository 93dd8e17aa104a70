//! Pools of processors, and the policies of each.

use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use hw::percpu::PerCpu;
use options::Scheduler as Asked;
use sched::{CpuId, CpuSet, Granularity, Policy, PoolInfo, Tuning, FIRST_POOL};
use vocabulary::{refuse, Errno, Nanos, Refused};

use super::{cores, poke_all, settings, waiting, STATE};
use crate::{boot, clock, console, domains};

/// Makes the first pool, under the policy that the command line names.
pub fn make_first() {
    let options = boot::options();
    let policy = match options.scheduler {
        None | Some(Asked::Credit2) => Policy::Credit2,
        Some(Asked::Credit) => Policy::Credit,
        Some(Asked::RealTime) => Policy::Rtds,
        Some(Asked::Null) => Policy::Null,
        Some(Asked::Arinc653) => {
            crate::log!(Warning, "there is no scheduler arinc653: credit2 it is");
            Policy::Credit2
        }
    };
    let granularity = cores::set_up(options.granularity);
    let made = create(Some(FIRST_POOL), policy);
    if let Err(refusal) = made {
        crate::log!(Error, "there is no pool of processors: {refusal}");
    }
    crate::log!(
        Info,
        "scheduler: {} by {}",
        policy.name(),
        granularity.name()
    );
}

/// Makes a processor known, and part of the first pool with all its group: it is given work from then on.
pub fn online(processor: usize) {
    let cpu = CpuId(processor as u32);
    let mut state = STATE.lock();
    if state.policy.pool_of_cpu(cpu).is_some() {
        return;
    }
    let mut group = state.policy.group(FIRST_POOL, cpu);
    group.insert(cpu);
    let known = group
        .iter()
        .try_for_each(|cpu| state.policy.cpu_appears(cpu));
    let joined = known.and_then(|()| state.policy.add_cpu(FIRST_POOL, Some(cpu), clock::now()));
    drop(state);
    match joined {
        Ok(pokes) => poke_all(&pokes),
        Err(refusal) => crate::log!(Error, "processor {processor} gets no work: {refusal}"),
    }
}

/// Makes a pool without processors; `None` for any number. Its policy has the parameters of the command line. EEXIST,
/// ENOMEM.
pub fn create(id: Option<u32>, policy: Policy) -> Refused<u32> {
    let options = boot::options();
    let mut tuning = Tuning::DEFAULT;
    if let Some(micros) = options.rate_limit_micros {
        tuning.rate_limit = Nanos(u64::from(micros) * 1000);
    }
    if let Some(millis) = options.credit_slice_millis {
        tuning.slice = Nanos(u64::from(millis) * 1_000_000);
    }
    let mut state = STATE.lock();
    let id = state.policy.create(id, policy)?;
    let is_tunable = state.policy.tuning(id).is_ok();
    let tuned = if is_tunable {
        state.policy.tune(id, &tuning)
    } else {
        Ok(())
    };
    drop(state);
    if let Err(refusal) = tuned {
        crate::log!(Warning, "the scheduler keeps its defaults: {refusal}");
    }
    Ok(id)
}

/// Prints the pools, what each processor runs and who waits for it, and of each domain's vCPUs what they do and where
/// (debug key `r`).
pub fn show() {
    let mut next = Some(FIRST_POOL);
    while let Some(info) = next.and_then(|id| info(id).ok()) {
        console::print(format_args!(
            "(XEN) pool {}: {} by {}, {} domains, processors",
            info.id,
            info.policy.name(),
            info.granularity.name(),
            info.domains
        ));
        for cpu in info.cpus.iter() {
            console::print(format_args!(" {}", cpu.0));
        }
        console::print(format_args!("\n"));
        info.cpus.iter().for_each(waiting::show);
        next = info.id.checked_add(1);
    }
    cores::show();
    domains::for_each(|domain| {
        for vcpu in domain.vcpus() {
            let fields = super::runstate(&vcpu);
            let state = match fields.state {
                0 => "runs on",
                1 => "waits for",
                2 => "is blocked, last on",
                _ => "is held, last on",
            };
            console::print(format_args!(
                "(XEN) d{}v{} {state} processor {}{}, pool {}; ran {} ms, waited {} ms\n",
                domain.id,
                vcpu.id,
                vcpu.processor.load(Relaxed),
                if fields.state == 1 && waiting::is_withheld(&vcpu) {
                    " (withheld by its policy)"
                } else {
                    ""
                },
                settings::pool(domain),
                fields.time[0] / 1_000_000,
                fields.time[1] / 1_000_000
            ));
        }
    });
}

/// Ends a pool. EBUSY: it is the first, or has processors or domains; ENOENT.
pub fn destroy(id: u32) -> Refused<()> {
    STATE.lock().policy.destroy(id)
}

/// The pool with a number, or else the next higher. ENOENT.
pub fn info(id: u32) -> Refused<PoolInfo> {
    STATE.lock().policy.info(id)
}

/// The numbers of all pools, rising.
pub fn numbers() -> Vec<u32> {
    let state = STATE.lock();
    let after = |id: u32| state.policy.info(id).ok().map(|pool| pool.id);
    core::iter::successors(after(0), |&id| after(id.checked_add(1)?)).collect()
}

/// Processors that are in no pool.
pub fn free() -> CpuSet {
    STATE.lock().policy.free_cpus()
}

/// Puts a free processor, with all its group, into a pool; `None` for any. EINVAL: there is no such processor; ENODEV: it
/// is not free; ENOENT; EBUSY: the caller runs on it; ENOMEM.
pub fn add(id: u32, cpu: Option<CpuId>) -> Refused<()> {
    if let Some(cpu) = cpu {
        wait_until_left(id, cpu);
    }
    let pokes = STATE.lock().policy.add_cpu(id, cpu, clock::now());
    poke_all(&pokes?);
    Ok(())
}

/// Waits until the processors of a group, which are in no pool, have stopped what they ran in another; not for the
/// caller's own, which stops on its way out. Each was told to when it left its pool, and none waits for the caller: the
/// control plane, which the caller holds, is tried and not waited for.
fn wait_until_left(id: u32, cpu: CpuId) {
    let here = CpuId(PerCpu::current().index() as u32);
    loop {
        let state = STATE.lock();
        let group = state.policy.group(id, cpu);
        let is_free = group.and_not(&state.policy.free_cpus()).is_empty();
        let held = state.policy.occupied(id, &group).filter(|_| is_free);
        drop(state);
        if held.is_none_or(|held| held == here) {
            return;
        }
        hw::tlb::poll();
        hw::cpu::relax();
    }
}

/// What a pool's policy chooses for. ENOENT.
pub fn granularity(id: u32) -> Refused<Granularity> {
    STATE.lock().policy.granularity(id)
}

/// Sets what a pool's policy chooses for. EBUSY: the pool has processors; EINVAL: the machine's cores or packages are
/// not all of one size; ENOENT; ENOMEM.
pub fn set_granularity(id: u32, granularity: Granularity) -> Refused<()> {
    let mut state = STATE.lock();
    state.policy.set_granularity(id, granularity)?;
    state.checks_cores |= granularity != Granularity::Cpu;
    Ok(())
}

/// Takes a processor, with all its group, out of a pool; `None` for any. ENOENT; EINVAL: there is no such processor, or it is the one that
/// the machine started on, which stays in the first pool as with Xen; ENODEV: it is not in the pool; EBUSY: it is the last
/// one, and there are domains; EADDRINUSE: a vCPU is bound to it for a while.
pub fn remove(id: u32, cpu: Option<CpuId>) -> Refused<()> {
    let mut state = STATE.lock();
    let group = cpu.map(|cpu| state.policy.group(id, cpu));
    if id == FIRST_POOL && group.is_some_and(|group| group.contains(CpuId(0))) {
        return refuse(Errno::EINVAL, "processor 0 stays in the first pool");
    }
    let pokes = state.policy.remove_cpu(id, cpu, clock::now());
    drop(state);
    poke_all(&pokes?);
    Ok(())
}

/// The policy of a pool. ENOENT.
pub fn policy(id: u32) -> Refused<Policy> {
    STATE.lock().policy.policy(id)
}

/// The parameters of a pool's policy. ENOENT; EOPNOTSUPP: it has none.
pub fn tuning(id: u32) -> Refused<Tuning> {
    STATE.lock().policy.tuning(id)
}

/// Sets the parameters of a pool's policy. EINVAL: out of bounds; ENOENT; EOPNOTSUPP.
pub fn tune(id: u32, tuning: &Tuning) -> Refused<()> {
    STATE.lock().policy.tune(id, tuning)
}
