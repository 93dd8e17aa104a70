//! Timers: a queue of deadlines on each processor, and its local APIC's one-shot timer set to the first.

use core::cell::Cell;
use core::sync::atomic::{AtomicUsize, Ordering::AcqRel};

use guest_time::{ClockLine, Expired, TimerHandle, TimerQueue};
use hw::percpu::{CpuLocal, PerCpu, MAX_CPUS};
use hw::sync::SpinLock;
use hw::{apic, cpu, cpu_local};
use sched::VcpuKey;
use vocabulary::{earlier, Nanos, Refused};

use crate::{clock, current, levels, processors, schedule, vcpu_time, watchdog, work};

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A vCPU's single-shot timer.
    Singleshot,
    /// The end of a vCPU's poll.
    Poll,
    /// A domain's watchdog, by number; the key is its first vCPU's.
    Watchdog(u8),
}

/// What stands in a queue.
#[derive(Clone, Copy, Debug)]
struct Payload {
    vcpu: VcpuKey,
    purpose: Purpose,
}

static QUEUES: [SpinLock<TimerQueue<Payload>, { levels::TIMERS }>; MAX_CPUS] =
    [const { SpinLock::new(TimerQueue::new()) }; MAX_CPUS];

/// For how many every queue has room from the first on, so that it need not grow while there are many guests: where it
/// grew to, it stays when they go.
const FIRST_ROOM: usize = 256;
/// How many timers every queue has room for.
static ROOM: AtomicUsize = AtomicUsize::new(0);

/// Room for some timers in the queues of all processors: they can be set whatever memory is left. Kept as long as they
/// may be set.
pub struct Room(usize);

impl Room {
    /// Room for so many more. ENOMEM.
    pub fn reserve(timers: usize) -> Refused<Self> {
        let before = ROOM.fetch_add(timers, AcqRel);
        let room = Self(timers);
        let total = before.saturating_add(timers).max(FIRST_ROOM);
        for processor in processors::online().iter() {
            if let Some(queue) = queue(processor) {
                queue.lock().reserve(total)?;
            }
        }
        Ok(room)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        ROOM.fetch_sub(self.0, AcqRel);
    }
}

/// A processor's own timer.
struct Times {
    /// What the APIC's timer is set to.
    programmed: Cell<Option<Nanos>>,
    /// When the processor must choose anew what it runs.
    slice: Cell<Option<Nanos>>,
    /// When the vCPU that runs here gets its next tick. In no queue: those of vCPUs that wait for the processor cost
    /// nothing, however many they are.
    tick: Cell<Option<Nanos>>,
}

static TIMES: CpuLocal<Times> = cpu_local!(Times {
    programmed: Cell::new(None),
    slice: Cell::new(None),
    tick: Cell::new(None),
});

fn queue(processor: usize) -> Option<&'static SpinLock<TimerQueue<Payload>, { levels::TIMERS }>> {
    QUEUES.get(processor)
}

/// Where a timer is registered.
#[derive(Clone, Copy, Debug)]
struct Place {
    processor: usize,
    handle: TimerHandle,
}

/// A timer of a vCPU. It is due on the processor that set it last.
pub struct Timer {
    purpose: Purpose,
    place: SpinLock<Option<Place>, { levels::VCPU_TIME }>,
}

impl Timer {
    /// A timer that is not set.
    pub const fn new(purpose: Purpose) -> Self {
        Self {
            purpose,
            place: SpinLock::new(None),
        }
    }

    /// Sets the timer of `vcpu` to a deadline, in place of any before. ENOMEM where no [`Room`] was made for it.
    pub fn set(&self, vcpu: VcpuKey, deadline: Nanos) -> Refused<()> {
        let here = PerCpu::current().index();
        let mut place = self.place.lock();
        if let Some(old) = place.as_ref().filter(|old| old.processor != here) {
            if let Some(queue) = queue(old.processor) {
                queue.lock().unregister(old.handle);
            }
            *place = None;
        }
        let Some(queue) = queue(here) else {
            return Ok(());
        };
        let mut queue = queue.lock();
        let handle = match *place {
            Some(old) => old.handle,
            None => queue.register(Payload {
                vcpu,
                purpose: self.purpose,
            })?,
        };
        *place = Some(Place {
            processor: here,
            handle,
        });
        if queue.arm(handle, deadline) {
            TIMES.with(|times| bring_forward(times, deadline));
        }
        Ok(())
    }

    /// The timer is due no more, and has no place in a queue until it is set again.
    pub fn remove(&self) {
        let mut place = self.place.lock();
        if let Some(Place { processor, handle }) = place.take() {
            if let Some(queue) = queue(processor) {
                queue.lock().unregister(handle);
            }
        }
    }

    /// The timer is due no more. (The APIC's timer stays as it is: at worst it interrupts for nothing.)
    pub fn stop(&self) {
        let place = self.place.lock();
        if let Some(Place { processor, handle }) = *place {
            if let Some(queue) = queue(processor) {
                queue.lock().disarm(handle);
            }
        }
    }
}

/// A look at the clock.
struct Look {
    line: ClockLine,
    tsc: u64,
    now: Nanos,
}

impl Look {
    #[inline]
    fn take() -> Self {
        let (line, tsc) = (clock::line(), cpu::time_stamp());
        let now = line.at(tsc);
        Self { line, tsc, now }
    }
}

/// Sets the APIC's timer, after a look at the clock.
#[inline]
fn program(times: &Times, deadline: Nanos, look: &Look) {
    times.programmed.set(Some(deadline));
    apic::set_timer(look.line.tsc_after(look.tsc, look.now, deadline));
}

/// Sets the APIC's timer to `deadline` unless it is due before.
#[inline]
fn bring_forward(times: &Times, deadline: Nanos) {
    let programmed = times.programmed.get();
    if programmed.is_none_or(|programmed| deadline < programmed) {
        program_now(times, deadline);
    }
}

/// Apart, so that who most often need not come here keeps no registers for it.
#[inline(never)]
fn program_now(times: &Times, deadline: Nanos) {
    program(times, deadline, &Look::take());
}

/// When this processor must choose anew what it runs at the latest; `None` for never.
#[inline]
pub fn set_slice(until: Option<Nanos>) {
    TIMES.with(|times| {
        times.slice.set(until);
        if let Some(until) = until {
            bring_forward(times, until);
        }
    });
}

/// When the vCPU that runs here gets its next tick; `None` for never, or where none runs.
#[inline]
pub fn set_tick(at: Option<Nanos>) {
    TIMES.with(|times| {
        times.tick.set(at);
        if let Some(at) = at {
            bring_forward(times, at);
        }
    });
}

/// The APIC timer's interrupt.
#[inline]
pub fn interrupt() {
    TIMES.with(|times| times.programmed.set(None));
    work::raise_here(work::TIMER);
}

/// Does what is due on this processor, and sets the APIC's timer to what comes next.
pub fn expire() {
    let Some(queue) = queue(PerCpu::current().index()) else {
        return;
    };
    let look = Look::take();
    let now = look.now;
    // What becomes due meanwhile interrupts again.
    let first = loop {
        let mut queue = queue.lock();
        let Some(expired) = queue.pop_expired(now) else {
            break queue.next_deadline();
        };
        drop(queue);
        fire(&expired);
    };
    clock::watch(now);
    TIMES.with(|times| {
        if times.tick.get().is_some_and(|at| at <= now) {
            times.tick.set(None);
            current::with(|vcpu| times.tick.set(vcpu_time::tick(vcpu, now)));
        }
        if times.slice.get().is_some_and(|until| until <= now) {
            times.slice.set(None);
            work::raise_here(work::RESCHEDULE | work::LOOK);
        }
        set_for(times, first, &look);
    });
}

/// Sets the APIC's timer to exactly what is due next, or stops it. Done before idling, so that an idle
/// processor is not woken for what is no longer due.
pub fn set_exactly() {
    let Some(queue) = queue(PerCpu::current().index()) else {
        return;
    };
    let first = queue.lock().next_deadline();
    TIMES.with(|times| set_for(times, first, &Look::take()));
}

/// Sets the APIC's timer to the `first` deadline of this processor's queue, the end of the slice, the next tick, or when
/// the clock must be looked after. That was looked at just now.
#[inline]
fn set_for(times: &Times, first: Option<Nanos>, look: &Look) {
    let own = earlier(times.slice.get(), times.tick.get());
    let next = earlier(earlier(first, own), clock::urgent_look());
    let programmed = times.programmed.get();
    match next {
        Some(next) if programmed != Some(next) => program(times, next, look),
        None if programmed.is_some() => {
            times.programmed.set(None);
            apic::stop_timer();
        }
        _ => {}
    }
}

fn fire(expired: &Expired<Payload>) {
    let Payload { vcpu, purpose } = expired.payload;
    let Some(vcpu) = schedule::vcpu(vcpu) else {
        return;
    };
    match purpose {
        Purpose::Singleshot => vcpu_time::raise_timer(&vcpu),
        Purpose::Poll => schedule::end_poll(&vcpu),
        Purpose::Watchdog(number) => watchdog::expired(&vcpu.domain, number),
    }
}
