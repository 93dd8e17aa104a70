//! Rules that hold for every file: text only; for every source file: length, opening, names, and where `unsafe` may stand.

use crate::places::Places;
use anyhow::{bail, Result};
use std::path::{Path, PathBuf};

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 60;

/// Folders in which `unsafe` may stand: the hardware, what provokes it, and the one line that
/// names the entry point.
const UNSAFE_IN: &[&str] = &["hw/", "guests/"];

/// Names that say nothing about what lives in a file.
const EMPTY_NAMES: &[&str] = &["utils", "util", "common", "misc", "helpers"];

/// A Rust file of the repository.
struct Source {
    /// Relative to the repository.
    name: String,
    text: String,
}

impl Source {
    fn is_test(&self) -> bool {
        self.name.ends_with("tests.rs") || self.name.contains("/tests/")
    }
}

/// Nothing that was downloaded or built lies among the sources, where the next commit would take it along.
pub fn only_text(places: &Places) -> Result<()> {
    let mut found = Vec::new();
    for path in files(places)? {
        if !is_text(&std::fs::read(&path)?) {
            let name = path.strip_prefix(&places.root).unwrap_or(&path);
            found.push(format!("{} is not text", name.display()));
        }
    }
    report(found.into_iter())
}

/// Text as every tool here reads it: UTF-8, and no byte 0, which no archive and no program is without.
fn is_text(bytes: &[u8]) -> bool {
    !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok()
}

/// No file is longer than a reader likes.
pub fn file_length(places: &Places) -> Result<()> {
    report(sources(places)?.iter().filter_map(|source| {
        let lines = source.text.lines().count();
        (lines > FILE_LINES).then(|| format!("{} has {lines} lines", source.name))
    }))
}

/// No function is longer than a screen, tests aside.
pub fn function_length(places: &Places) -> Result<()> {
    let sources = sources(places)?;
    let outside_tests = sources.iter().filter(|source| !source.is_test());
    report(outside_tests.flat_map(|source| {
        functions(&source.text)
            .into_iter()
            .filter(|function| function.lines > FUNCTION_LINES)
            .map(|function| {
                format!(
                    "{}:{} {} has {} lines",
                    source.name, function.at, function.name, function.lines
                )
            })
    }))
}

/// Every file opens by saying what lives in it.
pub fn opening(places: &Places) -> Result<()> {
    report(
        sources(places)?
            .iter()
            .filter(|source| !source.text.starts_with("//!"))
            .map(|source| format!("{} does not open with //!", source.name)),
    )
}

/// `unsafe` stands only where it may. The lints say so too, but a crate can forget to inherit them.
pub fn unsafe_code(places: &Places) -> Result<()> {
    report(
        sources(places)?
            .iter()
            .filter(|source| {
                !UNSAFE_IN
                    .iter()
                    .any(|folder| source.name.starts_with(folder))
            })
            .filter(|source| uses_unsafe(&source.text))
            .map(|source| format!("{} has unsafe code", source.name)),
    )
}

/// File names say what lives there.
pub fn file_names(places: &Places) -> Result<()> {
    report(sources(places)?.iter().filter_map(|source| {
        let stem = Path::new(&source.name).file_stem()?.to_str()?;
        EMPTY_NAMES
            .contains(&stem)
            .then(|| format!("{} is named after nothing", source.name))
    }))
}

/// A line outside comments and strings that opens something unsafe.
fn uses_unsafe(text: &str) -> bool {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .any(|line| {
            ["unsafe {", "unsafe fn ", "unsafe impl ", "unsafe extern "]
                .iter()
                .any(|form| {
                    line.trim_start().starts_with(form) || line.contains(&format!(" {form}"))
                })
        })
        && !text.contains("fn uses_unsafe(")
}

/// A function and how long it is, from its first line to its last.
struct Function {
    name: String,
    at: usize,
    lines: usize,
}

/// The functions of a file as rustfmt lays them out: the closing brace stands under the first letter.
fn functions(text: &str) -> Vec<Function> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else {
            continue;
        };
        let indent = line.len() - line.trim_start().len();
        let closing = format!("{}}}", " ".repeat(indent));
        let rest = lines.iter().skip(number).take_while(|line| {
            // A declaration without a body has no closing brace.
            !(line.ends_with(';') && line.len() - line.trim_start().len() <= indent)
        });
        let length = rest.clone().position(|line| *line == closing);
        if let Some(length) = length {
            found.push(Function {
                name: name.to_owned(),
                at: number + 1,
                lines: length + 1,
            });
        }
    }
    found
}

/// The name that a line's `fn` defines.
fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let words_before = before.split_whitespace().all(|word| {
        word.starts_with("pub")
            || ["const", "unsafe", "extern", "async", "default"].contains(&word)
            || word.starts_with('"')
            || word.ends_with(')')
    });
    let name = after.split(['(', '<']).next()?;
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    (words_before && plain).then_some(name)
}

fn sources(places: &Places) -> Result<Vec<Source>> {
    let rust = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    files(places)?
        .into_iter()
        .filter(rust)
        .map(|path| {
            let name = path.strip_prefix(&places.root).unwrap_or(&path);
            Ok(Source {
                name: name.display().to_string(),
                text: std::fs::read_to_string(&path)?,
            })
        })
        .collect()
}

/// The repository's files in the order of their names, without what is built and what is hidden.
fn files(places: &Places) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    collect(&places.root, &mut files)?;
    files.sort();
    Ok(files)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                collect(&path, files)?;
            }
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// Fails with all that was found, a line each.
fn report(found: impl Iterator<Item = String>) -> Result<()> {
    let found: Vec<String> = found.collect();
    if !found.is_empty() {
        bail!("\n     {}", found.join("\n     "));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
