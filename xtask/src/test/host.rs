//! The tests that need no machine: `cargo test` of every crate that builds on the host.

use super::context::Context;
use super::jobs::{Job, Report};
use crate::debian;
use anyhow::{bail, Result};
use std::path::Path;
use std::process::Command;

/// One job a crate: `abi`, `xtask`, `fuzz` and those below `core/`.
pub fn jobs(context: &Context) -> Vec<Job> {
    let mut folders = vec!["abi".to_owned()];
    let core = context.places.root.join("core");
    let mut subjects: Vec<String> = std::fs::read_dir(&core)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| core.join(name).join("Cargo.toml").is_file())
        .map(|name| format!("core/{name}"))
        .collect();
    subjects.sort();
    folders.extend(subjects);
    folders.push("xtask".to_owned());
    folders.push("fuzz".to_owned());
    folders
        .into_iter()
        .map(|folder| {
            Job::many(format!("host/{folder}"), false, move |context, report| {
                crate_tests(context, report, &folder)
            })
        })
        .collect()
}

fn crate_tests(context: &Context, report: &Report, folder: &str) -> Result<()> {
    if folder == "abi" {
        debian::install(debian::XEN_HEADERS)?;
        debian::install(debian::C_COMPILER)?;
    }
    let manifest = context.places.root.join(folder).join("Cargo.toml");
    let output = Command::new("cargo")
        .current_dir(&context.places.root)
        .args(["test", "--manifest-path"])
        .arg(&manifest)
        .env("CARGO_TERM_COLOR", "never")
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let log = context.log(&format!("host-{folder}"))?;
    std::fs::write(&log, format!("{errors}\n{text}"))?;
    let mut failed = false;
    for (name, good) in text.lines().filter_map(result_line) {
        failed |= !good;
        let result = if good {
            Ok(())
        } else {
            Err(reason(&text, name, &log))
        };
        report.result(&format!("host/{folder} {name}"), None, result);
    }
    if !output.status.success() && !failed {
        let error = errors.lines().find(|line| line.starts_with("error"));
        bail!(
            "{} [{}]",
            error.unwrap_or("cargo test failed"),
            log.display()
        );
    }
    Ok(())
}

/// `test NAME ... ok` as the name and whether it passed; an ignored test is no result.
fn result_line(line: &str) -> Option<(&str, bool)> {
    let (name, result) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    match result {
        "ok" => Some((name, true)),
        "FAILED" => Some((name, false)),
        _ => None,
    }
}

/// The line after the panic's place in what a failed test printed.
fn reason(text: &str, name: &str, log: &Path) -> String {
    let said = text
        .split_once(&format!("---- {name} stdout ----"))
        .and_then(|(_, rest)| rest.lines().find(|line| line.contains("panicked at")))
        .unwrap_or("failed");
    format!("{} [{}]", said.trim(), log.display())
}

#[cfg(test)]
mod tests;
