//! What an administrator does with Debian's toolstack, one boot for each file of cases in
//! `xtask/dom0/toolstack/cases/`, one test a case.

use super::context::{Context, BOOT};
use super::jobs::{Job, Report};
use crate::build::Profile;
use crate::dom0::Dom0;
use crate::emulator::Emulator;
use crate::guest_disk::GuestDisk;
use crate::machine::{Machine, Program};
use anyhow::{bail, Context as _, Result};
use std::path::Path;
use std::time::{Duration, Instant};

/// A file of cases and the machine it wants.
struct Group {
    /// What the tests are called by: the file's name, or another where a file is run twice.
    name: &'static str,
    /// The file.
    file: &'static str,
    processors: u32,
    memory: u32,
    /// More words for dom0's kernel.
    kernel_words: &'static str,
    /// Which of the file's cases.
    length: Length,
    /// Whether only `--all` runs it.
    tail: bool,
}

/// Which cases of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    /// Those whose functions are called `case_NAME`.
    Usual,
    /// Those called `long_case_NAME`.
    Long,
}

impl Length {
    /// What the functions' names begin with.
    fn prefix(self) -> &'static str {
        match self {
            Self::Usual => "case_",
            Self::Long => "long_case_",
        }
    }
}

const fn group(file: &'static str, processors: u32, memory: u32, words: &'static str) -> Group {
    Group {
        name: file,
        file,
        processors,
        memory,
        kernel_words: words,
        length: Length::Usual,
        tail: false,
    }
}

/// One that only `--all` runs.
const fn tail(file: &'static str, processors: u32, memory: u32, words: &'static str) -> Group {
    Group {
        tail: true,
        ..group(file, processors, memory, words)
    }
}

impl Group {
    /// Under another name than the file's.
    const fn called(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// The file's long cases.
    const fn at_length(self) -> Self {
        Self {
            length: Length::Long,
            ..self
        }
    }

    /// Its machine, with the devices that its cases look for.
    fn machine(&self, context: &Context) -> Result<Machine> {
        let hypervisor = context.hypervisor(Profile::Release)?;
        let with = |dom0: &Dom0| {
            Machine::with_toolstack(&hypervisor, dom0, "cases")
                .processors(self.processors)
                .memory(self.memory)
                .kernel_words(self.kernel_words)
        };
        if self.file == DEBIAN_GUEST {
            let disk = GuestDisk::prepare(&context.places)?;
            return Ok(with(&serving(context, &disk)?).disk(&disk.image));
        }
        if [MEMORY, LOAD].contains(&self.file) {
            return Ok(with(&super::hostile::dom0(context)?));
        }
        let dom0 = context.toolstack()?;
        Ok(match self.file {
            NUMA => with(dom0).nodes(2),
            CORES => with(dom0).threads(2).words("sched-gran=core"),
            BALLOONING => with(dom0).dom0_has_all(),
            DRIVER_DOMAIN => with(dom0).toolstack_disk(dom0),
            PASSTHROUGH => spare_devices(with(dom0), dom0, context.reference),
            _ => with(dom0),
        })
    }
}

/// The file whose machine has the disk of a Debian, and a dom0 that serves a package for it.
const DEBIAN_GUEST: &str = "debian_guest";

/// The file whose machine has a second disk with the toolstack.
const DRIVER_DOMAIN: &str = "driver_domain";

/// The file whose machine has devices to give away.
const PASSTHROUGH: &str = "passthrough";

/// The files whose machine has guests of our own.
const MEMORY: &str = "memory";
const LOAD: &str = "load";

/// The file whose machine has two NUMA nodes.
const NUMA: &str = "numa";

/// The file whose machine has two threads in each core, and schedules by cores.
const CORES: &str = "cores";

/// The file whose dom0 has all memory at first.
const BALLOONING: &str = "ballooning_dom0";

const GROUPS: &[Group] = &[
    group("commands", 2, 3072, ""),
    group("devices", 1, 3072, ""),
    group("endings", 1, 3072, ""),
    group("registers", 1, 2048, ""),
    tail("saving", 2, 3072, ""),
    tail("stores", 2, 2048, ""),
    tail("stores", 2, 2048, "xenstore=c").called("c_stores"),
    tail("leaks", 2, 2048, "times=300"),
    tail("loaders", 1, 2048, ""),
    tail(DRIVER_DOMAIN, 2, 3072, ""),
    tail(DEBIAN_GUEST, 2, 2048, ""),
    tail(PASSTHROUGH, 1, 2048, "modules=pciback"),
    tail("sizes", 2, 8192, ""),
    group("schedulers", 2, 3072, ""),
    tail("schedulers", 2, 3072, "")
        .called("schedulers at length")
        .at_length(),
    tail("smp", 4, 3072, ""),
    tail("smp", 1, 3072, "").called("smp_on_one"),
    tail(NUMA, 2, 3072, ""),
    tail(NUMA, 2, 3072, "").called("numa at length").at_length(),
    tail(CORES, 4, 2048, ""),
    group(MEMORY, 2, 2560, ""),
    tail(MEMORY, 2, 2560, "")
        .called("memory at length")
        .at_length(),
    tail(BALLOONING, 2, 2560, ""),
    tail(BALLOONING, 2, 2560, "")
        .called("ballooning_dom0 at length")
        .at_length(),
    tail(LOAD, 2, 8192, "load_guests=40 load_minutes=10"),
    tail(LOAD, 2, 3072, "load_guests=8 load_minutes=2").called("small_load"),
];

/// A job for each file.
pub fn jobs(_context: &Context) -> Vec<Job> {
    GROUPS
        .iter()
        .map(|group| {
            let name = format!("toolstack/{}", group.name);
            Job::many(name.clone(), true, move |context, report| {
                let machine = group.machine(context)?;
                run_some_cases(context, report, &name, machine, group.file, group.length)
            })
            .tail_unless(!group.tail)
        })
        .collect()
}

/// A dom0 that has the repository of the guest's package.
fn serving(context: &Context, disk: &GuestDisk) -> Result<Dom0> {
    let files: &[(&str, &Path)] = &[
        ("repository/guest.deb", &disk.package),
        ("repository/Packages", &disk.list),
    ];
    Dom0::with_files(&context.places, "debian-guest", files)
}

/// Gives a machine a network card and a disk controller that dom0 has no drivers for, the latter with a disk like
/// dom0's; and an I/O MMU where Xen runs on it, which gives no device away without.
fn spare_devices(machine: Machine, dom0: &Dom0, with_io_mmu: bool) -> Machine {
    let disk = dom0.toolstack.iter().map(|disk| {
        let file = disk.display();
        format!("if=none,id=spare,file={file},format=raw,snapshot=on,cache=unsafe")
    });
    let machine = machine
        .devices(["-netdev", "user,id=spare"])
        .devices(["-device", "e1000e,netdev=spare,addr=9"])
        .devices(["-device", "ich9-ahci,id=controller,addr=0xa"])
        .devices(["-device", "ide-hd,drive=spare,bus=controller.0"])
        .devices(disk.flat_map(|drive| ["-drive".to_owned(), drive]));
    if with_io_mmu {
        machine.devices(["-machine", "q35", "-device", "intel-iommu"])
    } else {
        machine
    }
}

/// Boots a machine into the usual cases of a file and reports each as `TEST/NAME`.
///
/// A machine that dies or falls silent fails the case that ran and those that did not.
pub fn run_cases(
    context: &Context,
    report: &Report,
    test: &str,
    machine: Machine,
    file: &str,
) -> Result<()> {
    run_some_cases(context, report, test, machine, file, Length::Usual)
}

/// The same for cases of a length.
fn run_some_cases(
    context: &Context,
    report: &Report,
    test: &str,
    machine: Machine,
    file: &str,
    length: Length,
) -> Result<()> {
    let folder = context.places.root.join("xtask/dom0/toolstack/cases");
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let only = std::env::var("XENOLITH_CASES").unwrap_or_default();
    let mut left = names(&text, length);
    left.retain(|name| only.is_empty() || only.split(',').any(|other| other == name));
    if left.is_empty() {
        bail!("{} has no such cases", path.display());
    }
    let patience = patience();
    let boot = match machine.program {
        Program::Qemu => BOOT,
        Program::Bochs => BOOT * 10,
    };
    let prefix = length.prefix();
    let words = format!("cases={file} prefix={prefix} patience={patience} only={only}");
    let machine = machine.kernel_words(&words);
    let emulator = context.start(test, &machine)?;
    let log = context.log(test)?.display().to_string();
    let mut following = Following {
        report,
        test: test.to_owned(),
        log,
        left,
        running: None,
        complained: false,
    };
    following.follow(emulator, limit(&text) * patience, boot * patience);
    Ok(())
}

/// A boot whose cases are being reported.
struct Following<'a> {
    report: &'a Report,
    test: String,
    log: String,
    /// The cases that have not been reported.
    left: Vec<String>,
    /// The case that runs, and since when.
    running: Option<(String, Instant)>,
    complained: bool,
}

impl Following<'_> {
    /// Reports case by case, each of which has `limit`; the first may be `boot` away.
    fn follow(&mut self, mut emulator: Emulator, limit: Duration, boot: Duration) {
        loop {
            let wait = if self.running.is_some() { limit } else { boot };
            match emulator.wait_for(MARKS, wait) {
                Ok(line) if self.takes(&line.text) => {}
                Ok(line) => return self.ends(line.text.trim()),
                Err(error) => return self.ends(&format!("{error:#}")),
            }
        }
    }

    /// Takes a line; `false` if it is the last that there is to say.
    fn takes(&mut self, line: &str) -> bool {
        if let Some((_, name)) = line.split_once("RUN ") {
            self.running = Some((name.trim().to_owned(), Instant::now()));
        } else if let Some((_, rest)) = line.split_once("CASE ") {
            let (name, result) = rest.split_once(' ').unwrap_or((rest, ""));
            let result = match result.trim() {
                "ok" => Ok(()),
                why => Err(why.trim_start_matches("FAIL: ").to_owned()),
            };
            let took = self.running.take().map(|(_, begun)| begun.elapsed());
            self.verdict(name, took, result);
            self.left.retain(|other| other != name);
        } else if let Some((_, complaint)) = line.split_once("CASES complaint: ") {
            self.verdict(CONTENT, None, Err(complaint.trim().to_owned()));
            self.complained = true;
        } else {
            return false;
        }
        true
    }

    /// The boot is over: the case that ran has failed for this reason, and others were not run.
    fn ends(&self, why: &str) {
        if why.starts_with(DONE) && !self.complained {
            self.verdict(CONTENT, None, Ok(()));
        }
        for name in &self.left {
            let ran = self.running.as_ref().is_some_and(|(case, _)| case == name);
            let reason = if ran {
                why.to_owned()
            } else {
                format!("not run: {why}")
            };
            self.verdict(name, None, Err(reason));
        }
    }

    fn verdict(&self, name: &str, took: Option<Duration>, result: Result<(), String>) {
        let result = result.map_err(|why| format!("{why} [{}]", self.log));
        let name = format!("{}/{}", self.test, name.replace('_', " "));
        self.report.result(&name, took, result);
    }
}

/// The test behind all cases of a file: dom0's kernel has logged nothing bad.
const CONTENT: &str = "and dom0's kernel is content";

/// All cases were run.
const DONE: &str = "CASES done";

/// What the console says about cases, and what means that no more will come.
const MARKS: &[&str] = &[
    "RUN ",
    "CASE ",
    "CASES complaint: ",
    DONE,
    "dom0: failed",
    "(XEN) Panic on CPU",
    "(XEN) Xenolith panic",
];

/// How many times longer than usual everything may take: on a machine with much else to do,
/// `XENOLITH_PATIENCE` says so.
fn patience() -> u32 {
    std::env::var("XENOLITH_PATIENCE")
        .ok()
        .and_then(|number| number.parse().ok())
        .unwrap_or(1)
}

/// The names of a file's cases, as `run-cases` in dom0 finds them.
fn names(text: &str, length: Length) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.strip_prefix(length.prefix())?.strip_suffix("() {"))
        .map(str::to_owned)
        .collect()
}

/// The time that one case has: twice what dom0 gives it, which then says so itself.
fn limit(text: &str) -> Duration {
    let seconds = text
        .lines()
        .find_map(|line| line.strip_prefix("#! limit="))
        .and_then(|number| number.trim().parse().ok())
        .unwrap_or(90);
    Duration::from_secs(seconds * 2 + 30)
}

#[cfg(test)]
mod tests;
