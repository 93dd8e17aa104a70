//! What guests beside dom0 boot from: Debian's kernels, unmodified, each with a small initramfs of
//! ours (`xtask/guest/`) that has its disk and network front ends.

use crate::archive::Archive;
use crate::busybox;
use crate::debian;
use crate::kernel::Kernel;
use crate::places::Places;
use crate::process;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian's flavours of the kernel that guests run, and what our files call them.
pub const FLAVOURS: &[(&str, &str)] = &[("cloud", "cloud-amd64"), ("stock", "amd64")];

/// The front ends, which Debian builds as modules, and the hypervisor's watchdog.
const MODULES: &[&str] = &["xen-blkfront", "xen-netfront", "xen_wdt"];

/// The file system of the disks that the tools make.
pub const FILE_SYSTEM: &[&str] = &["crc32c_generic", "ext4"];

/// What a domain with back ends needs, dom0 or a driver domain: the toolstack's devices, the back ends, and what these
/// are set up on.
pub const BACK_ENDS: &[&str] = &[
    "xen-evtchn",
    "xen-gntdev",
    "xen-gntalloc",
    "xen-privcmd",
    "xenfs",
    "xen-blkback",
    "xen-netback",
    "loop",
    "bridge",
];
/// What a guest needs for a network card and a disk controller that are given to it.
const DEVICE_MODULES: &[&str] = &["xen-pcifront", "ahci", "sd_mod", "e1000e"];
/// The flavour of driver domains.
const DRIVER_FLAVOUR: &str = "stock";

/// What one flavour of guest boots from.
pub struct Guest {
    /// `cloud`, `stock`.
    pub name: &'static str,
    /// Debian's kernel.
    pub kernel: PathBuf,
    /// Our initramfs.
    pub initramfs: Vec<u8>,
}

impl Guest {
    /// Puts one together.
    pub fn assemble(places: &Places, name: &'static str, flavour: &str) -> Result<Self> {
        debian::install(debian::C_COMPILER)?;
        let kernel = Kernel::from_debian(places, flavour)?;
        let mut archive = Archive::new();
        for name in ["dev", "proc", "sys", "tmp", "sbin"] {
            archive.folder(name);
        }
        archive.character_device("dev/console", 5, 1);
        busybox::add(places, &mut archive)?;
        add_modules(&kernel, &mut archive, "modules", MODULES)?;
        if name == DRIVER_FLAVOUR {
            let modules = [FILE_SYSTEM, BACK_ENDS].concat();
            add_modules(&kernel, &mut archive, "driver", &modules)?;
            add_modules(&kernel, &mut archive, "device", DEVICE_MODULES)?;
        }
        add_programs(places, &mut archive, &["microbench", "registers"])?;
        let folder = places.root.join("xtask/guest");
        archive.program("init", &folder.join("init.sh"))?;
        archive.program("work", &folder.join("work"))?;
        archive.program("driver-domain", &folder.join("driver-domain"))?;
        for name in ["poweroff", "reboot"] {
            let script = format!("#!/bin/busybox sh\nexec /bin/busybox {name} -f\n");
            archive.file(&format!("sbin/{name}"), 0o755, script.as_bytes());
        }
        Ok(Self {
            name,
            kernel: kernel.boot_file,
            initramfs: archive.finish(),
        })
    }
}

/// Adds modules and what they need to a folder, numbered in the order in which they load.
fn add_modules(kernel: &Kernel, archive: &mut Archive, folder: &str, names: &[&str]) -> Result<()> {
    for (number, path) in kernel.closure(names)?.iter().enumerate() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let inside = format!("{folder}/{number:02}-{name}");
        archive.file(&inside, 0o644, &std::fs::read(path)?);
    }
    Ok(())
}

/// Compiles small C programs of ours and puts them into `/bin` of an initramfs.
pub fn add_programs(places: &Places, archive: &mut Archive, names: &[&str]) -> Result<()> {
    let folder = places.made("dom0")?;
    for name in names {
        let source = places.root.join(format!("xtask/dom0/{name}.c"));
        let program = folder.join(name);
        compile(&source, &program)?;
        archive.program(&format!("bin/{name}"), &program)?;
    }
    Ok(())
}

/// Compiles a program so that it needs nothing in its guest; does nothing if it is newer than its
/// source.
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
