//! The serial console: what is typed reaches dom0, and three Ctrl-a the hypervisor.

use super::context::{scenario_passes, Context, BOOT};
use super::jobs::Job;
use anyhow::Result;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);
const SWITCH: &str = "\x01\x01\x01";

/// The tests of this file.
pub fn jobs() -> Vec<Job> {
    vec![
        Job::one("console/what is typed reaches dom0", typed),
        Job::one(
            "console/three Ctrl-a reach the hypervisor and come back",
            switched,
        ),
    ]
}

fn typed(context: &Context, test: &str) -> Result<()> {
    let machine = context.machine("console")?;
    let mut emulator = context.start(test, &machine)?;
    emulator.wait_for(&["dom0: ready"], BOOT)?;
    emulator.send("type this\r")?;
    scenario_passes(&mut emulator, LIMIT)
}

fn switched(context: &Context, test: &str) -> Result<()> {
    let machine = context.machine("console")?;
    let mut emulator = context.start(test, &machine)?;
    emulator.wait_for(&["dom0: ready"], BOOT)?;
    emulator.send(SWITCH)?;
    emulator.wait_for(&["input"], LIMIT)?;
    // The debug key that lists the debug keys.
    emulator.send("h")?;
    emulator.wait_for(&["show this"], LIMIT)?;
    emulator.send(SWITCH)?;
    emulator.wait_for(&["input"], LIMIT)?;
    emulator.send("type this\r")?;
    scenario_passes(&mut emulator, LIMIT)
}
