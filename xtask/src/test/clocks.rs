//! Clocks: a guest of ours that measures them (`guests/suite/src/bin/guest-clock.rs`), as dom0 on a machine whose own
//! clock counts instructions, and under Debian's toolstack.

use super::context::{Context, BOOT};
use super::jobs::Job;
use super::toolstack::run_cases;
use crate::build::Profile;
use crate::dom0::Dom0;
use crate::machine::{Machine, Pace};
use crate::toolchain::Toolchain;
use anyhow::{bail, Result};
use std::path::PathBuf;
use std::time::Duration;

const GUEST: &str = "guest-clock";

/// How late a timer may be on an idle machine, and how far system time may be from the platform's, in nanoseconds.
const LATEST: u32 = 100_000;
const FARTHEST: u32 = 1_000;
/// How often an idle processor may wake in ten seconds: perhaps the clock changed meanwhile.
const WAKES: u32 = 5;

/// A boot of the guest as dom0.
struct Run {
    name: &'static str,
    pace: Pace,
    processors: u32,
    /// Words for the hypervisor.
    words: &'static str,
    /// Debian's Xen gives a guest what it needs for this.
    on_xen: bool,
    /// Words for the guest: what to measure.
    what: String,
    /// In seconds of this machine's time.
    limit: u64,
    /// Only `--all` runs it.
    tail: bool,
}

/// The runs as dom0, and the file of cases. Debian's Xen keeps the PM timer to itself, and counts how processors rest only
/// when a driver in dom0 told it how.
pub fn jobs(context: &Context) -> Vec<Job> {
    let is_possible = |run: &Run| !context.reference || run.on_xen;
    let runs = runs().into_iter().filter(is_possible);
    let mut jobs: Vec<Job> = runs.map(job).collect();
    jobs.push(Job::many("clocks/toolstack", true, |context, report| {
        let dom0 = dom0(context)?;
        let hypervisor = context.hypervisor(Profile::Release)?;
        let machine = Machine::with_toolstack(&hypervisor, &dom0, "cases")
            .processors(2)
            .memory(2048);
        run_cases(context, report, "clocks/toolstack", machine, "clocks")
    }));
    jobs
}

fn runs() -> Vec<Run> {
    let hour = |name, words, more: &str| Run {
        name,
        pace: Pace::Counted,
        processors: 2,
        words,
        on_xen: words.is_empty(),
        what: format!("do=hour seconds=3600 vcpus=3 processors=2 nap=4000000000 {more}"),
        limit: 900,
        tail: false,
    };
    let near = format!("most={FARTHEST} possible={FARTHEST}");
    let near_pm_timer = format!("pm_timer {near}");
    vec![
        Run {
            name: "clocks/timers",
            pace: Pace::Counted,
            processors: 1,
            words: "",
            on_xen: true,
            what: format!("do=timers rounds=100 most={LATEST}"),
            limit: 300,
            tail: false,
        },
        Run {
            name: "clocks/an idle processor is not woken",
            pace: Pace::Counted,
            processors: 2,
            words: "",
            on_xen: false,
            what: format!("do=rest seconds=10 most={WAKES}"),
            limit: 300,
            tail: false,
        },
        hour("clocks/hour", "", &near),
        hour(
            "clocks/hour by pm timer",
            "clocksource=acpi",
            &near_pm_timer,
        ),
        // The two clocks of this machine differ, and the processors are threads of their own.
        Run {
            name: "clocks/true drift",
            pace: Pace::Free,
            processors: 2,
            words: "",
            on_xen: true,
            what: format!("do=hour seconds=120 vcpus=3 processors=2 nap=10000000 most={FARTHEST}"),
            limit: 600,
            tail: true,
        },
    ]
}

fn job(run: Run) -> Job {
    let (name, tail) = (run.name, run.tail);
    Job::one(name, move |context, test| measure(context, test, &run)).tail_unless(!tail)
}

/// Boots the guest as dom0 and waits for its end.
fn measure(context: &Context, test: &str, run: &Run) -> Result<()> {
    let hypervisor = context.hypervisor(Profile::Release)?;
    let mut machine = Machine::with_modules(&hypervisor, vec![(guest(context)?, run.what.clone())])
        .words("dom0_mem=128M,max:128M dom0_max_vcpus=3")
        .words(run.words)
        .processors(run.processors)
        .memory(512);
    machine.pace = run.pace;
    let mut emulator = context.start(test, &machine)?;
    emulator.wait_for(&["CLOCK "], BOOT)?;
    let limit = Duration::from_secs(run.limit);
    let line = emulator.wait_for(&["CLOCK-END", "PANIC"], limit)?.text;
    if !line.contains("CLOCK-END ok") {
        bail!("{}", line.trim());
    }
    Ok(())
}

fn guest(context: &Context) -> Result<PathBuf> {
    let folder = Toolchain::pick()?.build(&context.places, "guest-suite", "release")?;
    Ok(folder.join(GUEST))
}

/// A dom0 with the guest in it.
fn dom0(context: &Context) -> Result<Dom0> {
    Dom0::with_own_guests(&context.places, "clocks", "guest-suite", &[GUEST])
}
