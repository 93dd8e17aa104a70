//! The hypervisor's command line: Xen's option names and syntax, turned into one typed [`Options`].
//!
//! Parsing never fails as a whole: [`parse`] always answers with usable options, so that the console they name can be set
//! up before the [`Notice`]s (what was ignored) are printed, and before the [`Fatal`] mistakes (what must stop the boot).
//! Names and syntax are those of Xen 4.17's command-line documentation; see [`is_documented`] for those that are known here
//! but change nothing.
#![cfg_attr(not(test), no_std)]

mod apply;
mod console;
mod documented;
mod levels;
mod machine;
mod memory;
mod notices;
mod serial;
mod values;
mod words;

#[cfg(test)]
mod tests;

pub use console::{Consoles, SwitchKey, TimestampFormat, Vga};
pub use documented::is_documented;
pub use levels::{LevelPair, LogLevel};
pub use machine::{
    Acpi, BootScrub, ClockSource, Granularity, Hpet, NmiAction, RebootMethod, Scheduler,
    SupervisorGuard, TscTrust, VcpuCount, Watchdog,
};
pub use memory::{Dom0Memory, MemoryAmount, MemoryError, MemoryPlan};
pub use notices::{Fatal, Notice, Notices};
pub use serial::{Baud, Parity, SerialPort};
pub use words::{arguments, loader_omits_image_name};

/// Everything the command line can set. [`Options::default`] is what holds when the line is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options<'a> {
    /// `com1=`: how the first serial port is set up; `None` where not given (the port is then not used).
    pub com1: Option<SerialPort>,
    /// `com2=`: how the second serial port is set up; `None` where not given.
    pub com2: Option<SerialPort>,
    /// `console=`: where the hypervisor prints to and reads from.
    pub consoles: Consoles,
    /// `conswitch=`: the control character that, typed three times, moves serial input between dom0 and hypervisor.
    pub switch_key: SwitchKey,
    /// `console_timestamps=`: what precedes each console line.
    pub timestamps: TimestampFormat,
    /// `console_to_ring`: whether guests' console output is kept in the ring too.
    pub console_to_ring: bool,
    /// `conring_size=`: bytes of the console ring; `None` for the default.
    pub console_ring_bytes: Option<u64>,
    /// `sync_console`: print synchronously, waiting for the serial port.
    pub sync_console: bool,
    /// `vga=`: the text mode asked for and whether the hypervisor keeps the screen.
    pub vga: Vga,
    /// `loglvl=`: which of the hypervisor's own messages are printed.
    pub log_level: LevelPair,
    /// `guest_loglvl=`: which messages about guests are printed.
    pub guest_log_level: LevelPair,
    /// `dom0_mem=`: how much memory dom0 gets.
    pub dom0_memory: Dom0Memory,
    /// `dom0_max_vcpus=`: how many virtual CPUs dom0 gets.
    pub dom0_vcpus: VcpuCount,
    /// `dom0_vcpus_pin`: whether each of dom0's virtual CPUs stays on the physical CPU of its number.
    pub dom0_vcpus_pinned: bool,
    /// `dom0=verbose`: log the steps of dom0's construction.
    pub dom0_verbose: bool,
    /// `dom0=msr-relaxed`: reads of unknown MSRs by dom0 answer 0 instead of a fault.
    pub dom0_msr_relaxed: bool,
    /// `maxcpus=` and `nosmp`: the most physical CPUs to start; `None` for all. Never `Some(0)`.
    pub max_cpus: Option<u32>,
    /// `noreboot` and `reboot=no`: halt instead of rebooting after a crash.
    pub no_reboot: bool,
    /// `reboot=`: how the machine is reset; `None` for the built-in order.
    pub reboot_method: Option<RebootMethod>,
    /// `reboot=…,warm`: whether the warm-boot flag is set before a reset.
    pub reboot_warm: bool,
    /// `acpi=`: how much of ACPI is used.
    pub acpi: Acpi,
    /// `noapic`: leave the I/O APICs alone.
    pub no_io_apic: bool,
    /// `x2apic=`: whether x2APIC mode may be used.
    pub x2apic: bool,
    /// `hpet=`: whether and how the HPET is used.
    pub hpet: Hpet,
    /// `clocksource=`: the platform timer asked for; `None` to choose.
    pub clock_source: Option<ClockSource>,
    /// `tsc=`: how far the time-stamp counters are trusted; `None` to find out.
    pub tsc: Option<TscTrust>,
    /// `smep=`: supervisor-mode execution prevention.
    pub smep: SupervisorGuard,
    /// `smap=`: supervisor-mode access prevention.
    pub smap: SupervisorGuard,
    /// `pcid=` other than false: whether process-context identifiers may be used.
    pub pcid: bool,
    /// `xsave=`: whether extended state may be used.
    pub xsave: bool,
    /// `mem=`: machine memory at and above this address (bytes) is ignored.
    pub memory_limit: Option<u64>,
    /// `availmem=`: at most this many bytes of machine memory are used.
    pub available_limit: Option<u64>,
    /// `low_mem_virq_limit=`: dom0 is told when no more than this many bytes are free; 0 for never.
    pub low_memory_bytes: u64,
    /// `bootscrub=`: when free memory is cleared.
    pub boot_scrub: BootScrub,
    /// `sched=`: the scheduler of the first CPU pool; `None` for the default.
    pub scheduler: Option<Scheduler>,
    /// `sched-gran=`: what schedulers choose for; `None` for the default, each CPU by itself.
    pub granularity: Option<Granularity>,
    /// `sched_ratelimit_us=`: microseconds a virtual CPU runs at least before it is preempted, 0 for no such bound;
    /// `None` for the default.
    pub rate_limit_micros: Option<u32>,
    /// `sched_credit_tslice_ms=`: milliseconds a virtual CPU runs at most while others wait, under scheduler credit;
    /// `None` for the default.
    pub credit_slice_millis: Option<u32>,
    /// `watchdog`: whether an NMI watchdog runs on each CPU.
    pub watchdog: Watchdog,
    /// `watchdog_timeout=`: seconds a CPU may be stuck; `None` for the default.
    pub watchdog_seconds: Option<u32>,
    /// `nmi=`: what is done with an NMI of unknown origin.
    pub nmi: NmiAction,
    /// `cpuid=`: features to hide or force, as given; `""` where not given.
    pub cpuid: &'a str,
    /// `dom0-cpuid=`: the same for dom0 only.
    pub dom0_cpuid: &'a str,
}

/// The default of `low_mem_virq_limit=`, by Xen's documentation.
const LOW_MEMORY_BYTES: u64 = 64 << 20;

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            com1: None,
            com2: None,
            consoles: Consoles::default(),
            switch_key: SwitchKey::default(),
            timestamps: TimestampFormat::None,
            console_to_ring: false,
            console_ring_bytes: None,
            sync_console: false,
            vga: Vga::default(),
            log_level: LevelPair::HYPERVISOR,
            guest_log_level: LevelPair::GUEST,
            dom0_memory: Dom0Memory::default(),
            dom0_vcpus: VcpuCount::default(),
            dom0_vcpus_pinned: false,
            dom0_verbose: false,
            dom0_msr_relaxed: false,
            max_cpus: None,
            no_reboot: false,
            reboot_method: None,
            reboot_warm: false,
            acpi: Acpi::default(),
            no_io_apic: false,
            x2apic: true,
            hpet: Hpet::default(),
            clock_source: None,
            tsc: None,
            smep: SupervisorGuard::On,
            smap: SupervisorGuard::On,
            pcid: true,
            xsave: true,
            memory_limit: None,
            available_limit: None,
            low_memory_bytes: LOW_MEMORY_BYTES,
            boot_scrub: BootScrub::Idle,
            scheduler: None,
            granularity: None,
            rate_limit_micros: None,
            credit_slice_millis: None,
            watchdog: Watchdog::Off,
            watchdog_seconds: None,
            nmi: NmiAction::default(),
            cpuid: "",
            dom0_cpuid: "",
        }
    }
}

/// What a command line came to.
#[derive(Clone, Debug, Default)]
pub struct Parsed<'a> {
    /// What was asked for, defaults where nothing valid was said.
    pub options: Options<'a>,
    /// What was ignored, in the order of the line. Print each as a warning.
    pub notices: Notices<'a>,
    /// The first mistake that must stop the boot. Print it on the console of [`Self::options`], then halt.
    pub fatal: Option<Fatal<'a>>,
}

/// Reads a command line, without the image's own name: pass it through [`arguments`] first.
///
/// Options are separated by blanks. A boolean option is enabled by its bare name or a true word and disabled by `no-` before
/// its name or a false word. Where an option is given twice the later one holds, except `console=`: two of them contradict
/// each other about where the contradiction would be reported, so that is fatal.
pub fn parse(line: &[u8]) -> Parsed<'_> {
    apply::line(line)
}
