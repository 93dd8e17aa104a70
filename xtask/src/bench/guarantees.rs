//! What schedulers promise, measured beside Debian's Xen: `x bench --part guarantees`. Two boots a side, in which dom0
//! measures under one policy after the other, by the machine's own clock: on QEMU (`xtask/dom0/toolstack/guarantees`), and,
//! for guests with many vCPUs that share two processors, on Bochs (`xtask/dom0/toolstack/parallel`).

use super::lines::{self, Panel, Series};
use crate::dom0::Dom0;
use crate::emulator::Emulator;
use crate::machine::{Hypervisor, Machine};
use crate::places::Places;
use anyhow::{bail, Context, Result};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// How long one measurement may take, a boot on Bochs included.
const LIMIT: Duration = Duration::from_secs(3600);

/// A row of the table: its name without the policy, what it is, what is promised, and what a unit of the value is.
struct Row(&'static str, &'static str, &'static str, f64);

/// Ten thousandths as percent, and nanoseconds as microseconds and milliseconds.
const PERCENT: f64 = 0.01;
const MICROSECONDS: f64 = 0.001;
const MILLISECONDS: f64 = 0.000_001;

const ROWS: &[Row] = &[
    Row("weights_w1", "weight 1 of 1:2:4, %", "14.3 ± 3 %", PERCENT),
    Row("weights_w1_own", "by its own account", "", PERCENT),
    Row("weights_w2", "weight 2, %", "28.6 ± 3 %", PERCENT),
    Row("weights_w2_own", "by its own account", "", PERCENT),
    Row("weights_w4", "weight 4, %", "57.1 ± 3 %", PERCENT),
    Row("weights_w4_own", "by its own account", "", PERCENT),
    Row("cap_w4", "cap of 50 %, alone", "50 ± 2 %", PERCENT),
    Row("cap_w4_own", "by its own account", "", PERCENT),
    Row(
        "company_w4",
        "that cap on weight 4 of 1:2:4",
        "50 ± 2 %",
        PERCENT,
    ),
    Row("company_w4_own", "by its own account", "", PERCENT),
    Row("wakes", "wake-ups beside three that burn", "", 1.0),
    Row("wake_median", "median delay, µs", "", MICROSECONDS),
    Row("wake_p99", "of 99 in 100, µs", "≤ 1000", MICROSECONDS),
    Row(
        "game_ticks",
        "one of four dodges ticks, %",
        "≤ 26.25",
        PERCENT,
    ),
    Row(
        "game_slices",
        "dodges the ends of turns, %",
        "≤ 26.25",
        PERCENT,
    ),
    Row("game_naps", "naps every millisecond, %", "≤ 26.25", PERCENT),
    Row("game_yields", "yields every 100 µs, %", "≤ 26.25", PERCENT),
    Row("game_events", "sends itself events, %", "≤ 26.25", PERCENT),
    Row("game_timers", "sets timers at once, %", "≤ 26.25", PERCENT),
    Row(
        "game_others",
        "least of the three meanwhile, %",
        "≥ 24.5",
        PERCENT,
    ),
    Row(
        "game_ipis",
        "two of five vCPUs wake each other, %",
        "≤ 41.55",
        PERCENT,
    ),
    Row("periods", "periods of 10 ms, 1.9 of work", "", 1.0),
    Row("periods_missed", "of them missed", "0 (`rtds`)", 1.0),
    Row(
        "periods_worst",
        "worst end, ms",
        "≤ 10 (`rtds`)",
        MILLISECONDS,
    ),
    Row(
        "parallel_2",
        "build, 2 vCPUs on 2 CPUs, ms",
        "",
        MILLISECONDS,
    ),
    Row(
        "parallel_8",
        "build, 8 vCPUs on 2 CPUs, ms",
        "",
        MILLISECONDS,
    ),
    Row("parallel_loss", "8 lose against 2, %", "≤ 15", PERCENT),
];

/// What one side said.
#[derive(Default)]
struct Said {
    rows: BTreeMap<String, f64>,
    /// For each policy, measurement and guest: when, and how long it had run, in nanoseconds.
    samples: BTreeMap<(String, String, String), Vec<(f64, f64)>>,
}

/// A side under a policy.
struct Column<'a> {
    side: &'static str,
    policy: &'static str,
    said: &'a Said,
}

impl Column<'_> {
    fn value(&self, row: &Row) -> Option<f64> {
        let value = self.said.rows.get(&format!("{}_{}", self.policy, row.0))?;
        Some(value * row.3)
    }

    /// A guest's share against time.
    fn series(&self, what: &str, guest: &str, name: &str) -> Option<Series> {
        let key = (self.policy.to_owned(), what.to_owned(), guest.to_owned());
        let samples = self.said.samples.get(&key)?;
        let (begin, _) = *samples.first()?;
        let points = samples.windows(2).filter_map(|pair| match pair {
            [(from, before), (to, after)] if to > from => {
                let share = (after - before) * 100.0 / (to - from);
                Some(((to - begin) / 1e9, share))
            }
            _ => None,
        });
        Some(Series {
            name: name.to_owned(),
            points: points.collect(),
        })
    }

    fn panel(&self, lines: &[(&str, &str, &str)], promised: &[f64]) -> Panel {
        let series = lines
            .iter()
            .filter_map(|(what, guest, name)| self.series(what, guest, name));
        Panel {
            title: format!("{}, {}", self.side, self.policy),
            series: series.collect(),
            promised: promised.to_vec(),
        }
    }
}

/// Measures all sides, or of each parallel work only; prints the table, and leaves it with its plots in `docs/` if asked to.
pub fn run(
    places: &Places,
    dom0: &Dom0,
    sides: &[Hypervisor],
    only_parallel: bool,
    write: bool,
) -> Result<()> {
    let mut all = Vec::new();
    for side in sides.iter().filter(|side| **side != Hypervisor::Bare) {
        eprintln!("x: measuring the guarantees of {}", side.name());
        all.push((side.name(), measure(places, dom0, side, only_parallel)?));
    }
    // Ours first.
    all.reverse();
    let policies = ["credit2", "credit", "rtds"];
    let columns: Vec<Column> = all
        .iter()
        .flat_map(|(side, said)| policies.map(|policy| Column { side, policy, said }))
        .filter(|column| ROWS.iter().any(|row| column.value(row).is_some()))
        .collect();
    let table = table(&columns);
    print!("{table}");
    if write {
        write_down(places, &columns, &table)?;
    }
    Ok(())
}

/// Both boots of a side, or that for parallel work.
fn measure(
    places: &Places,
    dom0: &Dom0,
    hypervisor: &Hypervisor,
    only_parallel: bool,
) -> Result<Said> {
    let mut said = Said::default();
    if !only_parallel {
        let machine = Machine::for_guarantees(hypervisor, dom0, "bench_guarantees");
        listen(places, &machine, "guarantees", &mut said)?;
    }
    let machine = Machine::for_parallel_work(hypervisor, dom0, "bench_overcommit");
    listen(places, &machine, "overcommit", &mut said)?;
    Ok(said)
}

/// One boot: what dom0 says, to its end.
fn listen(places: &Places, machine: &Machine, what: &str, said: &mut Said) -> Result<()> {
    let side = machine.hypervisor.name();
    let log = places.made("bench")?.join(format!("{side}-{what}.log"));
    let mut emulator = Emulator::start(machine, &log)?;
    loop {
        let line = emulator
            .wait_for(&["row ", "sample ", "dom0: passed", "dom0: failed"], LIMIT)
            .with_context(|| format!("{side}; see {}", log.display()))?
            .text;
        let words: Vec<&str> = line.split_whitespace().collect();
        match *words {
            ["dom0:", "passed"] => return Ok(()),
            // A row without a value is missing in the table.
            ["row", name, value] => {
                said.rows.insert(name.to_owned(), value.parse()?);
            }
            ["sample", policy, what, guest, time, ran] => {
                let key = (policy.to_owned(), what.to_owned(), guest.to_owned());
                let sample = (time.parse()?, ran.parse()?);
                said.samples.entry(key).or_default().push(sample);
            }
            ["row", ..] | ["sample", ..] => {}
            _ => bail!("{line}; see {}", log.display()),
        }
    }
}

fn table(columns: &[Column]) -> String {
    let mut text = format!("| {:<31} | {:<14} |", "", "promised");
    for column in columns {
        // Writing into a string cannot fail.
        let _ = write!(
            text,
            " {:>17} |",
            format!("{} {}", column.side, column.policy)
        );
    }
    let _ = write!(text, "\n| {:-<31} | {:-<14} |", "", "");
    for _ in columns {
        let _ = write!(text, " {:->16}: |", "");
    }
    for row in ROWS {
        let _ = write!(text, "\n| {:<31} | {:<14} |", row.1, row.2);
        for column in columns {
            let value = column
                .value(row)
                .map_or(String::new(), |value| figure(row, value));
            let _ = write!(text, " {value:>17} |");
        }
    }
    text.push('\n');
    text
}

/// A value with as many digits as its unit deserves.
fn figure(row: &Row, value: f64) -> String {
    match row.3 {
        PERCENT | MILLISECONDS => format!("{value:.2}"),
        _ => format!("{value:.0}"),
    }
}

/// Writes the page and its plots.
fn write_down(places: &Places, columns: &[Column], table: &str) -> Result<()> {
    let folder = places.root.join("docs/bench");
    std::fs::create_dir_all(&folder)?;
    let weighed: Vec<&Column> = columns
        .iter()
        .filter(|column| column.policy != "rtds")
        .collect();
    let panels = |lines: &[(&str, &str, &str)], promised: &[f64]| -> Vec<Panel> {
        let panels = weighed.iter().map(|column| column.panel(lines, promised));
        panels.collect()
    };
    let weights = panels(
        &[
            ("weights", "w4", "weight 4"),
            ("weights", "w2", "weight 2"),
            ("weights", "w1", "weight 1"),
        ],
        &[100.0 / 7.0, 200.0 / 7.0, 400.0 / 7.0],
    );
    let caps = panels(
        &[
            ("cap", "w4", "alone"),
            ("company", "w4", "beside two others"),
        ],
        &[50.0],
    );
    let weights = lines::draw(
        "Three that burn, with weights 1:2:4, each quarter of a second",
        &weights,
    );
    let caps = lines::draw(
        "One that burns with a cap of 50 %, each quarter of a second",
        &caps,
    );
    std::fs::write(folder.join("weights.svg"), weights)?;
    std::fs::write(folder.join("caps.svg"), caps)?;
    let page = format!(
        "# Guarantees of the schedulers, measured (`./x bench --part guarantees --write`)\n\n\
         Generated: do not edit. What is measured, and how, stands in [the page on guarantees](../guarantees.md).\n\n\
         {table}\n![Shares by weight against time](weights.svg)\n\n![Shares under a cap against time](caps.svg)\n"
    );
    let path = folder.join("guarantees.md");
    std::fs::write(&path, page)?;
    eprintln!("x: wrote {}", path.display());
    Ok(())
}
