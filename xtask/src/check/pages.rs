//! The pages in `docs/`: the generated one is current, and links lead somewhere.

use crate::places::Places;
use anyhow::{bail, Context, Result};
use std::path::{Path, PathBuf};

/// `docs/coverage.md` is what the table of hypercalls says.
pub fn coverage(places: &Places) -> Result<()> {
    let (path, text) = generated(places)?;
    if std::fs::read_to_string(&path).unwrap_or_default() != text {
        bail!("docs/coverage.md is not what crate `calls` says (`./x check --write` mends it)");
    }
    Ok(())
}

/// Writes `docs/coverage.md` from the table of hypercalls.
pub fn write_coverage(places: &Places) -> Result<()> {
    let (path, text) = generated(places)?;
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn generated(places: &Places) -> Result<(PathBuf, String)> {
    let mut text = String::new();
    calls::write_markdown(&mut text).context("the table of hypercalls has no page")?;
    Ok((places.root.join("docs/coverage.md"), text))
}

/// Every link from one page to another file finds it, and the summary names every page.
pub fn links(places: &Places) -> Result<()> {
    let docs = places.root.join("docs");
    let mut pages = vec![
        places.root.join("README.md"),
        places.root.join("CONTRIBUTING.md"),
    ];
    collect(&docs, &mut pages)?;
    let summary = std::fs::read_to_string(docs.join("SUMMARY.md")).unwrap_or_default();
    let mut wrong = Vec::new();
    for page in &pages {
        let text = std::fs::read_to_string(page)
            .with_context(|| format!("cannot read {}", page.display()))?;
        let folder = page.parent().unwrap_or(&docs);
        for target in targets(&text) {
            if !folder.join(target).exists() {
                wrong.push(format!("{} links to {target}", page.display()));
            }
        }
        if let Ok(inside) = page.strip_prefix(&docs) {
            let inside = inside.display().to_string();
            if inside != "SUMMARY.md" && !summary.contains(&format!("({inside})")) {
                wrong.push(format!("docs/SUMMARY.md does not name {inside}"));
            }
        }
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("; "));
    }
    Ok(())
}

/// The files that a page's links and pictures name.
fn targets(text: &str) -> Vec<&str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains("://"))
        .collect()
}

fn collect(folder: &Path, pages: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, pages)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    pages.sort();
    Ok(())
}

#[cfg(test)]
mod tests;
