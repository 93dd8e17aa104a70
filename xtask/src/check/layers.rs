//! Which crate may use which: the arrows point down only, and every crate inherits the lints.

use crate::places::Places;
use anyhow::{bail, Context, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// The folders from the lowest layer up. A crate may use those of its own layer and below.
const LAYERS: &[&str] = &["abi", "core", "hw", "hypervisor"];

/// What stands beside the layers, and the layers each may use.
const BESIDE: &[(&str, &[&str])] = &[("guests", &["abi", "guests"]), ("xtask", &["abi", "core"])];

/// Crates that cannot forbid `unsafe` and so have lints of their own.
const OWN_LINTS: &[&str] = &[
    "hw",
    "guest-kit",
    "guest-suite",
    "guest-isolation",
    "guest-load",
];

/// One crate of the workspace.
struct Member {
    name: String,
    /// The first folder of its path.
    place: String,
    manifest: String,
}

/// Every dependency inside the workspace points down.
pub fn arrows(places: &Places) -> Result<()> {
    let members = members(&places.root)?;
    let place_of: BTreeMap<&str, &str> = members
        .iter()
        .map(|member| (member.name.as_str(), member.place.as_str()))
        .collect();
    let mut wrong = Vec::new();
    for member in &members {
        for dependency in dependencies(&member.manifest) {
            let Some(below) = place_of.get(dependency) else {
                continue; // from the registry
            };
            if !may_use(&member.place, below) {
                wrong.push(format!("{} uses {dependency}", member.name));
            }
        }
    }
    fail_with(&wrong)
}

/// Every crate but the named ones inherits the workspace's lints, which forbid `unsafe`.
pub fn lints(places: &Places) -> Result<()> {
    let wrong: Vec<String> = members(&places.root)?
        .iter()
        .filter(|member| !OWN_LINTS.contains(&member.name.as_str()))
        .filter(|member| !member.manifest.contains("[lints]\nworkspace = true"))
        .map(|member| format!("{} does not inherit the lints", member.name))
        .collect();
    fail_with(&wrong)
}

fn may_use(above: &str, below: &str) -> bool {
    if let Some((_, allowed)) = BESIDE.iter().find(|(place, _)| *place == above) {
        return allowed.contains(&below);
    }
    let level = |place: &str| LAYERS.iter().position(|layer| *layer == place);
    matches!((level(above), level(below)), (Some(above), Some(below)) if below <= above)
}

/// The names in a manifest's tables of dependencies; tests may use what they like.
fn dependencies(manifest: &str) -> Vec<&str> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line == "[dependencies]";
        } else if inside {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            if !name.is_empty() && !name.starts_with('#') {
                names.push(name);
            }
        }
    }
    names
}

fn members(root: &Path) -> Result<Vec<Member>> {
    let mut found = Vec::new();
    for place in LAYERS.iter().chain(BESIDE.iter().map(|(place, _)| place)) {
        let folder = root.join(place);
        let mut manifests = vec![folder.join("Cargo.toml")];
        for entry in std::fs::read_dir(&folder)? {
            manifests.push(entry?.path().join("Cargo.toml"));
        }
        for path in manifests.iter().filter(|path| path.is_file()) {
            let manifest = std::fs::read_to_string(path)?;
            let name = manifest
                .lines()
                .find_map(|line| line.strip_prefix("name = \""))
                .and_then(|rest| rest.strip_suffix('"'))
                .with_context(|| format!("{} has no name", path.display()))?
                .to_owned();
            found.push(Member {
                name,
                place: (*place).to_owned(),
                manifest,
            });
        }
    }
    Ok(found)
}

fn fail_with(wrong: &[String]) -> Result<()> {
    if !wrong.is_empty() {
        bail!("{}", wrong.join("; "));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
