//! The switch of a processor from one vCPU to another, and its idling.
//!
//! A processor that has nothing to run keeps the last vCPU's state loaded: most often that vCPU is the next
//! to run there, and nothing has to be saved or loaded then. A processor that wants a vCPU whose state lies
//! elsewhere asks the holder for it and waits. Before it waits it saves what it holds itself, so that two
//! processors which want each other's vCPU both get it.

use alloc::sync::Arc;
use core::cell::Cell;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use hw::percpu::{CpuLocal, PerCpu};
use hw::registers::Registers;
use hw::{cpu, cpu_local, descriptors, paging, switch as hardware, tlb};

use crate::schedule::{choose, Choice};
use crate::vcpu::{Vcpu, NOWHERE};
use crate::{current, guest, idle_time, machine, power, timers, trace, traps, vcpu_time, work};

/// What a processor has loaded.
struct Here {
    /// The vCPU whose state lies in this processor and at its stack's top.
    loaded: Cell<Option<Arc<Vcpu>>>,
    /// Whether it runs: otherwise the processor idles.
    runs: Cell<bool>,
}

static HERE: CpuLocal<Here> = cpu_local!(Here {
    loaded: Cell::new(None),
    runs: Cell::new(false)
});

/// Looks at a processor that was asked for a vCPU's state before it is asked again.
const PATIENCE: u32 = 1000;

/// Whether this processor runs a vCPU.
#[inline]
pub fn is_running() -> bool {
    HERE.with(|here| here.runs.get())
}

/// Gives this processor to whom the scheduler says, idling until there is somebody. On the way out to a
/// guest, with the registers at the stack's top. If it `looks`, a vCPU that spins yields.
pub fn switch(registers: &mut Registers, looks: bool) {
    let processor = PerCpu::current().index();
    let (mut loaded, mut runs) = HERE.with(|here| (here.loaded.take(), here.runs.replace(false)));
    loop {
        let running = loaded.as_ref().filter(|_| runs);
        let spins = running.is_some_and(|vcpu| looks && spins(vcpu, registers));
        let (choice, stopped) = choose(processor, running, spins);
        if let (Some(vcpu), Some(runstate)) = (running, &stopped) {
            vcpu_time::publish_runstate(vcpu, runstate);
            if vcpu.domain.is_shut_down() {
                power::complete_shutdown(&vcpu.domain);
            }
        }
        match choice {
            Choice::Stay => break,
            Choice::Run(next, runstate) => {
                enter(&next, &mut loaded, registers, processor);
                current::set(Some(Arc::clone(&next)));
                vcpu_time::resumed(&next, &runstate);
                if next.nmi_pending.load(Relaxed) {
                    work::raise_here(work::NMI);
                }
                break;
            }
            Choice::Idle => {
                if runs {
                    current::set(None);
                    timers::set_tick(None);
                    runs = false;
                }
                idle_time::begin(processor);
                idle(&mut loaded, registers, processor);
                idle_time::end(processor);
            }
        }
    }
    HERE.with(|here| {
        here.loaded.set(loaded);
        here.runs.set(true);
    });
}

/// Whether the guest's kernel was interrupted in a loop that waits for another processor: before or behind `pause`,
/// which takes longer than the rest of such a loop. Wrong answers change who of the domain runs first, nothing else.
fn spins(vcpu: &Vcpu, registers: &Registers) -> bool {
    /// The instruction as it lies in memory.
    const PAUSE: [u8; 2] = [0xf3, 0x90];
    if !vcpu.context.in_kernel() {
        return false;
    }
    let around = guest::read::<[u8; 4]>(registers.rip.wrapping_sub(2));
    around.is_ok_and(|[one, two, three, four]| [one, two] == PAUSE || [three, four] == PAUSE)
}

/// Makes `next` the vCPU whose state is loaded.
fn enter(
    next: &Arc<Vcpu>,
    loaded: &mut Option<Arc<Vcpu>>,
    registers: &mut Registers,
    processor: usize,
) {
    if loaded.as_ref().is_some_and(|held| Arc::ptr_eq(held, next)) {
        return;
    }
    let old = loaded.take();
    if let Some(old) = &old {
        note_switch(old, next);
        save(old, registers);
    }
    wait_until_saved(next);
    load(next, registers, processor);
    if let Some(old) = old.filter(|old| !Arc::ptr_eq(&old.domain, &next.domain)) {
        // Its tables left this processor, with all their translations, when the new ones were loaded.
        old.domain.dirty.remove(processor);
    }
    *loaded = Some(Arc::clone(next));
}

fn note_switch(from: &Vcpu, to: &Vcpu) {
    let name = |vcpu: &Vcpu| [u32::from(vcpu.domain.id.0), vcpu.id.0];
    let ([from_domain, from], [to_domain, to]) = (name(from), name(to));
    trace::note(trace::event::SWITCH, &[from_domain, from, to_domain, to]);
}

fn save(vcpu: &Vcpu, registers: &Registers) {
    hardware::save(&vcpu.context, &vcpu.fpu);
    *vcpu.saved.lock() = *registers;
    vcpu.loaded_on.store(NOWHERE, Release);
}

fn load(vcpu: &Vcpu, registers: &mut Registers, processor: usize) {
    let context = &vcpu.context;
    // First the mark, then the tables: who flushes in between interrupts for nothing.
    vcpu.domain.dirty.insert(processor);
    let base = if context.in_kernel() {
        &context.kernel_cr3
    } else {
        &context.user_cr3
    };
    // Before the selectors, so that no stale view of the descriptor window is used.
    hardware::load_tables(base.load(Relaxed));
    let selectors_loaded = hardware::load(context, &vcpu.fpu);
    *registers = *vcpu.saved.lock();
    if !selectors_loaded {
        traps::selectors_lost(vcpu, registers);
    }
    vcpu.loaded_on.store(processor as u32, Release);
}

/// Waits until no processor holds the vCPU's state. The vCPU runs nowhere and nobody but the caller may start
/// it; the caller's processor does not hold it.
pub fn wait_until_saved(vcpu: &Vcpu) {
    loop {
        let holder = vcpu.loaded_on.load(Acquire);
        if holder == NOWHERE {
            return;
        }
        work::raise_on(holder as usize, work::UNLOAD);
        for _ in 0..PATIENCE {
            if vcpu.loaded_on.load(Acquire) == NOWHERE {
                return;
            }
            tlb::poll();
            cpu::relax();
        }
    }
}

/// Has nothing to run until something is owed that the scheduler must look at.
fn idle(loaded: &mut Option<Arc<Vcpu>>, registers: &mut Registers, processor: usize) {
    timers::set_exactly();
    loop {
        if work::is_owed() {
            let bits = work::take();
            if bits & work::UNLOAD != 0 {
                unload(loaded, registers, processor);
            }
            if bits & work::TIMER != 0 {
                timers::expire();
            }
            work::announce(bits);
            if bits & work::RESCHEDULE != 0 {
                return;
            }
        } else if !machine::scrub_some() {
            idle_time::count_rest(processor);
            cpu::wait_for_interrupt();
        }
    }
}

/// Saves the vCPU that an idle processor still holds, and leaves its tables.
fn unload(loaded: &mut Option<Arc<Vcpu>>, registers: &Registers, processor: usize) {
    let Some(vcpu) = loaded.take() else { return };
    save(&vcpu, registers);
    paging::load_root();
    descriptors::leave();
    vcpu.domain.dirty.remove(processor);
}
