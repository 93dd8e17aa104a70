//! `x bench`: the same dom0 on Xenolith, on Debian's Xen and without a hypervisor, row by row.

mod guarantees;
mod lines;
mod measure;
mod plot;
mod report;
mod rows;

use crate::arguments::Arguments;
use crate::build::{self, Image, Profile};
use crate::debian;
use crate::dom0::Dom0;
use crate::machine::{Hypervisor, Pace};
use crate::places::Places;
use crate::toolchain::Toolchain;
use anyhow::{bail, Result};
use measure::Measured;
use report::Report;
use std::path::PathBuf;

/// What `--wall` repeats unless told otherwise.
const ROUNDS: u32 = 3;

/// How many vCPUs the kernel has that measures scheduling (`schedule-bench`).
const SCHEDULING_VCPUS: u32 = 101;

/// `x bench`
pub fn command(mut arguments: Arguments) -> Result<bool> {
    let wall = arguments.flag("--wall");
    if arguments.flag("--instructions") && wall {
        bail!("--instructions and --wall are two different ways to count");
    }
    let rounds = arguments.number("--rounds", ROUNDS)?.max(1);
    let bare = !arguments.flag("--no-bare");
    let ours = !arguments.flag("--only-xen");
    let xen = !arguments.flag("--only-xenolith");
    let write = arguments.flag("--write");
    let parts = Parts::parse(arguments.value("--part")?.as_deref())?;
    arguments.finish()?;
    if write && parts != Parts::ALL && parts != Parts::GUARANTEES {
        bail!("--write keeps a whole table: leave --part out, or ask for guarantees");
    }
    let places = Places::find()?;
    debian::install(debian::EMULATOR)?;
    let image = if ours {
        Some(build::image(&places, Profile::Release)?)
    } else {
        None
    };
    let bench = Bench::prepare(&places, parts)?;
    let sides = sides(&places, image.as_ref(), bare, xen)?;
    if parts.guarantees || parts.parallel {
        let dom0 = Dom0::with_load(&places)?;
        guarantees::run(&places, &dom0, &sides, !parts.guarantees, write)?;
    }
    if parts == Parts::GUARANTEES || parts == Parts::PARALLEL {
        return Ok(true);
    }
    let (pace, rounds) = if wall {
        (Pace::Free, rounds)
    } else {
        (Pace::Counted, 1)
    };
    let mut all: Vec<Vec<Measured>> = sides.iter().map(|_| Vec::new()).collect();
    for round in 1..=rounds {
        // Interleaved, so that a change in the host's load meets every side alike.
        for (side, results) in sides.iter().zip(&mut all) {
            eprintln!("x: measuring {} ({round} of {rounds})", side.name());
            results.push(bench.measure(side, pace)?);
        }
    }
    let mut report = Report::new(pace);
    for (side, results) in sides.iter().zip(&all) {
        report.add(side, &measure::median(results));
    }
    report.image_sizes(&places, image.as_ref())?;
    print!("{}", report.table());
    if write {
        report.write(&places)?;
    }
    Ok(true)
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parts {
    /// Debian's kernel as dom0.
    dom0: bool,
    /// Single calls, by a small kernel of our own.
    calls: bool,
    /// Switches, wake-ups and timers, by another.
    scheduling: bool,
    /// Guests that Debian's toolstack made.
    guests: bool,
    /// What schedulers promise, which has a table of its own.
    guarantees: bool,
    /// Of that table the rows of parallel work.
    parallel: bool,
}

impl Parts {
    const ALL: Self = Self {
        dom0: true,
        calls: true,
        scheduling: true,
        guests: true,
        guarantees: true,
        parallel: true,
    };
    const NONE: Self = Self {
        dom0: false,
        calls: false,
        scheduling: false,
        guests: false,
        guarantees: false,
        parallel: false,
    };
    const GUARANTEES: Self = Self {
        guarantees: true,
        parallel: true,
        ..Self::NONE
    };
    const PARALLEL: Self = Self {
        parallel: true,
        ..Self::NONE
    };

    /// From the word after `--part`, or all.
    fn parse(word: Option<&str>) -> Result<Self> {
        Ok(match word {
            None => Self::ALL,
            Some("dom0") => Self {
                dom0: true,
                ..Self::NONE
            },
            Some("calls") => Self {
                calls: true,
                ..Self::NONE
            },
            Some("scheduling") => Self {
                scheduling: true,
                ..Self::NONE
            },
            Some("guests") => Self {
                guests: true,
                ..Self::NONE
            },
            Some("guarantees") => Self::GUARANTEES,
            Some("parallel") => Self::PARALLEL,
            Some(other) => {
                bail!(
                    "--part is dom0, calls, scheduling, guests, guarantees or parallel, not {other}"
                )
            }
        })
    }
}

/// What the parts that were asked for boot.
struct Bench<'a> {
    places: &'a Places,
    dom0: Option<Dom0>,
    calls: Option<PathBuf>,
    scheduling: Option<PathBuf>,
    guests: Option<Dom0>,
}

impl<'a> Bench<'a> {
    fn prepare(places: &'a Places, parts: Parts) -> Result<Self> {
        let own = match parts.calls || parts.scheduling {
            true => Some(Toolchain::pick()?.build(places, "guest-suite", "release")?),
            false => None,
        };
        let program = |wanted: bool, name| Some(own.as_ref().filter(|_| wanted)?.join(name));
        let dom0 = parts.dom0.then(|| Dom0::assemble(places)).transpose()?;
        let guests = parts
            .guests
            .then(|| Dom0::with_own_guests(places, "bench", "guest-suite", &["guest-bench"]))
            .transpose()?;
        Ok(Self {
            places,
            dom0,
            calls: program(parts.calls, "guest-bench"),
            scheduling: program(parts.scheduling, "schedule-bench"),
            guests,
        })
    }

    /// All that can be measured of one side. Without a hypervisor there are no calls and no guests, and only
    /// counted runs can say what a single call costs.
    fn measure(&self, side: &Hypervisor, pace: Pace) -> Result<Measured> {
        let mut measured = Measured::new();
        if let Some(dom0) = &self.dom0 {
            measured.extend(measure::measure(self.places, dom0, side, pace)?);
        }
        if *side == Hypervisor::Bare {
            return Ok(measured);
        }
        let own_kernels = [(&self.calls, 1), (&self.scheduling, SCHEDULING_VCPUS)];
        for (program, vcpus) in own_kernels {
            if let Some(program) = program.as_ref().filter(|_| pace == Pace::Counted) {
                let rows = measure::measure_own_kernel(self.places, program, vcpus, side)?;
                measured.extend(rows);
            }
        }
        if let Some(dom0) = &self.guests {
            measured.extend(measure::measure_guests(self.places, dom0, side, pace)?);
        }
        Ok(measured)
    }
}

fn sides(places: &Places, image: Option<&Image>, bare: bool, xen: bool) -> Result<Vec<Hypervisor>> {
    let mut sides = Vec::new();
    if xen {
        sides.push(Hypervisor::debian_xen(places)?);
    }
    sides.extend(image.map(|image| Hypervisor::Xenolith(image.elf.clone())));
    if bare {
        sides.push(Hypervisor::Bare);
    }
    Ok(sides)
}
