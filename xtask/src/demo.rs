//! `x demo`: from the sources to running guests in one command, told in plain words.
//!
//! What happens in dom0 stands in `xtask/dom0/toolstack/demo`; this file builds, boots and shows.

mod screen;

use crate::arguments::Arguments;
use crate::build::{self, Profile};
use crate::debian;
use crate::dom0::Dom0;
use crate::emulator::Emulator;
use crate::machine::{Hypervisor, Machine};
use crate::places::Places;
use anyhow::{Context, Result};
use screen::Screen;
use std::path::Path;
use std::time::Duration;

const PROCESSORS: u32 = 2;
const MEMORY: u32 = 3072;

/// How long any one thing may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(240);

/// Lines of the hypervisor that are worth a reader's time.
const TELLING: &[&str] = &[
    "Xenolith 0",
    "Xen version",
    "MiB usable",
    "System RAM",
    " processors",
    "Brought up",
    "dom0:",
    "Dom0 has maximum",
];

/// `x demo [--xen]`
pub fn command(mut arguments: Arguments) -> Result<bool> {
    let reference = arguments.flag("--xen");
    arguments.finish()?;
    let places = Places::find()?;
    let log = places.made("test-logs")?.join("demo.log");
    let name = if reference {
        "Debian's Xen"
    } else {
        "Xenolith"
    };
    let mut screen = Screen::new();
    screen.title(&format!("{name}, from nothing to running guests"));
    let result = show(&places, &mut screen, reference, &log);
    match &result {
        Ok(()) => screen.summary(name),
        Err(error) => screen.failure(&format!("{error:#}")),
    }
    screen.note(&format!("the console's log: {}", log.display()));
    Ok(result.is_ok())
}

fn show(places: &Places, screen: &mut Screen, reference: bool, log: &Path) -> Result<()> {
    debian::install(debian::EMULATOR)?;
    let hypervisor = hypervisor(places, screen, reference)?;
    screen.step(
        "Making dom0: Debian's kernel and Xen toolstack from its packages, and what guests boot",
    );
    let dom0 = Dom0::with_toolstack(places)?;
    screen.done("xl, oxenstored, xenconsoled, QEMU's back ends: as Debian ships them");
    screen.step(&format!(
        "Switching on a machine with {PROCESSORS} processors and {MEMORY} MiB (QEMU, emulated)"
    ));
    let machine = Machine::with_toolstack(&hypervisor, &dom0, "demo")
        .processors(PROCESSORS)
        .memory(MEMORY);
    let mut emulator = Emulator::start(&machine, log)?;
    boots(&mut emulator, screen)?;
    guests(&mut emulator, screen)
}

fn hypervisor(places: &Places, screen: &mut Screen, reference: bool) -> Result<Hypervisor> {
    if reference {
        screen.step("Taking Debian's Xen from its package");
        let xen = Hypervisor::debian_xen(places)?;
        screen.done("xen-hypervisor-4.17-amd64");
        return Ok(xen);
    }
    if let Some(image) = build::given() {
        return Ok(Hypervisor::Xenolith(image));
    }
    screen.step("Building the hypervisor from its Rust sources");
    let image = build::image(places, Profile::Release)?;
    screen.done(&format!(
        "{} KiB, as /boot has it: {}",
        image.gzipped.metadata()?.len() / 1024,
        image.gzipped.display()
    ));
    Ok(Hypervisor::Xenolith(image.elf))
}

/// Shows the boot up to the first program of dom0 and to the toolstack.
fn boots(emulator: &mut Emulator, screen: &mut Screen) -> Result<()> {
    loop {
        let line = emulator.wait_for(&["(XEN)", "dom0: init"], LIMIT)?.text;
        if line.contains("dom0: init") {
            break;
        }
        if TELLING.iter().any(|text| line.contains(text)) {
            screen.output(line.trim());
        }
    }
    screen.done("Debian's kernel runs its first program as dom0");
    screen.step("Starting Debian's toolstack: XenStore, the console daemon, a bridge");
    let line = emulator
        .wait_for(&["dom0: toolstack ready", "dom0: failed"], LIMIT)?
        .text;
    anyhow::ensure!(line.contains("ready"), "{line}");
    screen.done("xl can be used");
    Ok(())
}

/// Shows what the script in dom0 does.
fn guests(emulator: &mut Emulator, screen: &mut Screen) -> Result<()> {
    loop {
        let line = emulator.wait_for(&["demo: "], LIMIT)?.text;
        let (_, text) = line.split_once("demo: ").context("a line of the demo")?;
        let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
        match kind {
            "step" => screen.step(rest),
            "$" => screen.command(rest),
            "|" => screen.output(rest),
            "ok" => screen.done(rest),
            "failed" => anyhow::bail!("{rest}"),
            "end" => return Ok(()),
            _ => {}
        }
    }
}
