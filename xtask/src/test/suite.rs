//! The suite of our own guests: each case asserts one behaviour of the interface, on Debian's Xen
//! (is the expectation true?) and on Xenolith.

use super::context::Context;
use super::jobs::{Job, Report};
use crate::build::Profile;
use crate::emulator::{Emulator, Silence};
use crate::machine::{Hypervisor, Machine};
use crate::toolchain::Toolchain;
use anyhow::{bail, Context as _, Result};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long a case may take, and a boot.
const CASE: Duration = Duration::from_secs(60);
const BOOT: Duration = Duration::from_secs(60);

/// A case that kills the guest is left out of the next boot; more boots than this are too many.
const MOST_BOOTS: usize = 24;

/// The suite on Debian's Xen, as its tests are named.
const ON_XEN: &str = "suite/xen";

/// How many cases of a run on Debian's Xen are begun once more.
const MOST_AGAIN: usize = 2;

/// A guest's command line holds 1024 bytes: how many of them may be names of cases.
const NAMES: usize = 800;

/// What the suite says of a case when it is asked to `list`.
struct Case {
    name: String,
    crashes: bool,
}

/// The suite on each hypervisor.
pub fn jobs(context: &Context) -> Vec<Job> {
    let mut jobs = vec![Job::many("suite/xen", true, |context, report| {
        run_all(context, report, ON_XEN, &context.xen()?)
    })];
    if !context.reference {
        jobs.push(Job::many("suite/xenolith", true, |context, report| {
            let hypervisor = context.hypervisor(Profile::Checked)?;
            run_all(context, report, "suite/xenolith", &hypervisor)
        }));
    }
    jobs
}

fn run_all(
    context: &Context,
    report: &Report,
    prefix: &str,
    hypervisor: &Hypervisor,
) -> Result<()> {
    let guest = guest(context)?;
    let cases = list(context, prefix, &guest)?;
    if cases.is_empty() {
        bail!("the suite has no cases");
    }
    run_plain(context, report, prefix, hypervisor, &guest, &cases)?;
    for case in cases.iter().filter(|case| case.crashes) {
        let name = format!("{prefix}/{}", case.name);
        let start = Instant::now();
        let result = crashes(context, &name, hypervisor, &guest, &case.name);
        report.result(&name, Some(start.elapsed()), text(context, &name, result));
    }
    Ok(())
}

/// The guest's boot file, built once.
fn guest(context: &Context) -> Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            Toolchain::pick()
                .and_then(|rust| rust.build(&context.places, "guest-suite", "release"))
                .map(|folder| folder.join("guest-suite"))
                .map_err(|error| format!("{error:#}"))
        })
        .clone()
        .map_err(|error| anyhow::anyhow!("{error}"))
}

fn machine(hypervisor: &Hypervisor, guest: &Path, words: &str) -> Machine {
    let modules = vec![(guest.to_path_buf(), words.to_owned())];
    Machine::with_modules(hypervisor, modules)
        .words("dom0_mem=128M,max:128M")
        .processors(2)
        .memory(512)
}

/// The names of all cases, from Debian's Xen: what runs is what a known good boot lists.
fn list(context: &Context, prefix: &str, guest: &Path) -> Result<Vec<Case>> {
    let machine = machine(&context.xen()?, guest, "list");
    let mut emulator = context.start(&format!("{prefix}/list"), &machine)?;
    let mut cases = Vec::new();
    loop {
        let line = emulator.wait_for(&["LIST ", "SUITE ", "PANIC"], BOOT)?.text;
        let Some((_, entry)) = line.split_once("LIST ") else {
            return Ok(cases);
        };
        let mut words = entry.split([' ', ':']);
        let kind = words.next().context("a listed case has a kind")?;
        let name = words.nth(1).context("a listed case has a name")?;
        cases.push(Case {
            name: name.to_owned(),
            crashes: kind == "crash",
        });
    }
}

/// Which cases are begun once more, each at most once, since the machine fell silent in the midst of them.
///
/// Only on Debian's Xen: what is asked there is whether Xen gives the answer that a case expects, and silence is neither yes
/// nor no. (Its machine stood still once in hundreds of runs, in a case which passed the other times.) Xenolith has no second
/// chance, since its silence is a fault.
struct SecondChances {
    most: usize,
    given: Vec<String>,
}

impl SecondChances {
    fn of(prefix: &str) -> Self {
        Self {
            most: if prefix == ON_XEN { MOST_AGAIN } else { 0 },
            given: Vec::new(),
        }
    }

    /// Whether the case, which ended with this error, is begun once more.
    fn give(&mut self, case: &str, error: &anyhow::Error) -> bool {
        let gives = error.is::<Silence>()
            && self.given.len() < self.most
            && !self.given.iter().any(|given| given == case);
        if gives {
            self.given.push(case.to_owned());
        }
        gives
    }
}

/// Runs all that must not kill the guest; after one that does all the same, boots again without it.
fn run_plain(
    context: &Context,
    report: &Report,
    prefix: &str,
    hypervisor: &Hypervisor,
    guest: &Path,
    cases: &[Case],
) -> Result<()> {
    let mut left: Vec<&str> = cases
        .iter()
        .filter(|case| !case.crashes)
        .map(|case| case.name.as_str())
        .collect();
    let mut chances = SecondChances::of(prefix);
    let mut boots = 0;
    while !left.is_empty() {
        let test = format!("{prefix}/boot {boots}");
        if boots == MOST_BOOTS {
            let reason = format!("not run: {MOST_BOOTS} boots of the suite died before it");
            fail_all(report, prefix, &left, &reason);
            return Ok(());
        }
        let asked = asked(&left, boots == 0);
        let words = match boots {
            0 => "verbose".to_owned(),
            _ => format!("verbose only={}", asked.join(",")),
        };
        let mut emulator = context.start(&test, &machine(hypervisor, guest, &words))?;
        let done = follow(&mut emulator, report, prefix);
        let unseen = |name: &&&str| !done.seen.iter().any(|seen| seen == **name);
        let mut gone: Vec<String> = done.seen.clone();
        if let Err(error) = &done.ended {
            let culprit = done
                .running
                .as_deref()
                .or(asked.iter().find(unseen).copied());
            let name = culprit.unwrap_or_default().to_owned();
            let reason = format!("{error:#} [{}]", context.log(&test)?.display());
            let whole = format!("{prefix}/{name}");
            if chances.give(&name, error) {
                report.note(&whole, &format!("begun once more: {reason}"));
            } else {
                report.result(&whole, None, Err(reason));
                gone.push(name);
            }
        } else {
            // What was asked for and neither passed nor failed was not there.
            let absent: Vec<&str> = asked.iter().filter(unseen).copied().collect();
            fail_all(report, prefix, &absent, "never ran");
            gone.extend(absent.into_iter().map(str::to_owned));
        }
        left.retain(|case| !gone.iter().any(|name| name == case));
        boots += 1;
    }
    Ok(())
}

fn fail_all(report: &Report, prefix: &str, cases: &[&str], reason: &str) {
    for case in cases {
        report.result(&format!("{prefix}/{case}"), None, Err(reason.to_owned()));
    }
}

/// The cases for one boot: all of them at first, later as many as the command line has room for.
fn asked<'a>(left: &[&'a str], all: bool) -> Vec<&'a str> {
    let mut room = if all { usize::MAX } else { NAMES };
    left.iter()
        .take_while(|name| {
            let fits = room > name.len();
            room = room.saturating_sub(name.len() + 1);
            fits
        })
        .copied()
        .collect()
}

/// What one boot of the suite came to.
struct Boot {
    seen: Vec<String>,
    running: Option<String>,
    ended: Result<()>,
}

/// Reports each case as its line comes.
fn follow(emulator: &mut Emulator, report: &Report, prefix: &str) -> Boot {
    let mut boot = Boot {
        seen: Vec::new(),
        running: None,
        ended: Ok(()),
    };
    let mut limit = BOOT;
    let mut start = Instant::now();
    loop {
        let line = match emulator.wait_for(&["RUN ", "CASE ", "SUITE ", "PANIC"], limit) {
            Ok(line) => line.text,
            Err(error) => {
                boot.ended = Err(error);
                return boot;
            }
        };
        limit = CASE;
        if let Some((_, name)) = line.split_once("RUN ") {
            boot.running = Some(name.trim().to_owned());
            start = Instant::now();
        } else if let Some((_, rest)) = line.split_once("CASE ") {
            let (name, verdict) = rest.split_once(' ').unwrap_or((rest, ""));
            let result = match verdict.trim() {
                "ok" => Ok(()),
                other => Err(other.trim_start_matches("FAIL: ").to_owned()),
            };
            report.result(&format!("{prefix}/{name}"), Some(start.elapsed()), result);
            boot.seen.push(name.to_owned());
            boot.running = None;
        } else if line.contains("SUITE ") {
            return boot;
        } else {
            boot.ended = Err(anyhow::anyhow!("{}", line.trim()));
            return boot;
        }
    }
}

/// A case that must kill the domain: the hypervisor says so, and survives.
fn crashes(
    context: &Context,
    test: &str,
    hypervisor: &Hypervisor,
    guest: &Path,
    case: &str,
) -> Result<()> {
    let machine = machine(hypervisor, guest, &format!("only={case}"));
    let mut emulator = context.start(test, &machine)?;
    emulator.wait_for(&["EXPECT-CRASH"], BOOT)?;
    let line = emulator
        .wait_for(&["crashed", "CASE ", "SUITE "], CASE)?
        .text;
    if !line.contains("crashed") {
        bail!("{line}");
    }
    Ok(())
}

fn text(context: &Context, test: &str, result: Result<()>) -> Result<(), String> {
    result.map_err(|error| {
        let log = context.log(test).unwrap_or_default();
        format!("{error:#} [{}]", log.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silence() -> anyhow::Error {
        Silence("no 'RUN ' in 60 s".to_owned()).into()
    }

    #[test]
    fn only_silence_of_xen_has_a_second_chance() {
        let mut chances = SecondChances::of(ON_XEN);
        assert!(!chances.give("traps", &anyhow::anyhow!("PANIC")));
        assert!(chances.give("traps", &silence()));
        assert!(!SecondChances::of("suite/xenolith").give("traps", &silence()));
    }

    #[test]
    fn a_second_silence_fails_and_chances_end() {
        let mut chances = SecondChances::of(ON_XEN);
        assert!(chances.give("traps", &silence()));
        assert!(!chances.give("traps", &silence()));
        assert!(chances.give("timers", &silence()));
        assert!(!chances.give("grants", &silence()));
    }
}
