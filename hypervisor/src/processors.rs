//! The machine's processors: starting them, counting them, interrupting them.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{
    AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed},
};

use firmware::acpi::Acpi;
use hw::percpu::{self, PerCpu, Start, MAX_CPUS};
use hw::tlb::{self, CpuSet};
use hw::vcpu::VcpuContext;
use hw::{apic, cpu};
use options::Options;

use crate::{boot, clock, irq, machine, work};

static ONLINE: CpuSet = CpuSet::new();
static COUNT: AtomicUsize = AtomicUsize::new(1);

/// Processors that run.
pub fn online() -> &'static CpuSet {
    &ONLINE
}

/// How many processors run.
pub fn count() -> usize {
    COUNT.load(Acquire)
}

/// Starts all processors that the firmware names and the options allow. The boot processor is number 0.
pub fn start_all(options: &Options<'_>, acpi: &Acpi) {
    let own = apic::id();
    PerCpu::current().apic_id.store(own, Relaxed);
    ONLINE.insert(0);
    let most = options
        .max_cpus
        .map_or(MAX_CPUS, |most| (most as usize).clamp(1, MAX_CPUS));
    let named = acpi.madt.iter().flat_map(|madt| &madt.processors);
    let usable = named.filter(|processor| processor.enabled && processor.apic_id != own);
    let mut others = Vec::new();
    for processor in usable.take(most - 1) {
        let index = others.len() + 1;
        let idle = Arc::new(VcpuContext::new());
        let prepared = percpu::prepare(index, processor.apic_id, idle, &mut |order| {
            machine::take_own(order)
        });
        if prepared.is_err() {
            crate::log!(
                Warning,
                "no memory for processor {index}: it and those after it stay off"
            );
            break;
        }
        others.push(Start {
            index,
            apic_id: processor.apic_id,
        });
    }
    let Some(boot) = boot::info().filter(|_| !others.is_empty()) else {
        return;
    };
    percpu::start_others(
        &boot.memory,
        clock::tsc_khz() * 1000,
        &others,
        arrived,
        |index| {
            crate::log!(Warning, "processor {index} did not start");
        },
    );
    wait_for(&others);
    crate::log!(Info, "{} processors", count());
}

/// Waits, for a second at most, until the processors that were started are through.
fn wait_for(others: &[Start]) {
    let deadline = cpu::time_stamp().wrapping_add(clock::tsc_khz() * 1000);
    while count() <= others.len() && cpu::time_stamp() < deadline {
        tlb::poll();
        clock::compare_time_stamps(1);
        cpu::relax();
    }
}

/// Where a started processor arrives, in its own area.
extern "C" fn arrived() -> ! {
    let processor = PerCpu::current();
    irq::enable_here();
    clock::arrive();
    ONLINE.insert(processor.index());
    COUNT.fetch_add(1, AcqRel);
    work::raise_here(work::RESCHEDULE);
    crate::schedule::wait_until_ready();
    percpu::serve()
}

/// Has a processor look at what it owes.
pub fn kick(index: usize) {
    if let Some(apic_id) = PerCpu::apic_id_of(index) {
        apic::send(apic_id, irq::KICK_VECTOR);
    }
}

/// Has a processor answer a shoot-down.
pub fn interrupt_for_flush(apic_id: u32) {
    apic::send(apic_id, tlb::SHOOT_DOWN_VECTOR);
}

/// Stops all other processors for good.
pub fn stop_others() {
    apic::send_nmi_to_others();
}
