//! Guests of our own that misbehave, created by Debian's toolstack beside one that checks itself:
//! the cases in `hostile` and `bad_ends` in `xtask/dom0/toolstack/cases/`.

use super::context::Context;
use super::jobs::Job;
use super::toolstack::run_cases;
use crate::build::Profile;
use crate::dom0::Dom0;
use crate::machine::Machine;
use anyhow::Result;

/// The guests' boot files.
const GUESTS: &[&str] = &[
    "guest-canary",
    "guest-hostile",
    "guest-bad-frontend",
    "guest-bad-backend",
    "guest-fresh",
    "guest-greedy",
];

/// A minute of it, and for `--all` ten, and the bad ends of drivers. Two hostile guests share the time.
pub fn jobs() -> Vec<Job> {
    [
        ("hostile", "hostile", 30, false),
        ("hostile at length", "hostile", 300, true),
        ("hostile ends", "bad_ends", 30, true),
    ]
    .into_iter()
    .map(|(prefix, file, seconds, tail)| {
        Job::many(prefix, true, move |context, report| {
            let dom0 = dom0(context)?;
            // With assertions: what a guest can break must not go unnoticed.
            let hypervisor = context.hypervisor(Profile::Checked)?;
            let machine = Machine::with_toolstack(&hypervisor, &dom0, "cases")
                .processors(2)
                .memory(2048)
                .kernel_words(&format!("hostile_seconds={seconds}"));
            run_cases(context, report, &format!("{prefix}/{file}"), machine, file)
        })
        .tail_unless(!tail)
    })
    .collect()
}

/// A dom0 with the guests in it.
pub fn dom0(context: &Context) -> Result<Dom0> {
    Dom0::with_own_guests(&context.places, "hostile", "guest-isolation", GUESTS)
}
