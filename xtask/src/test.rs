//! `x test`: everything that is tested, one line a test, `N passed, N failed` at the end.
//!
//! A test on a machine runs one emulator at a time and two tests run at once. What is slow and
//! seldom finds anything new is in the tail, which `--all` adds.

mod bad_input;
mod boots;
mod clocks;
mod context;
mod devices;
mod firmware;
mod guarantees;
mod host;
mod hostile;
mod jobs;
mod loaders;
mod power;
mod suite;
mod terminal;
mod toolstack;
mod whole_host;

use crate::arguments::Arguments;
use crate::debian;
use anyhow::Result;
use context::Context;
use jobs::{Job, Report};

/// `x test`
pub fn command(mut arguments: Arguments) -> Result<bool> {
    let all = arguments.flag("--all");
    let list = arguments.flag("--list");
    let reference = arguments.flag("--xen");
    let filters = arguments.rest()?;
    let context = Context::new(reference)?;
    let chosen: Vec<Job> = every_job(&context)
        .into_iter()
        .filter(|job| filters.is_empty() || filters.iter().any(|text| job.name.contains(text)))
        .filter(|job| all || !job.tail || filters.contains(&job.name))
        .collect();
    if list {
        for job in &chosen {
            println!("{}", job.name);
        }
        return Ok(true);
    }
    if chosen.iter().any(|job| job.on_a_machine) {
        debian::install(debian::EMULATOR)?;
    }
    let report = Report::default();
    jobs::run(&context, chosen, &report);
    let (passed, failed) = report.totals();
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0 && passed > 0)
}

/// All tests, the quick ones first.
fn every_job(context: &Context) -> Vec<Job> {
    let mut jobs = Vec::new();
    if !context.reference {
        jobs.extend(host::jobs(context));
    }
    // The longest boots first, so that none of them is alone at the end.
    jobs.extend(toolstack::jobs(context));
    jobs.extend(guarantees::jobs());
    jobs.extend(hostile::jobs());
    jobs.extend(clocks::jobs(context));
    jobs.extend(whole_host::jobs());
    jobs.extend(suite::jobs(context));
    jobs.extend(boots::jobs());
    jobs.extend(power::jobs(context));
    jobs.extend(terminal::jobs());
    if !context.reference {
        jobs.extend(bad_input::jobs());
    }
    jobs.extend(devices::jobs());
    jobs.extend(loaders::jobs());
    // The longest of the default set, with two processors' worth of work: last, so that the rest
    // has been seen when somebody loses patience.
    jobs.extend(boots::long_jobs());
    jobs
}
