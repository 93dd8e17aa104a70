//! What a processor owes before it runs a guest again: bits, and the handler that the way out to a guest calls
//! while there are any.

use core::sync::atomic::Ordering::{AcqRel, Relaxed};

use hw::percpu::PerCpu;
use hw::registers::Registers;

use xen_abi::xen::VIRQ_ENOMEM;

use crate::{
    console, current, events, nmi, processors, schedule, teardown, timers, trace, vcpu_time,
};

/// A timer of this processor may be due.
pub const TIMER: u32 = 1 << 0;
/// Choose anew which vCPU runs here.
pub const RESCHEDULE: u32 = 1 << 1;
/// An NMI waits for the vCPU that runs here.
pub const NMI: u32 = 1 << 2;
/// Another processor needs the vCPU whose state may still lie here while this one idles.
pub const UNLOAD: u32 = 1 << 3;
/// The clock changed, or the ticks of the vCPU that runs here: tell it.
pub const TIME: u32 = 1 << 4;

/// A dead domain may have nothing left by which it must be known.
pub const BURY: u32 = 1 << 5;
/// Something was printed: tell dom0.
pub const CONSOLE: u32 = 1 << 6;
/// A trace buffer is half full: tell its reader.
pub const TRACE: u32 = 1 << 7;

/// Free memory has fallen to a threshold: tell dom0.
pub const LOW_MEMORY: u32 = 1 << 8;
/// A turn ended here, or the policy wants to know whether the vCPU that runs here spins. Comes with [`RESCHEDULE`].
pub const LOOK: u32 = 1 << 9;

/// Adds to what this processor owes.
#[inline]
pub fn raise_here(bits: u32) {
    PerCpu::current().work.fetch_or(bits, AcqRel);
}

/// Adds to what a processor owes, and has it look at once.
pub fn raise_on(processor: usize, bits: u32) {
    if processor == PerCpu::current().index() {
        raise_here(bits);
    } else if !PerCpu::set_work(processor, bits) {
        processors::kick(processor);
    }
}

/// Whether this processor owes anything.
#[inline]
pub fn is_owed() -> bool {
    PerCpu::current().work.load(Relaxed) != 0
}

/// Takes all that this processor owes: the caller does it.
#[inline]
pub fn take() -> u32 {
    PerCpu::current().work.swap(0, AcqRel)
}

/// Called on the way out to a guest, again until nothing is owed.
pub extern "C" fn work(registers: &mut Registers) {
    let bits = take();
    if bits & TIMER != 0 {
        timers::expire();
    }
    if bits & (BURY | CONSOLE | TRACE | LOW_MEMORY) != 0 {
        announce(bits);
    }
    // What expired may have woken somebody, and that is best answered in the same round.
    let woken = PerCpu::current()
        .work
        .fetch_and(!(RESCHEDULE | LOOK), AcqRel);
    let both = bits | woken;
    if both & RESCHEDULE != 0 || !schedule::is_running() {
        schedule::switch(registers, both & LOOK != 0);
    }
    if bits & TIME != 0 {
        current::with(|vcpu| vcpu_time::changed(vcpu));
    }
    if bits & NMI != 0 {
        current::with(|vcpu| nmi::deliver(vcpu, registers));
    }
}

/// Does what is owed to others than the vCPU that runs here.
#[cold]
pub fn announce(bits: u32) {
    if bits & BURY != 0 {
        teardown::bury();
    }
    if bits & CONSOLE != 0 {
        console::announce();
    }
    if bits & TRACE != 0 {
        trace::announce();
    }
    if bits & LOW_MEMORY != 0 {
        events::send_global_virq(VIRQ_ENOMEM);
    }
}
