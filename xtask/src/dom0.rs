//! The initramfs that every dom0 of ours starts from: Debian's busybox, the kernel modules of the
//! emulated devices, two small C programs and the scenarios (`xtask/dom0/`).

use crate::archive::Archive;
use crate::busybox;
use crate::debian;
use crate::guests::{self, Guest};
use crate::kernel::Kernel;
use crate::places::{self, Places};
use crate::toolchain::Toolchain;
use crate::toolstack;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// The emulated devices of a machine that has a disk and a network.
const DISK_AND_NETWORK: &[&str] = &["virtio_pci", "virtio_blk", "virtio_net"];

/// Groups of modules that a scenario loads by name, with lists of the modules each one needs.
const MODULE_GROUPS: &[(&str, &[&[&str]])] = &[
    ("virtio-disk", &[&["virtio_pci", "virtio_blk"]]),
    ("ahci", &[&["ahci", "sd_mod"]]),
    ("ide", &[&["ata_piix", "sd_mod"]]),
    ("virtio-net", &[&["virtio_pci", "virtio_net"]]),
    ("e1000", &[&["e1000"]]),
    ("interactive", &[DISK_AND_NETWORK, guests::FILE_SYSTEM]),
    (
        "toolstack",
        &[
            DISK_AND_NETWORK,
            guests::FILE_SYSTEM,
            guests::BACK_ENDS,
            &["tun"],
        ],
    ),
    ("pciback", &[&["xen-pciback"]]),
];

/// What dom0 is booted from.
pub struct Dom0 {
    /// Debian's kernel.
    pub kernel: PathBuf,
    /// The initramfs.
    pub initramfs: PathBuf,
    /// The disk with Debian's toolstack, if it has one.
    pub toolstack: Option<PathBuf>,
}

impl Dom0 {
    /// Puts the initramfs together; quick when everything is in the cache.
    pub fn assemble(places: &Places) -> Result<Self> {
        let kernel = Kernel::from_debian(places, "amd64")?;
        let archive = start(places, &kernel)?;
        Self::stored(places, kernel, archive, "initramfs.cpio", None)
    }

    /// The same with Debian's toolstack on a disk, and with guests to create.
    pub fn with_toolstack(places: &Places) -> Result<Self> {
        Self::with_files(places, "toolstack", &[])
    }

    /// The same with more files, each a path below `/opt/xenolith` and where it is copied from;
    /// `name` tells this initramfs from others.
    pub fn with_files(places: &Places, name: &str, files: &[(&str, &Path)]) -> Result<Self> {
        let kernel = Kernel::from_debian(places, "amd64")?;
        let mut archive = start(places, &kernel)?;
        for (name, flavour) in guests::FLAVOURS {
            let guest = Guest::assemble(places, name, flavour)?;
            let folder = format!("toolstack/guests/{}", guest.name);
            let boot_file = std::fs::read(&guest.kernel)?;
            archive.file(&format!("{folder}/vmlinuz"), 0o644, &boot_file);
            archive.file(&format!("{folder}/initramfs"), 0o644, &guest.initramfs);
        }
        let scripts = places.root.join("xtask/dom0/toolstack");
        add_folder(&mut archive, "toolstack", &scripts, 0o755)?;
        for (inside, path) in files {
            archive.program(&format!("toolstack/{inside}"), path)?;
        }
        let disk = toolstack::disk(places)?;
        Self::stored(places, kernel, archive, &format!("{name}.cpio"), Some(disk))
    }

    /// The same with guests of our own to create: programs of one of the packages in `guests/`.
    pub fn with_own_guests(
        places: &Places,
        name: &str,
        package: &str,
        programs: &[&str],
    ) -> Result<Self> {
        let folder = Toolchain::pick()?.build(places, package, "release")?;
        let files: Vec<_> = programs
            .iter()
            .map(|program| (format!("own-guests/{program}"), folder.join(program)))
            .collect();
        let files: Vec<(&str, &Path)> = files
            .iter()
            .map(|(inside, path)| (inside.as_str(), path.as_path()))
            .collect();
        Self::with_files(places, name, &files)
    }

    /// The same with the guest that loads a processor (guests/load).
    pub fn with_load(places: &Places) -> Result<Self> {
        Self::with_own_guests(places, "load", "guest-load", &["guest-load"])
    }

    fn stored(
        places: &Places,
        kernel: Kernel,
        archive: Archive,
        name: &str,
        toolstack: Option<PathBuf>,
    ) -> Result<Self> {
        let initramfs = places.made("dom0")?.join(name);
        std::fs::write(&initramfs, archive.finish())?;
        Ok(Self {
            kernel: kernel.boot_file,
            initramfs,
            toolstack,
        })
    }
}

/// What both have: busybox, our programs, the modules, the scenarios.
fn start(places: &Places, kernel: &Kernel) -> Result<Archive> {
    debian::install(debian::C_COMPILER)?;
    let mut archive = Archive::new();
    for name in ["dev", "proc", "sys", "tmp", "sbin", "root"] {
        archive.folder(name);
    }
    archive.character_device("dev/console", 5, 1);
    busybox::add(places, &mut archive)?;
    let programs = ["microbench", "churn", "registers", "free-pages"];
    guests::add_programs(places, &mut archive, &programs)?;
    add_modules(kernel, &mut archive)?;
    let folder = places.root.join("xtask/dom0");
    archive.program("init", &folder.join("init.sh"))?;
    add_folder(&mut archive, "scenarios", &folder.join("scenarios"), 0o644)?;
    Ok(archive)
}

fn add_modules(kernel: &Kernel, archive: &mut Archive) -> Result<()> {
    let mut stored = std::collections::BTreeSet::new();
    for (group, lists) in MODULE_GROUPS {
        let mut list = String::new();
        for path in kernel.closure(&lists.concat())? {
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

/// Adds the files of a folder and of those in it.
fn add_folder(archive: &mut Archive, to: &str, from: &Path, permissions: u32) -> Result<()> {
    for (inside, path) in places::files_below(from)? {
        let inside = format!("{to}/{}", inside.display());
        archive.file(&inside, permissions, &std::fs::read(&path)?);
    }
    Ok(())
}
