//! The initramfs that every dom0 of ours starts from: Debian's busybox, the kernel modules of the
//! emulated devices, two small C programs and the scenarios (`xtask/dom0/`).

use crate::archive::Archive;
use crate::debian;
use crate::kernel::Kernel;
use crate::places::Places;
use crate::process;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Groups of modules that a scenario loads by name, with the modules each one needs.
const MODULE_GROUPS: &[(&str, &[&str])] = &[
    ("virtio-disk", &["virtio_pci", "virtio_blk"]),
    ("ahci", &["ahci", "sd_mod"]),
    ("ide", &["ata_piix", "sd_mod"]),
    ("virtio-net", &["virtio_pci", "virtio_net"]),
    ("e1000", &["e1000"]),
    (
        "interactive",
        &[
            "virtio_pci",
            "virtio_blk",
            "virtio_net",
            "crc32c_generic",
            "ext4",
        ],
    ),
];

/// What dom0 is booted from.
pub struct Dom0 {
    /// Debian's kernel.
    pub kernel: PathBuf,
    /// The initramfs.
    pub initramfs: PathBuf,
}

impl Dom0 {
    /// Puts the initramfs together; quick when everything is in the cache.
    pub fn assemble(places: &Places) -> Result<Self> {
        debian::install(debian::C_COMPILER)?;
        let kernel = Kernel::from_debian(places)?;
        let folder = places.made("dom0")?;
        let mut archive = Archive::new();
        for name in ["dev", "proc", "sys", "tmp", "sbin"] {
            archive.folder(name);
        }
        archive.character_device("dev/console", 5, 1);
        add_busybox(places, &mut archive)?;
        for name in ["microbench", "churn"] {
            let source = places.root.join(format!("xtask/dom0/{name}.c"));
            let program = folder.join(name);
            compile(&source, &program)?;
            archive.program(&format!("bin/{name}"), &program)?;
        }
        add_modules(&kernel, &mut archive)?;
        add_scripts(places, &mut archive)?;
        let initramfs = folder.join("initramfs.cpio");
        std::fs::write(&initramfs, archive.finish())?;
        Ok(Self {
            kernel: kernel.boot_file,
            initramfs,
        })
    }
}

fn add_busybox(places: &Places, archive: &mut Archive) -> Result<()> {
    let tree = debian::unpacked(places, "busybox-static")?;
    let program = [tree.join("bin/busybox"), tree.join("usr/bin/busybox")]
        .into_iter()
        .find(|path| path.is_file())
        .unwrap_or_else(|| tree.join("bin/busybox"));
    archive.program("bin/busybox", &program)?;
    let list = process::capture(Command::new(&program).arg("--list"))?;
    for applet in list.lines().filter(|applet| *applet != "busybox") {
        archive.link(&format!("bin/{applet}"), "/bin/busybox");
    }
    Ok(())
}

fn add_modules(kernel: &Kernel, archive: &mut Archive) -> Result<()> {
    let mut stored = std::collections::BTreeSet::new();
    for (group, names) in MODULE_GROUPS {
        let mut list = String::new();
        for path in kernel.closure(names)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let inside = format!("modules/files/{name}");
            list.push_str(&format!("/{inside}\n"));
            if stored.insert(inside.clone()) {
                archive.file(&inside, 0o644, &std::fs::read(&path)?);
            }
        }
        archive.file(&format!("modules/{group}"), 0o644, list.as_bytes());
    }
    Ok(())
}

fn add_scripts(places: &Places, archive: &mut Archive) -> Result<()> {
    let folder = places.root.join("xtask/dom0");
    archive.program("init", &folder.join("init.sh"))?;
    let mut scenarios: Vec<PathBuf> = std::fs::read_dir(folder.join("scenarios"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    scenarios.sort();
    for path in scenarios {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        archive.file(&format!("scenarios/{name}"), 0o644, &std::fs::read(&path)?);
    }
    Ok(())
}

/// Compiles a program so that it needs nothing in dom0; does nothing if it is newer than its source.
fn compile(source: &Path, program: &Path) -> Result<()> {
    let changed = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    if changed(program).is_some_and(|built| Some(built) > changed(source)) {
        return Ok(());
    }
    process::show(
        Command::new("gcc")
            .args(["-O2", "-static", "-pthread", "-Wall", "-Wextra", "-o"])
            .args([program, source]),
    )
}
