//! How a machine ends: power-off, reset, a crash of dom0; and how quiet it is when idle.

use super::context::{scenario_passes, Context, BOOT};
use super::jobs::Job;
use crate::emulator::Stopped;
use anyhow::{bail, Result};
use std::thread;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

/// The tests of this file.
pub fn jobs(context: &Context) -> Vec<Job> {
    let mut jobs = vec![
        ends("poweroff", Stopped::PoweredOff),
        ends("reboot", Stopped::Reset),
        Job::one("power/a crash of dom0 is reported, then halts", crash_halts),
        Job::one("power/an idle machine halts its processors", idle),
    ];
    if !context.reference {
        jobs.push(Job::one(
            "power/a crash of dom0 reboots without noreboot",
            crash_reboots,
        ));
    }
    jobs
}

fn ends(how: &'static str, wanted: Stopped) -> Job {
    Job::one(format!("power/{how} in dom0"), move |context, test| {
        let machine = context.machine(how)?.processors(2);
        let mut emulator = context.start(test, &machine)?;
        scenario_passes(&mut emulator, BOOT)?;
        let stopped = emulator.wait_stopped(LIMIT)?;
        if stopped != wanted {
            bail!("the machine ended as {stopped:?}, not {wanted:?}");
        }
        Ok(())
    })
}

/// With `noreboot` (which every boot here has) a dom0 crash is followed by silence.
fn crash_halts(context: &Context, test: &str) -> Result<()> {
    let machine = context.machine("crash")?.processors(2);
    let mut emulator = context.start(test, &machine)?;
    emulator.wait_for(&["dom0: init"], BOOT)?;
    emulator.wait_for(&["sysrq: Trigger a crash", "Kernel panic"], LIMIT)?;
    emulator.wait_for(&["noreboot"], LIMIT)?;
    thread::sleep(Duration::from_secs(2));
    if !emulator.is_halted()? {
        bail!("the machine neither halts nor reboots");
    }
    Ok(())
}

fn crash_reboots(context: &Context, test: &str) -> Result<()> {
    // The last word counts, as it does in Xen.
    let machine = context.machine("crash")?.words("noreboot=0");
    let mut emulator = context.start(test, &machine)?;
    emulator.wait_for(&["dom0: init"], BOOT)?;
    emulator.wait_for(&["Kernel panic"], LIMIT)?;
    match emulator.wait_stopped(LIMIT)? {
        Stopped::Reset => Ok(()),
        other => bail!("the machine ended as {other:?}, not by a reset"),
    }
}

/// Ten seconds of an idle dom0 may take a second of the host's processors: waiting in a loop takes
/// all of them.
fn idle(context: &Context, test: &str) -> Result<()> {
    let machine = context.machine("idle")?.processors(2);
    let mut emulator = context.start(test, &machine)?;
    emulator.wait_for(&["dom0: idle"], BOOT)?;
    // Memory may still be scrubbed in the background for a while.
    thread::sleep(Duration::from_secs(5));
    let before = emulator.processor_time()?;
    thread::sleep(Duration::from_secs(10));
    let used = emulator.processor_time()?.saturating_sub(before);
    if used > Duration::from_secs(1) {
        bail!(
            "an idle machine used {:.1} s of processor time in 10 s",
            used.as_secs_f64()
        );
    }
    Ok(())
}
