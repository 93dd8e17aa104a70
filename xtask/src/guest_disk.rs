//! A whole Debian 12 as a guest: a disk with systemd, apt, a kernel of its own and the menu of a boot loader; and a
//! package for it to install, as a repository to be served.

use crate::debian;
use crate::debian_tree::{self, MadeOf};
use crate::kernel::file_beginning;
use crate::places::Places;
use crate::process;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is installed on it; mmdebstrap adds the base of Debian, and apt.
const PACKAGES: &[&str] = &[
    "systemd-sysv",
    "dbus",
    "udev",
    "kmod",
    "iproute2",
    "zstd",
    "initramfs-tools",
    "linux-image-cloud-amd64",
];

/// Modules of its initial RAM disk.
const EARLY_MODULES: &[&str] = &["xen-blkfront", "ext4"];

/// What it installs when it runs: small, and needing nothing that the base has not got.
const PACKAGE: &str = "hello";

/// Raised when what this file makes of the packages changes.
const FORM: u32 = 1;

/// Room on the disk, in MiB; the image is sparse.
const MEBIBYTES: u64 = 2048;

/// Its own files: an address for its card, and where packages come from: dom0.
const FILES: &[(&str, &str)] = &[
    ("etc/hostname", "guest\n"),
    ("etc/hosts", "127.0.0.1 localhost guest\n"),
    ("etc/fstab", "/dev/xvda / ext4 noatime 0 1\n"),
    (
        "etc/systemd/network/card.network",
        "[Match]\nDriver=vif\n[Network]\nAddress=10.77.0.41/24\n",
    ),
    (
        "etc/apt/sources.list",
        "deb [trusted=yes] http://10.77.0.1/ ./\n",
    ),
];

/// The disk image.
pub struct GuestDisk {
    /// Without a partition table.
    pub image: PathBuf,
    /// The package to install.
    pub package: PathBuf,
    /// The list of packages that names it.
    pub list: PathBuf,
}

impl GuestDisk {
    /// Makes the disk on first use: a minute or two and some hundred megabytes of downloads.
    pub fn prepare(places: &Places) -> Result<Self> {
        let disk = Self {
            image: places.cache.join("guest.img"),
            package: places.cache.join("guest.deb"),
            list: places.cache.join("guest.Packages"),
        };
        let note = MadeOf::new(places, "guest", FORM, &[&[PACKAGE], PACKAGES].concat());
        if note.is_so() {
            return Ok(disk);
        }
        disk.fetch_package(places)?;
        eprintln!(
            "x: making a Debian guest's disk in {}",
            disk.image.display()
        );
        let tree = places.cache.join("guest.partial");
        debian_tree::bootstrap(&tree, PACKAGES, EARLY_MODULES)?;
        finish(places, &tree)?;
        debian_tree::into_image(&tree, &disk.image, MEBIBYTES)?;
        note.write()?;
        Ok(disk)
    }

    /// Downloads the package and writes the list of a repository that has just that.
    fn fetch_package(&self, places: &Places) -> Result<()> {
        debian::download_file(places, PACKAGE, &self.package)?;
        let about = process::capture(Command::new("dpkg-deb").arg("-f").arg(&self.package))?;
        let size = std::fs::metadata(&self.package)?.len();
        let sums = process::capture(Command::new("sha256sum").arg(&self.package))?;
        let sum = sums.split_whitespace().next().unwrap_or_default();
        let list = format!(
            "{}\nFilename: ./guest.deb\nSize: {size}\nSHA256: {sum}\n",
            about.trim_end()
        );
        Ok(std::fs::write(&self.list, list)?)
    }
}

/// Writes our files and the boot loader's menu, and has systemd as we want it.
fn finish(places: &Places, tree: &Path) -> Result<()> {
    let name = |prefix| -> Result<String> {
        let path = file_beginning(&tree.join("boot"), prefix)?;
        let name = path.file_name().context("a file without a name")?;
        Ok(name.to_string_lossy().into_owned())
    };
    let menu = format!(
        "set timeout=1\nset default=0\nmenuentry 'Debian' {{\n    \
         linux /boot/{} root=/dev/xvda rw console=hvc0 net.ifnames=0 quiet\n    \
         initrd /boot/{}\n}}\n",
        name("vmlinuz-")?,
        name("initrd.img-")?
    );
    let mut files = FILES.to_vec();
    files.push(("boot/grub/grub.cfg", &menu));
    debian_tree::finish(places, tree, &files, &[])
}
