//! From the boot code's call to the first domain's first instruction.

use alloc::sync::Arc;

use firmware::acpi::Acpi;
use hw::boot::BootInfo;
use hw::entry::Handlers;
use hw::vcpu::VcpuContext;
use hw::{entry, heap, paging, percpu};
use options::{Options, Parsed};
use spin::Once;
use vocabulary::Mfn;

use crate::boot_memory::BootMemory;
use crate::{
    clock, console, devices, dom0, hypercall, irq, log, machine, nodes, processors, schedule,
    traps, work,
};

static BOOT: Once<&'static BootInfo> = Once::new();
static ACPI: Once<Acpi> = Once::new();
static OPTIONS: Once<Parsed<'static>> = Once::new();
/// Memory as it was left when the boot processor moved to its own stack.
static EARLY: Once<BootMemory> = Once::new();

/// Bytes of heap at the start, as an order of frames: 2 MiB.
const FIRST_HEAP_ORDER: u32 = 9;

/// CPUID leaf 7, EBX: supervisor-mode access prevention.
const SMAP: u32 = 1 << 20;

/// The options of the command line.
pub fn options() -> &'static Options<'static> {
    static DEFAULT: Once<Options<'static>> = Once::new();
    OPTIONS.get().map_or_else(
        || DEFAULT.call_once(Options::default),
        |parsed| &parsed.options,
    )
}

/// What the boot loader told.
pub fn info() -> Option<&'static BootInfo> {
    BOOT.get().copied()
}

/// The first function: on the boot stack and the boot page tables.
pub fn start(boot: &'static BootInfo) -> ! {
    BOOT.call_once(|| boot);
    let line = options::arguments(boot.command_line.as_bytes(), Some(boot.loader.as_bytes()));
    let parsed = OPTIONS.call_once(|| options::parse(line));
    console::early(&parsed.options, boot);
    if let Some(fatal) = &parsed.fatal {
        hw::console::fatal(format_args!("(XEN) {fatal}"));
    }
    if hw::cpu::cpuid(7, 0)[1] & SMAP != 0 {
        entry::patch_smap_sites();
    }
    let mut memory = BootMemory::new(boot);
    let heap_given = memory
        .take(FIRST_HEAP_ORDER)
        .is_some_and(|first| heap::give(first, FIRST_HEAP_ORDER));
    if heap_given {
        ACPI.call_once(|| hw::acpi::read_tables(boot.acpi));
    }
    if !heap_given || paging::build(&boot.memory, &mut |order| memory.take(order)).is_err() {
        hw::console::fatal(format_args!(
            "(XEN) too little memory: the machine has {} MiB, and at least 64 MiB are needed",
            boot.memory.usable_bytes() >> 20
        ));
    }
    entry::load_boot_tables();
    entry::install(HANDLERS);
    let idle = Arc::new(VcpuContext::new());
    let prepared = percpu::prepare(0, 0, idle, &mut |order| memory.take(order));
    if prepared.is_err() {
        hw::console::fatal(format_args!(
            "(XEN) too little memory for the boot processor's stack"
        ));
    }
    EARLY.call_once(|| memory);
    percpu::enter(0, on_own_stack)
}

/// The rest of the way, on the boot processor's own stack.
extern "C" fn on_own_stack() -> ! {
    let (Some(boot), Some(parsed)) = (info(), OPTIONS.get()) else {
        hw::cpu::halt_forever()
    };
    let options = &parsed.options;
    log::OWN.set(options.log_level);
    log::GUESTS.set(options.guest_log_level);
    console::ready(options);
    console::print(format_args!(
        "(XEN) Xenolith {} (Xen 4.17 interface)\n(XEN) command line: {}\n",
        env!("CARGO_PKG_VERSION"),
        boot.command_line
    ));
    for notice in parsed.notices.iter() {
        crate::log!(Warning, "{notice}");
    }
    take_memory(boot);
    paging::take_over_devices(machine::take_own);
    let acpi = ACPI.call_once(Acpi::default);
    if let Some(problem) = acpi.unusable() {
        hw::console::fatal(format_args!(
            "(XEN) the firmware's tables are unusable: {problem}"
        ));
    }
    for problem in &acpi.problems {
        crate::log!(Warning, "ACPI: {problem}");
    }
    bring_up(options, boot, acpi);
    machine::watch(options.low_memory_bytes);
    let domain = match dom0::build(boot, options) {
        Ok(domain) => domain,
        Err(error) => hw::console::fatal(format_args!("(XEN) {error}")),
    };
    report_memory(&domain);
    clock::publish_wall(&domain);
    clock::settle();
    console::before_guests();
    work::raise_here(work::RESCHEDULE);
    percpu::serve()
}

fn bring_up(options: &Options<'_>, boot: &BootInfo, acpi: &Acpi) {
    devices::initialise(acpi, boot);
    irq::initialise(options, acpi);
    clock::initialise(options, acpi);
    processors::start_all(options, acpi);
    schedule::initialise();
    console::take_interrupts();
}

/// Hands the memory left to the allocator.
fn take_memory(boot: &BootInfo) {
    let Some(memory) = EARLY.get() else { return };
    if let Some(acpi) = ACPI.get() {
        nodes::learn(acpi);
    }
    for &(first, end) in memory.rest() {
        if let Err(refusal) = machine::add_ram(Mfn(first), end - first) {
            crate::log!(Warning, "memory {first:#x}-{end:#x} is not used: {refusal}");
        }
    }
    crate::log!(
        Info,
        "memory: {} MiB usable, {} KiB taken for tables",
        boot.memory.usable_bytes() >> 20,
        memory.taken() << 2
    );
}

fn report_memory(domain: &crate::domain::Domain) {
    let Some(boot) = info() else { return };
    let usable = boot.memory.usable_bytes() >> 10;
    let free = machine::free_frames() << 2;
    let given = domain.pages.lock().total() << 2;
    console::print(format_args!(
        "(XEN) Xenolith: memory kept {} KiB of {usable} KiB\n",
        usable.saturating_sub(free).saturating_sub(given)
    ));
}

const HANDLERS: Handlers = Handlers {
    hypercall: hypercall::entry,
    user_syscall: traps::user_syscall,
    user_syscall32: traps::user_syscall32,
    bounce_fault: traps::bounce_fault,
    iret_fault: traps::iret_fault,
    work: work::work,
    events: traps::events,
    page_fault: traps::page_fault,
    trap: traps::exception,
    interrupt: irq::interrupt,
    nmi: irq::nmi,
    machine_check: irq::machine_check,
    fatal: console::fatal_trap,
};
