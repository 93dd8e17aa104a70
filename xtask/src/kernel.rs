//! Debian's stock kernel, as it comes from the package: the boot file and the loadable modules
//! with what they depend on.

use crate::debian;
use crate::places::Places;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The unpacked kernel package.
pub struct Kernel {
    /// The file that a boot loader takes.
    pub boot_file: PathBuf,
    modules: BTreeMap<String, PathBuf>,
}

impl Kernel {
    /// Debian's `linux-image-FLAVOUR`, from the cache or downloaded.
    pub fn from_debian(places: &Places, flavour: &str) -> Result<Self> {
        let package = debian::kernel_package(places, flavour)?;
        let tree = debian::unpacked(places, &package)?;
        let boot_file = file_beginning(&tree.join("boot"), "vmlinuz-")?;
        let mut modules = BTreeMap::new();
        let releases = [tree.join("lib/modules"), tree.join("usr/lib/modules")];
        for folder in releases.iter().filter(|folder| folder.is_dir()) {
            collect(folder, &mut modules)?;
        }
        Ok(Self { boot_file, modules })
    }

    /// The files of the named modules and everything they need, each after what it needs.
    pub fn closure(&self, names: &[&str]) -> Result<Vec<PathBuf>> {
        let mut order = Vec::new();
        for name in names {
            self.visit(name, &mut order)?;
        }
        Ok(order)
    }

    fn visit(&self, name: &str, order: &mut Vec<PathBuf>) -> Result<()> {
        let path = self
            .modules
            .get(&canonical(name))
            .with_context(|| format!("Debian's kernel has no module {name}"))?;
        if order.contains(path) {
            return Ok(());
        }
        for needed in depends(&std::fs::read(path)?) {
            self.visit(&needed, order)?;
        }
        order.push(path.clone());
        Ok(())
    }
}

/// The names in the `depends=` string of a module's `.modinfo` section.
fn depends(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = module.windows(KEY.len()).position(|window| window == KEY) else {
        return Vec::new();
    };
    let value = module
        .iter()
        .skip(at.saturating_add(KEY.len()))
        .take_while(|byte| **byte != 0)
        .copied()
        .collect();
    String::from_utf8(value)
        .unwrap_or_default()
        .split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A module's name has underscores where its file may have hyphens.
fn canonical(name: &str) -> String {
    name.replace('-', "_")
}

fn collect(folder: &Path, modules: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            collect(&path, modules)?;
        } else if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
            if let Some(stem) = name.strip_suffix(".ko") {
                modules.insert(canonical(stem), path.clone());
            }
        }
    }
    Ok(())
}

/// The file of a folder whose name begins with `prefix`.
pub fn file_beginning(folder: &Path, prefix: &str) -> Result<PathBuf> {
    std::fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.starts_with(prefix))
        })
        .with_context(|| format!("no {prefix}* in {}", folder.display()))
}

#[cfg(test)]
mod tests;
