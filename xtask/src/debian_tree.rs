//! A Debian 12 in a folder and from that on a disk, made by mmdebstrap, which runs the packages' own scripts and so
//! needs root.

use crate::debian;
use crate::places::Places;
use crate::process;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A note of what a disk in the cache is made of: one made of something else is made anew.
pub struct MadeOf {
    path: PathBuf,
    text: String,
}

impl MadeOf {
    /// The note of a disk `name`: its form, and packages.
    pub fn new(places: &Places, name: &str, form: u32, packages: &[&str]) -> Self {
        Self {
            path: places.cache.join(format!("{name}.made-of")),
            text: format!("{form} {}\n", packages.join(" ")),
        }
    }

    /// Whether it has been written so.
    pub fn is_so(&self) -> bool {
        std::fs::read_to_string(&self.path).is_ok_and(|text| text == self.text)
    }

    /// Writes it, once the disk is made.
    pub fn write(self) -> Result<()> {
        Ok(std::fs::write(self.path, self.text)?)
    }
}

/// Installs packages and the base of Debian into a folder, which it empties first; `early` are the modules of the initial
/// RAM disk, if there is a kernel among the packages.
pub fn bootstrap(tree: &Path, packages: &[&str], early: &[&str]) -> Result<()> {
    debian::install(&["mmdebstrap"])?;
    process::show(debian::privileged("rm").arg("-rf").arg(tree))?;
    let mut command = debian::privileged("mmdebstrap");
    command.args(["--quiet", "--variant=minbase", "--mode=root"]);
    command.arg(format!("--include={}", packages.join(",")));
    command.args(["--aptopt=APT::Install-Recommends \"false\""]);
    for folder in ["doc", "man", "locale"] {
        command.arg(format!("--dpkgopt=path-exclude=/usr/share/{folder}/*"));
    }
    // Settings of the initial RAM disk, which have to be there before the kernel is.
    command.arg(format!(
        "--essential-hook=mkdir -p \"$1/etc/initramfs-tools/conf.d\"; \
         printf 'COMPRESS=zstd\\nCOMPRESSLEVEL=3\\nMODULES=list\\n' > \"$1/etc/initramfs-tools/conf.d/xenolith\"; \
         printf '{}\\n' > \"$1/etc/initramfs-tools/modules\"",
        early.join("\\n")
    ));
    command.arg("bookworm").arg(tree);
    // Where this machine gets its packages from is good enough for the disk.
    let sources = [
        "/etc/apt/sources.list.d/debian.sources",
        "/etc/apt/sources.list",
    ];
    command.args(
        sources
            .iter()
            .filter(|path| Path::new(path).exists())
            .take(1),
    );
    process::show(&mut command)
}

/// Writes files of ours, each a path and its text, as root, since the tree is root's.
fn add_files(places: &Places, tree: &Path, files: &[(&str, &str)]) -> Result<()> {
    let staging = places.cache.join("debian.files");
    let _ = std::fs::remove_dir_all(&staging);
    for (path, text) in files {
        let path = staging.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    std::fs::create_dir_all(staging.join("opt/xenolith"))?;
    let mut copy = debian::privileged("cp");
    copy.args(["-r", "--no-preserve=mode,ownership"]);
    process::show(copy.arg(staging.join(".")).arg(tree))?;
    Ok(std::fs::remove_dir_all(&staging)?)
}

/// Writes files of ours, lets root in without a password, and has systemd start what brings up the network and some
/// `services`, and leave out what only waits or fetches.
pub fn finish(
    places: &Places,
    tree: &Path,
    files: &[(&str, &str)],
    services: &[&str],
) -> Result<()> {
    add_files(places, tree, files)?;
    inside(tree, &["passwd", "-q", "-d", "root"])?;
    let enable = ["systemctl", "-q", "enable", "systemd-networkd.service"];
    inside(tree, &[&enable, services].concat())?;
    let mask = ["systemctl", "-q", "mask"];
    inside(tree, &[&mask, LEFT_OUT].concat())
}

/// Services of Debian's that the disks do without.
const LEFT_OUT: &[&str] = &[
    "systemd-networkd-wait-online.service",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
];

/// Runs a command of the tree's own in it.
fn inside(tree: &Path, words: &[&str]) -> Result<()> {
    process::show(debian::privileged("chroot").arg(tree).args(words))
}

/// Makes a disk image of a tree, without a partition table, and removes the tree.
pub fn into_image(tree: &Path, image: &Path, mebibytes: u64) -> Result<()> {
    let partial = image.with_extension("new");
    let mut command: Command = debian::privileged("mke2fs");
    command.args(["-q", "-F", "-t", "ext4", "-O", "^metadata_csum", "-E"]);
    command.arg("lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0");
    command.arg("-d").arg(tree).arg(&partial);
    command.arg(format!("{mebibytes}M"));
    process::show(&mut command)?;
    process::show(debian::privileged("chmod").arg("666").arg(&partial))?;
    std::fs::rename(&partial, image)?;
    process::show(debian::privileged("rm").arg("-rf").arg(tree))
}
