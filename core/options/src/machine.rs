//! What the line says about the machine: processors, ACPI, timers, scheduler, watchdog, how to reset it.

use crate::values::{boolean, named_boolean, unsigned32};

/// How many virtual CPUs dom0 gets: as many as there are physical ones, within these bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VcpuCount {
    /// At least so many; 1 or more.
    pub minimum: u32,
    /// At most so many; not below `minimum`.
    pub maximum: u32,
}

impl Default for VcpuCount {
    fn default() -> Self {
        Self {
            minimum: 1,
            maximum: u32::MAX,
        }
    }
}

impl VcpuCount {
    pub(crate) const EXPECTED: &'static str = "a count of 1 or more, or two with \"-\" between";

    /// Reads `<count>` or `[<minimum>]-[<maximum>]`.
    pub(crate) fn from_value(value: &str) -> Option<Self> {
        let any = Self::default();
        let (minimum, maximum) = match value.split_once('-') {
            None => {
                let count = unsigned32(value)?;
                (count, count)
            }
            Some((minimum, maximum)) => {
                (bound(minimum, any.minimum)?, bound(maximum, any.maximum)?)
            }
        };
        (1..=maximum)
            .contains(&minimum)
            .then_some(Self { minimum, maximum })
    }

    /// The count on a machine with `cpus` physical CPUs.
    pub fn on(&self, cpus: u32) -> u32 {
        cpus.max(self.minimum).min(self.maximum)
    }
}

/// A bound that may be left out.
fn bound(word: &str, default: u32) -> Option<u32> {
    if word.is_empty() {
        Some(default)
    } else {
        unsigned32(word)
    }
}

/// `acpi=`: how much of ACPI is used, and whether its use is logged at length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acpi {
    /// Whether ACPI is used at all. `acpi=force` sets it too.
    pub enabled: bool,
    /// Whether it is used for finding processors only (`acpi=ht`).
    pub processors_only: bool,
    /// Whether its interrupt routing is left unused (`acpi=noirq`).
    pub no_interrupts: bool,
    /// Whether per-processor details are logged (`acpi=verbose`).
    pub verbose: bool,
}

impl Default for Acpi {
    fn default() -> Self {
        Self {
            enabled: true,
            processors_only: false,
            no_interrupts: false,
            verbose: false,
        }
    }
}

impl Acpi {
    pub(crate) const EXPECTED: &'static str = "force, ht, noirq, verbose or a boolean";

    /// Applies one value on top of those before it.
    pub(crate) fn apply(&mut self, value: &str) -> Option<()> {
        match value {
            "force" => self.enabled = true,
            "ht" => self.processors_only = true,
            "noirq" => self.no_interrupts = true,
            "verbose" => self.verbose = true,
            _ => self.enabled = boolean(value)?,
        }
        Some(())
    }
}

/// `hpet=`: whether and how the high-precision event timer is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hpet {
    /// Whether it is used at all.
    pub enabled: bool,
    /// Whether it wakes processors from deep sleep even where something else could.
    pub broadcast: bool,
    /// Whether it is put in the legacy-replacement mode, which stands in for the PIT; `None` to find out.
    pub legacy_replacement: Option<bool>,
}

impl Default for Hpet {
    fn default() -> Self {
        Self {
            enabled: true,
            broadcast: false,
            legacy_replacement: None,
        }
    }
}

impl Hpet {
    pub(crate) const EXPECTED: &'static str =
        "a boolean, broadcast=<boolean> or legacy-replacement=<boolean>";

    /// Reads the list. `complain` gets each item that is wrong.
    pub(crate) fn from_value<'a>(
        value: &'a str,
        mut complain: impl FnMut(&'a str, &'static str),
    ) -> Self {
        let mut hpet = Self::default();
        for item in value.split(',').filter(|item| !item.is_empty()) {
            if let Some(on) = boolean(item) {
                hpet.enabled = on;
            } else if let Some(on) = named_boolean(item, "broadcast") {
                hpet.broadcast = on;
            } else if let Some(on) = named_boolean(item, "legacy-replacement") {
                hpet.legacy_replacement = Some(on);
            } else {
                complain(item, Self::EXPECTED);
            }
        }
        hpet
    }
}

/// `clocksource=`: the platform timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockSource {
    /// The programmable interval timer.
    Pit,
    /// The high-precision event timer.
    Hpet,
    /// The ACPI power-management timer.
    Acpi,
    /// The time-stamp counter.
    Tsc,
}

impl ClockSource {
    pub(crate) const EXPECTED: &'static str = "pit, hpet, acpi or tsc";

    pub(crate) fn from_value(value: &str) -> Option<Self> {
        match value {
            "pit" => Some(Self::Pit),
            "hpet" => Some(Self::Hpet),
            "acpi" => Some(Self::Acpi),
            "tsc" => Some(Self::Tsc),
            _ => None,
        }
    }
}

/// `tsc=`: how far the time-stamp counters are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TscTrust {
    /// They may stop or change their rate.
    Unstable,
    /// They run at one rate but not in step.
    Skewed,
    /// They are in step in each socket.
    StableSocket,
}

impl TscTrust {
    pub(crate) const EXPECTED: &'static str = "unstable, skewed or stable:socket";

    pub(crate) fn from_value(value: &str) -> Option<Self> {
        match value {
            "unstable" => Some(Self::Unstable),
            "skewed" => Some(Self::Skewed),
            "stable:socket" => Some(Self::StableSocket),
            _ => None,
        }
    }
}

/// `smep=` and `smap=`: a guard of supervisor mode against user pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SupervisorGuard {
    /// Not used.
    Off,
    /// Used where the processor has it.
    On,
    /// Not used by the hypervisor itself, only shown to hardware-assisted guests (`hvm`).
    GuestsOnly,
}

impl SupervisorGuard {
    pub(crate) const EXPECTED: &'static str = "a boolean or hvm";

    pub(crate) fn from_value(value: &str) -> Option<Self> {
        match value {
            "hvm" => Some(Self::GuestsOnly),
            _ => boolean(value).map(|on| if on { Self::On } else { Self::Off }),
        }
    }
}

/// `bootscrub=`: when free memory is cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootScrub {
    /// Never.
    Off,
    /// Before dom0 starts.
    Boot,
    /// By idle processors, and at the latest when it is handed out.
    Idle,
}

impl BootScrub {
    pub(crate) const EXPECTED: &'static str = "idle or a boolean";

    pub(crate) fn from_value(value: &str) -> Option<Self> {
        match value {
            "idle" => Some(Self::Idle),
            _ => boolean(value).map(|on| if on { Self::Boot } else { Self::Off }),
        }
    }
}

/// `sched=`: a scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduler {
    /// `credit`.
    Credit,
    /// `credit2`.
    Credit2,
    /// `rtds`.
    RealTime,
    /// `null`: each virtual CPU has a physical one for itself.
    Null,
    /// `arinc653`.
    Arinc653,
}

impl Scheduler {
    pub(crate) const EXPECTED: &'static str = "credit, credit2, rtds, null or arinc653";

    pub(crate) fn from_value(value: &str) -> Option<Self> {
        match value {
            "credit" => Some(Self::Credit),
            "credit2" => Some(Self::Credit2),
            "rtds" => Some(Self::RealTime),
            "null" => Some(Self::Null),
            "arinc653" => Some(Self::Arinc653),
            _ => None,
        }
    }
}

/// `sched-gran=`: what a scheduler chooses for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    /// `cpu`: each by itself.
    Cpu,
    /// `core`: its threads together.
    Core,
    /// `socket`: all CPUs of a package together.
    Socket,
}

impl Granularity {
    pub(crate) const EXPECTED: &'static str = "cpu, core or socket";

    pub(crate) fn from_value(value: &str) -> Option<Self> {
        match value {
            "cpu" => Some(Self::Cpu),
            "core" => Some(Self::Core),
            "socket" => Some(Self::Socket),
            _ => None,
        }
    }
}

/// `watchdog`: the NMI watchdog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watchdog {
    /// It does not run.
    Off,
    /// It runs, and every NMI counts as its own.
    On,
    /// It runs, and NMIs it did not cause are handled as such.
    Force,
}

impl Watchdog {
    pub(crate) const EXPECTED: &'static str = "force or a boolean";

    pub(crate) fn from_value(value: &str) -> Option<Self> {
        match value {
            "force" => Some(Self::Force),
            _ => boolean(value).map(|on| if on { Self::On } else { Self::Off }),
        }
    }
}

/// `nmi=`: what is done with an NMI of unknown origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NmiAction {
    /// It is logged and forgotten.
    Ignore,
    /// It is passed on to dom0.
    #[default]
    Dom0,
    /// It stops the machine.
    Fatal,
}

impl NmiAction {
    pub(crate) const EXPECTED: &'static str = "ignore, dom0 or fatal";

    pub(crate) fn from_value(value: &str) -> Option<Self> {
        match value {
            "ignore" => Some(Self::Ignore),
            "dom0" => Some(Self::Dom0),
            "fatal" => Some(Self::Fatal),
            _ => None,
        }
    }
}

/// `reboot=`: how the machine is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebootMethod {
    /// By a triple fault.
    TripleFault,
    /// By the keyboard controller.
    Keyboard,
    /// By the reset register in ACPI's FADT.
    Acpi,
    /// By a hard reset over I/O port 0xcf9.
    Pci,
    /// By a power cycle over I/O port 0xcf9.
    PowerCycle,
    /// By the EFI runtime service.
    Efi,
}

/// One item of `reboot=`.
pub(crate) enum RebootItem {
    /// A method.
    By(RebootMethod),
    /// Do not reboot.
    Never,
    /// Set (true) or do not set the warm-boot flag.
    Warm(bool),
}

impl RebootItem {
    pub(crate) const EXPECTED: &'static str =
        "triple, kbd, acpi, pci, Power, efi or no, and warm or cold";

    /// Only the first letter counts, as documented.
    pub(crate) fn from_item(item: &str) -> Option<Self> {
        match item.as_bytes().first()? {
            b't' => Some(Self::By(RebootMethod::TripleFault)),
            b'k' => Some(Self::By(RebootMethod::Keyboard)),
            b'a' => Some(Self::By(RebootMethod::Acpi)),
            b'p' => Some(Self::By(RebootMethod::Pci)),
            b'P' => Some(Self::By(RebootMethod::PowerCycle)),
            b'e' => Some(Self::By(RebootMethod::Efi)),
            b'n' => Some(Self::Never),
            b'w' => Some(Self::Warm(true)),
            b'c' => Some(Self::Warm(false)),
            _ => None,
        }
    }
}
