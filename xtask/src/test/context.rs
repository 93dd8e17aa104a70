//! What tests share: the images, dom0, places for logs. Built when the first test asks.

use crate::build::{self, Profile};
use crate::dom0::Dom0;
use crate::emulator::Emulator;
use crate::machine::{Hypervisor, Machine};
use crate::places::Places;
use anyhow::{anyhow, bail, Result};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

/// How long a boot to dom0's scenario may take on a busy machine.
pub const BOOT: Duration = Duration::from_secs(200);

type Once<T> = OnceLock<Result<T, String>>;

/// What tests share.
pub struct Context {
    /// The folders.
    pub places: Places,
    /// Whether Debian's Xen stands in for our image.
    pub reference: bool,
    xen: Once<Hypervisor>,
    release: Once<Hypervisor>,
    checked: Once<Hypervisor>,
    dom0: Once<Dom0>,
    toolstack: Once<Dom0>,
}

impl Context {
    /// Nothing is built yet.
    pub fn new(reference: bool) -> Result<Self> {
        Ok(Self {
            places: Places::find()?,
            reference,
            xen: OnceLock::new(),
            release: OnceLock::new(),
            checked: OnceLock::new(),
            dom0: OnceLock::new(),
            toolstack: OnceLock::new(),
        })
    }

    /// Debian's Xen.
    pub fn xen(&self) -> Result<Hypervisor> {
        once(&self.xen, || Hypervisor::debian_xen(&self.places)).cloned()
    }

    /// What is tested: our image, or Debian's Xen where that stands in.
    pub fn hypervisor(&self, profile: Profile) -> Result<Hypervisor> {
        if self.reference {
            return self.xen();
        }
        if let Some(image) = build::given() {
            return Ok(Hypervisor::Xenolith(image));
        }
        let (place, profile) = match profile {
            Profile::Release => (&self.release, Profile::Release),
            Profile::Checked => (&self.checked, Profile::Checked),
        };
        let image = || {
            let image = build::image(&self.places, profile)?;
            Ok(Hypervisor::Xenolith(image.elf))
        };
        once(place, image).cloned()
    }

    /// Debian's kernel and our initramfs.
    pub fn dom0(&self) -> Result<&Dom0> {
        once(&self.dom0, || Dom0::assemble(&self.places))
    }

    /// The same with Debian's toolstack.
    pub fn toolstack(&self) -> Result<&Dom0> {
        once(&self.toolstack, || Dom0::with_toolstack(&self.places))
    }

    /// A machine that boots dom0 into a scenario on what is tested.
    pub fn machine(&self, scenario: &str) -> Result<Machine> {
        let hypervisor = self.hypervisor(Profile::Release)?;
        Ok(Machine::with_dom0(&hypervisor, self.dom0()?, scenario))
    }

    /// Where the log of a test lies.
    pub fn log(&self, test: &str) -> Result<PathBuf> {
        let name: String = test
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '.' {
                    c
                } else {
                    '-'
                }
            })
            .collect();
        Ok(self.places.made("test-logs")?.join(format!("{name}.log")))
    }

    /// Starts a machine with the test's log.
    pub fn start(&self, test: &str, machine: &Machine) -> Result<Emulator> {
        Emulator::start(machine, &self.log(test)?)
    }

    /// Starts a machine and waits for its scenario to pass.
    pub fn passes(&self, test: &str, machine: &Machine, limit: Duration) -> Result<Emulator> {
        let mut emulator = self.start(test, machine)?;
        emulator.wait_for(&["dom0: init"], BOOT)?;
        scenario_passes(&mut emulator, limit)?;
        Ok(emulator)
    }
}

/// Waits for the scenario to end well.
pub fn scenario_passes(emulator: &mut Emulator, limit: Duration) -> Result<()> {
    let line = emulator
        .wait_for(&["dom0: passed", "dom0: failed"], limit)?
        .text;
    match line.split_once("dom0: failed: ") {
        Some((_, why)) => bail!("{why}"),
        None => Ok(()),
    }
}

/// The value, made by whoever comes first; whoever comes later gets the same error.
fn once<T>(place: &Once<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    place
        .get_or_init(|| make().map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow!("{error}"))
}
