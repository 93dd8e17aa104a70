//! One run of the micro-benchmarks on one machine.

use super::rows;
use crate::dom0::Dom0;
use crate::emulator::Emulator;
use crate::machine::{Hypervisor, Machine, Pace};
use crate::places::Places;
use anyhow::{bail, Context, Result};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Memory of the machine and what dom0 gets of it, in MiB.
const MEMORY: u32 = 3072;
const DOM0_MEMORY: u32 = 1024;

/// How long a run may take; counted runs are the slow ones.
const LIMIT: Duration = Duration::from_secs(600);

/// Values by row name: thousands of instructions or microseconds (times), or KiB (sizes).
pub type Measured = BTreeMap<String, f64>;

/// Boots dom0, runs the micro-benchmarks and collects what the console says.
pub fn measure(
    places: &Places,
    dom0: &Dom0,
    hypervisor: &Hypervisor,
    pace: Pace,
) -> Result<Measured> {
    let mut machine = Machine::with_dom0(hypervisor, dom0, "bench")
        .words(&format!("dom0_mem={DOM0_MEMORY}M"))
        .memory(MEMORY);
    machine.pace = pace;
    if *hypervisor == Hypervisor::Bare {
        machine = machine.memory(DOM0_MEMORY);
    }
    let folder = places.made("bench")?;
    let log = folder.join(format!("{}.log", hypervisor.name()));
    let mut emulator = Emulator::start(&machine, &log)?;
    let mut measured = Measured::new();
    let init = emulator.wait_for(&["dom0: init"], LIMIT)?;
    let ticks = number_after(&emulator.wait_for(&["ticks "], LIMIT)?.text, "ticks ")?;
    let boot = match pace {
        Pace::Counted => ticks / 1e3,
        Pace::Free => init.at.as_secs_f64() * 1e6,
    };
    measured.insert(rows::BOOT.to_owned(), boot);
    collect(&mut emulator, &mut measured)
        .with_context(|| format!("{}; see {}", hypervisor.name(), log.display()))?;
    if let Some(kept) = memory_kept(&mut emulator, hypervisor)? {
        measured.insert(rows::MEMORY_KEPT.to_owned(), kept);
    }
    Ok(measured)
}

/// Boots a kernel of our own that measures, with so many vCPUs, and collects its rows. Counted runs only: its unit is
/// the tick of the time-stamp counter, which is an instruction there.
pub fn measure_own_kernel(
    places: &Places,
    program: &Path,
    vcpus: u32,
    hypervisor: &Hypervisor,
) -> Result<Measured> {
    let modules = vec![(program.to_owned(), String::new())];
    let words = format!("dom0_mem=256M dom0_max_vcpus={vcpus}");
    let mut machine = Machine::with_modules(hypervisor, modules).words(&words);
    machine.pace = Pace::Counted;
    let program = program.file_name().unwrap_or_default().to_string_lossy();
    let log = places
        .made("bench")?
        .join(format!("{}-{program}.log", hypervisor.name()));
    let mut emulator = Emulator::start(&machine, &log)?;
    let mut measured = Measured::new();
    loop {
        let line = emulator
            .wait_for(&["BENCH ", "BENCH-END"], LIMIT)
            .with_context(|| format!("{}; see {}", hypervisor.name(), log.display()))?
            .text;
        let Some((_, row)) = line.split_once("BENCH ") else {
            return Ok(measured);
        };
        if let Some((name, value)) = row.split_once(' ') {
            let ticks: f64 = value.trim().parse().context("a row has a number")?;
            measured.insert(name.to_owned(), ticks / 1e3);
        }
    }
}

/// Boots dom0 with Debian's toolstack and collects the rows that need guests.
pub fn measure_guests(
    places: &Places,
    dom0: &Dom0,
    hypervisor: &Hypervisor,
    pace: Pace,
) -> Result<Measured> {
    let mut machine = Machine::with_toolstack(hypervisor, dom0, "bench").processors(1);
    if pace == Pace::Counted {
        machine = machine.kernel_words("pace=counted");
    }
    machine.pace = pace;
    let log = places
        .made("bench")?
        .join(format!("{}-guests.log", hypervisor.name()));
    let mut emulator = Emulator::start(&machine, &log)?;
    emulator.wait_for(&["dom0: toolstack ready"], LIMIT)?;
    let mut measured = Measured::new();
    collect(&mut emulator, &mut measured)
        .with_context(|| format!("{}; see {}", hypervisor.name(), log.display()))?;
    Ok(measured)
}

/// Takes rows from the console until the benchmark says that it is through.
fn collect(emulator: &mut Emulator, measured: &mut Measured) -> Result<()> {
    loop {
        let line = emulator
            .wait_for(&["row ", "dom0: passed", "dom0: failed"], LIMIT)?
            .text;
        if line.contains("dom0: failed") {
            bail!("{line}");
        }
        let Some((_, row)) = line.split_once("row ") else {
            return Ok(());
        };
        let (name, value) = row
            .split_once(' ')
            .context("a row has a name and a value")?;
        // A row without a value is missing in the table.
        if let Ok(value) = value.trim().parse() {
            measured.insert(name.to_owned(), value);
        }
    }
}

/// KiB that the hypervisor keeps: all the machine's RAM without what is free and what dom0 has.
fn memory_kept(emulator: &mut Emulator, hypervisor: &Hypervisor) -> Result<Option<f64>> {
    let lines = emulator.lines();
    match hypervisor {
        Hypervisor::Bare => Ok(None),
        Hypervisor::Xenolith(_) => Ok(lines
            .iter()
            .find(|line| line.text.contains("memory kept"))
            .and_then(|line| number_after(&line.text, "memory kept ").ok())),
        Hypervisor::Xen(_) => {
            let total = lines
                .iter()
                .find(|line| line.text.contains("System RAM: "))
                .and_then(|line| line.text.rsplit_once('('))
                .context("Xen has not said how much memory there is")?;
            let total = number_after(total.1, "")?;
            let free = xen_free_memory(emulator)?;
            Ok(Some(total - free - f64::from(DOM0_MEMORY) * 1024.0))
        }
    }
}

/// Xen's debug key `m`, whose answer says what is free for Xen itself and for domains, in KiB.
fn xen_free_memory(emulator: &mut Emulator) -> Result<f64> {
    emulator.send("\x01\x01\x01m")?;
    let xen = emulator.wait_for(&["Xen heap: "], LIMIT)?.text;
    let domains = emulator.wait_for(&["Dom heap: "], LIMIT)?.text;
    Ok(number_after(&xen, "heap: ")? + number_after(&domains, "heap: ")?)
}

/// The number that begins right after a text.
fn number_after(line: &str, text: &str) -> Result<f64> {
    let rest = line
        .find(text)
        .and_then(|at| line.get(at.saturating_add(text.len())..))
        .with_context(|| format!("no `{text}` in `{line}`"))?;
    let digits: String = rest
        .trim_start()
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    digits
        .parse()
        .with_context(|| format!("no number after `{text}` in `{line}`"))
}

/// The median of each row over several runs.
pub fn median(runs: &[Measured]) -> Measured {
    let names = runs.iter().flat_map(BTreeMap::keys);
    let mut result = Measured::new();
    for name in names {
        let mut values: Vec<f64> = runs
            .iter()
            .filter_map(|run| run.get(name).copied())
            .collect();
        values.sort_by(f64::total_cmp);
        if let Some(value) = values.get(values.len() / 2) {
            result.insert(name.clone(), *value);
        }
    }
    result
}

#[cfg(test)]
mod tests;
