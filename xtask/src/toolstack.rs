//! Debian's toolstack as a root file system for dom0: packages of Debian 12, unpacked and
//! unchanged, on a disk image. Everything of ours in it comes at boot from the initramfs.

use crate::busybox;
use crate::debian;
use crate::debian_tree::MadeOf;
use crate::places::Places;
use crate::process;
use anyhow::{bail, Context, Result};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is on the disk beside what these depend on.
const PACKAGES: &[&str] = &[
    // the toolstack
    "xen-utils-4.17",
    "xen-utils-common",
    "xenstore-utils",
    "qemu-system-xen",
    "grub-xen-host",
    // what its scripts call, and a person at the shell
    "bash",
    "bridge-utils",
    "coreutils",
    "dash",
    "diffutils",
    "e2fsprogs",
    "findutils",
    "grep",
    "gzip",
    "hostname",
    "iproute2",
    "iputils-ping",
    "kmod",
    "less",
    "mawk",
    "mount",
    "ncurses-base",
    "ncurses-bin",
    "procps",
    "python3",
    "qemu-utils",
    "sed",
    "util-linux",
];

/// What nobody reads on it.
const LEFT_OUT: &[&str] = &[
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/iso-codes",
];

/// Raised when what this file makes of the packages changes.
const FORM: u32 = 2;

/// Room on the disk, in MiB; the image is sparse.
const MEBIBYTES: u64 = 2048;

/// The disk image, made on first use. A machine gets it with a throw-away layer for what it writes.
pub fn disk(places: &Places) -> Result<PathBuf> {
    let image = places.cache.join("toolstack.img");
    let note = MadeOf::new(places, "toolstack", FORM, PACKAGES);
    if image.is_file() && note.is_so() {
        return Ok(image);
    }
    let tree = places.cache.join("toolstack.partial");
    let _ = std::fs::remove_dir_all(&tree);
    debian::unpack_with_needs(&tree, PACKAGES)?;
    finish(&tree)?;
    busybox::install(places, &tree.join("opt/busybox"))?;
    let partial = places.cache.join("toolstack.img.partial");
    file_system(&partial, "toolstack", MEBIBYTES, Some(&tree))?;
    std::fs::rename(&partial, &image)?;
    std::fs::remove_dir_all(&tree)?;
    note.write()?;
    Ok(image)
}

/// Does what the packages' own scripts would have done, as far as it matters here.
fn finish(tree: &Path) -> Result<()> {
    for path in LEFT_OUT {
        let _ = std::fs::remove_dir_all(tree.join(path));
    }
    for path in [
        "dev",
        "proc",
        "sys",
        "run",
        "tmp",
        "root",
        "var/log/xen/console",
        "var/lib/xen/dump",
        "var/lib/xenstored",
        "var/run",
        "var/lock",
        "disk",
        "opt/xenolith",
    ] {
        let path = tree.join(path);
        if !path.exists() {
            std::fs::create_dir_all(&path)
                .with_context(|| format!("cannot make {}", path.display()))?;
        }
    }
    link(tree, "bin/sh", "dash")?;
    link(tree, "usr/bin/awk", "mawk")?;
    link(tree, "etc/mtab", "/proc/self/mounts")?;
    for path in ["var/run", "var/lock"] {
        let _ = std::fs::remove_dir(tree.join(path));
    }
    link(tree, "var/run", "/run")?;
    link(tree, "var/lock", "/run/lock")?;
    let etc = tree.join("etc");
    std::fs::write(etc.join("passwd"), "root:x:0:0:root:/root:/bin/bash\n")?;
    std::fs::write(etc.join("group"), "root:x:0:\n")?;
    std::fs::write(etc.join("hostname"), "xenolith\n")?;
    std::fs::write(etc.join("hosts"), "127.0.0.1 localhost xenolith\n")?;
    Ok(())
}

fn link(tree: &Path, path: &str, to: &str) -> Result<()> {
    let path = tree.join(path);
    if path.is_symlink() || path.exists() {
        return Ok(());
    }
    symlink(to, &path).with_context(|| format!("cannot make {}", path.display()))
}

/// Makes a disk image with an ext4 file system of that label, empty or with a copy of a folder.
pub fn file_system(
    image: &Path,
    label: &str,
    mebibytes: u64,
    content: Option<&Path>,
) -> Result<()> {
    let program = ["/sbin/mke2fs", "/usr/sbin/mke2fs"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    let Some(program) = program else {
        bail!("no mke2fs on this machine (Debian's e2fsprogs)");
    };
    let _ = std::fs::remove_file(image);
    let mut command = Command::new(program);
    command.args(["-q", "-F", "-t", "ext4", "-L", label, "-E"]);
    command.arg("lazy_itable_init=1,lazy_journal_init=1");
    // Checksums of metadata cost an emulated processor more than the disk does.
    command.args(["-O", "^metadata_csum"]);
    if let Some(content) = content {
        command.arg("-d").arg(content);
    }
    command.arg(image).arg(format!("{mebibytes}M"));
    process::capture(&mut command).map(drop)
}
