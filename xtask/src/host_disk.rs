//! A real Debian 12 as dom0: a root disk with systemd, apt, the whole toolstack with its start
//! scripts, and libvirt.

use crate::debian;
use crate::debian_tree::{self, MadeOf};
use crate::guests::{self, Guest};
use crate::kernel::file_beginning;
use crate::places::{self, Places};
use crate::process;
use crate::toolstack;
use anyhow::Result;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// What is installed on it; mmdebstrap adds the base of Debian.
const PACKAGES: &[&str] = &[
    "systemd-sysv",
    "dbus",
    "udev",
    "kmod",
    "iproute2",
    "iputils-ping",
    "bridge-utils",
    "procps",
    "less",
    "nano-tiny",
    "zstd",
    "initramfs-tools",
    "linux-image-amd64",
    "xen-utils-4.17",
    "xen-utils-common",
    "xenstore-utils",
    "qemu-system-xen",
    "libvirt-daemon-system",
    "libvirt-daemon-driver-xen",
    "libvirt-clients",
];

/// Raised when what this file makes of the packages changes.
const FORM: u32 = 3;

/// Room on the disk, in MiB; the image is sparse.
const MEBIBYTES: u64 = 6144;

/// Room on the disk with our scripts, in MiB.
const SCRIPTS_MEBIBYTES: u64 = 128;

/// Files that this machine's own Debian does not have.
const FILES: &[(&str, &str)] = &[
    ("etc/hostname", "xenolith\n"),
    ("etc/hosts", "127.0.0.1 localhost xenolith\n"),
    (
        "etc/fstab",
        "/dev/vda / ext4 noatime 0 1\n\
         LABEL=xenolith /opt/xenolith ext4 ro,nofail,x-systemd.device-timeout=300s 0 0\n",
    ),
    (
        "etc/systemd/network/xenbr0.netdev",
        "[NetDev]\nName=xenbr0\nKind=bridge\n",
    ),
    (
        "etc/systemd/network/eth0.network",
        "[Match]\nName=eth0\n[Network]\nBridge=xenbr0\n",
    ),
    (
        "etc/systemd/network/xenbr0.network",
        "[Match]\nName=xenbr0\n[Network]\nDHCP=yes\nAddress=10.77.0.1/24\n\
         ConfigureWithoutCarrier=yes\n",
    ),
    (
        "etc/systemd/system/xenolith-script.service",
        "[Unit]\nDescription=What the host's tests want done\nAfter=multi-user.target\n\
         ConditionKernelCommandLine=script\nRequiresMountsFor=/opt/xenolith\n\
         [Service]\nType=simple\nExecStart=/opt/xenolith/on-host\nStandardOutput=tty\n\
         StandardError=tty\nTTYPath=/dev/hvc0\n[Install]\nWantedBy=multi-user.target\n",
    ),
];

/// Modules of the initial RAM disk.
const EARLY_MODULES: &[&str] = &["virtio_pci", "virtio_blk", "ext4"];

/// The disk and what boots it.
pub struct HostDisk {
    /// The image, without a partition table.
    pub image: PathBuf,
    /// Debian's kernel.
    pub kernel: PathBuf,
    /// Debian's initial RAM disk.
    pub initrd: PathBuf,
}

impl HostDisk {
    /// Makes the disk on first use: some minutes and some hundred megabytes of downloads.
    pub fn prepare(places: &Places) -> Result<Self> {
        let disk = Self {
            image: places.cache.join("host.img"),
            kernel: places.cache.join("host.vmlinuz"),
            initrd: places.cache.join("host.initrd"),
        };
        let note = MadeOf::new(places, "host", FORM, PACKAGES);
        if note.is_so() {
            return Ok(disk);
        }
        eprintln!("x: making a Debian root disk in {}", disk.image.display());
        let tree = places.cache.join("host.partial");
        debian_tree::bootstrap(&tree, PACKAGES, EARLY_MODULES)?;
        debian_tree::finish(places, &tree, FILES, &["xenolith-script.service"])?;
        let boot = tree.join("boot");
        std::fs::copy(file_beginning(&boot, "vmlinuz-")?, &disk.kernel)?;
        let initrd = file_beginning(&boot, "initrd.img-")?;
        process::show(debian::privileged("cp").args([&initrd, &disk.initrd]))?;
        debian_tree::into_image(&tree, &disk.image, MEBIBYTES)?;
        note.write()?;
        Ok(disk)
    }
}

/// A small disk with our scripts and the test cases, all to be executed, and what guests boot from, which the host mounts at
/// `/opt/xenolith`.
pub fn scripts_disk(places: &Places) -> Result<PathBuf> {
    let tree = places.made("host-scripts")?;
    std::fs::remove_dir_all(&tree)?;
    for (inside, from) in places::files_below(&places.root.join("xtask/dom0/toolstack"))? {
        let target = tree.join(inside);
        std::fs::create_dir_all(target.parent().unwrap_or(&tree))?;
        std::fs::copy(from, &target)?;
        std::fs::set_permissions(&target, Permissions::from_mode(0o755))?;
    }
    for (name, flavour) in guests::FLAVOURS {
        let guest = Guest::assemble(places, name, flavour)?;
        let folder = tree.join("guests").join(guest.name);
        std::fs::create_dir_all(&folder)?;
        std::fs::copy(&guest.kernel, folder.join("vmlinuz"))?;
        std::fs::write(folder.join("initramfs"), &guest.initramfs)?;
    }
    let image = places.made("dom0")?.join("host-scripts.img");
    toolstack::file_system(&image, "xenolith", SCRIPTS_MEBIBYTES, Some(&tree))?;
    Ok(image)
}
