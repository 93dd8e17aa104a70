//! `x bench`: the same dom0 on Xenolith, on Debian's Xen and without a hypervisor, row by row.

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
use anyhow::{bail, Result};
use measure::Measured;
use report::Report;

/// What `--wall` repeats unless told otherwise.
const ROUNDS: u32 = 3;

/// `x bench`
pub fn command(mut arguments: Arguments) -> Result<bool> {
    let wall = arguments.flag("--wall");
    if arguments.flag("--instructions") && wall {
        bail!("--instructions and --wall are two different ways to count");
    }
    let rounds = arguments.number("--rounds", ROUNDS)?.max(1);
    let bare = !arguments.flag("--no-bare");
    let ours = !arguments.flag("--only-xen");
    let write = arguments.flag("--write");
    let guests = !arguments.flag("--no-guests");
    arguments.finish()?;
    let places = Places::find()?;
    debian::install(debian::EMULATOR)?;
    let image = if ours {
        Some(build::image(&places, Profile::Release)?)
    } else {
        None
    };
    let dom0 = Dom0::assemble(&places)?;
    let toolstack = match guests {
        true => Some(Dom0::with_toolstack(&places)?),
        false => None,
    };
    let sides = sides(&places, image.as_ref(), bare)?;
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
            let mut measured = measure::measure(&places, &dom0, side, pace)?;
            if let (Some(dom0), true) = (&toolstack, *side != Hypervisor::Bare) {
                measured.extend(measure::measure_guests(&places, dom0, side, pace)?);
            }
            results.push(measured);
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

fn sides(places: &Places, image: Option<&Image>, bare: bool) -> Result<Vec<Hypervisor>> {
    let mut sides = vec![Hypervisor::debian_xen(places)?];
    sides.extend(image.map(|image| Hypervisor::Xenolith(image.elf.clone())));
    if bare {
        sides.push(Hypervisor::Bare);
    }
    Ok(sides)
}
