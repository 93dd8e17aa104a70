//! Debian's packages: installing the tools that are missing, unpacking the rest into the cache.

use crate::places::Places;
use crate::process;
use anyhow::{bail, Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Emulator and firmware.
pub const EMULATOR: &[&str] = &["qemu-system-x86", "seabios"];
/// The emulator for processors that work at once by a clock that counts instructions, its firmware, and what builds the disk
/// that it boots from.
pub const BOCHS: &[&str] = &[
    "bochs",
    "bochsbios",
    "vgabios",
    "grub-common",
    "grub-pc-bin",
    "xorriso",
    "mtools",
];
/// What builds the small C programs that run inside dom0.
pub const C_COMPILER: &[&str] = &["gcc", "libc6-dev"];
/// What builds a bootable ISO, and UEFI firmware to boot it with.
pub const BOOTABLE_ISO: &[&str] = &[
    "grub-common",
    "grub-pc-bin",
    "grub-efi-amd64-bin",
    "xorriso",
    "mtools",
    "ovmf",
];
/// Debian's Rust that can build `core` itself, where rustup's has no bare-metal target.
pub const RUST: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", "lld"];
/// The C headers of Xen's public interface, which a test of `abi/` compares with.
pub const XEN_HEADERS: &[&str] = &["libxen-dev"];

/// Installs those of the packages that are missing, one at a time: the packages of one joint call
/// can pull each other's dependencies into a conflict that single calls do not have.
pub fn install(packages: &[&str]) -> Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .copied()
        .filter(|package| !is_installed(package))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !process::exists("apt-get") {
        bail!(
            "this machine has no apt-get; install the equivalent of Debian's {}",
            missing.join(", ")
        );
    }
    eprintln!("x: installing from Debian: {}", missing.join(" "));
    // The lists of a machine that was just made are as old as its image: they name packages that are no longer there,
    // or older ones than Debian's security updates have. Those that are there will do where the archive does not answer.
    if let Err(error) = refresh() {
        eprintln!("x: {error:#}; going on with the lists there are");
    }
    for package in missing {
        apt_install(package).with_context(|| format!("cannot install Debian's {package}"))?;
    }
    Ok(())
}

/// The contents of a package in the cache: the folder it is unpacked in. Downloads it on first use.
/// Nothing is installed: the host's own boot files stay as they are.
pub fn unpacked(places: &Places, package: &str) -> Result<PathBuf> {
    let tree = places.cache.join(package);
    if tree.is_dir() {
        return Ok(tree);
    }
    eprintln!("x: downloading Debian's {package} into {}", tree.display());
    let (partial, archive) = downloaded(places, package)?;
    let content = partial.join("content");
    process::show(
        Command::new("dpkg-deb")
            .arg("-x")
            .arg(&archive)
            .arg(&content),
    )?;
    std::fs::rename(&content, &tree)?;
    std::fs::remove_dir_all(&partial)?;
    Ok(tree)
}

/// Downloads a package as the file `to`.
pub fn download_file(places: &Places, package: &str, to: &Path) -> Result<()> {
    let (folder, archive) = downloaded(places, package)?;
    std::fs::rename(archive, to)?;
    Ok(std::fs::remove_dir_all(&folder)?)
}

/// Downloads a package into a folder of its own in the cache: that and the file.
fn downloaded(places: &Places, package: &str) -> Result<(PathBuf, PathBuf)> {
    let folder = places.cache.join(format!("{package}.partial"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    if download(&folder, package).is_err() {
        refresh()?;
        download(&folder, package)
            .with_context(|| format!("cannot download Debian's {package}"))?;
    }
    let file = only_file(&folder)?;
    Ok((folder, file))
}

/// Unpacks packages and all that they depend on into one folder, as if nothing were installed on
/// this machine. No script of a package runs, so that it needs no root: what those would have set
/// up (links, users) is left to the caller.
pub fn unpack_with_needs(tree: &Path, packages: &[&str]) -> Result<()> {
    let downloads = tree.with_extension("packages");
    let _ = std::fs::remove_dir_all(&downloads);
    std::fs::create_dir_all(&downloads)?;
    let names = match with_needs(&downloads, packages) {
        Ok(names) => names,
        Err(_) => {
            refresh()?;
            with_needs(&downloads, packages)?
        }
    };
    eprintln!(
        "x: downloading {} packages from Debian into {}",
        names.len(),
        tree.display()
    );
    let mut command = Command::new("apt-get");
    // Root need not pretend to be somebody else here, which would fail in a private folder.
    command.args(["-o", "APT::Sandbox::User=root", "download", "-qq"]);
    command.args(&names);
    process::show(command.current_dir(&downloads))?;
    std::fs::create_dir_all(tree)?;
    for entry in std::fs::read_dir(&downloads)? {
        let path = entry?.path();
        if path.extension().is_some_and(|kind| kind == "deb") {
            process::show(Command::new("dpkg-deb").arg("-x").args([&path, tree]))?;
        }
    }
    Ok(std::fs::remove_dir_all(&downloads)?)
}

/// `NAME=VERSION` of the packages and all they depend on, in an empty system's eyes.
fn with_needs(folder: &Path, packages: &[&str]) -> Result<Vec<String>> {
    let nothing = folder.join("status");
    std::fs::write(&nothing, "")?;
    let text = process::capture(
        Command::new("apt-get")
            .arg("-o")
            .arg(format!("Dir::State::status={}", nothing.display()))
            .args(["-o", "Debug::NoLocking=1", "--no-install-recommends"])
            .args(["--print-uris", "-y", "-qq", "install"])
            .args(packages),
    )?;
    // A line: 'ADDRESS' NAME_VERSION_ARCHITECTURE.deb SIZE CHECKSUM
    let names: Vec<String> = text
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1))
        .filter_map(|file| {
            let mut parts = file.split('_');
            let (name, version) = (parts.next()?, parts.next()?);
            Some(format!("{name}={}", version.replace("%3a", ":")))
        })
        .collect();
    if names.is_empty() {
        bail!("apt-get names no package for {}", packages.join(" "));
    }
    Ok(names)
}

/// The package of today's kernel in a flavour (`amd64`, `cloud-amd64`, `rt-amd64`): what the meta
/// package `linux-image-FLAVOUR` depends on.
pub fn kernel_package(places: &Places, flavour: &str) -> Result<String> {
    let meta = format!("linux-image-{flavour}");
    let find = || -> Result<Option<String>> {
        let text = process::capture(Command::new("apt-cache").args(["depends", &meta]))?;
        Ok(text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Depends: "))
            .find(|name| is_kernel(name, flavour))
            .map(str::to_owned))
    };
    // What is in the cache stays good when the package lists are missing or name a newer kernel.
    if let Some(name) = newest_in_cache(places, flavour)? {
        return Ok(name);
    }
    if let Ok(Some(name)) = find() {
        return Ok(name);
    }
    refresh()?;
    find()?.with_context(|| format!("Debian's {meta} depends on no kernel"))
}

/// Whether a name is `linux-image-VERSION-FLAVOUR`.
fn is_kernel(name: &str, flavour: &str) -> bool {
    name.strip_prefix("linux-image-")
        .and_then(|rest| rest.strip_suffix(flavour))
        .and_then(|rest| rest.strip_suffix('-'))
        .is_some_and(|version| {
            version.starts_with(|c: char| c.is_ascii_digit())
                && !version.contains(|c: char| c.is_ascii_alphabetic())
        })
}

fn newest_in_cache(places: &Places, flavour: &str) -> Result<Option<String>> {
    let mut names: Vec<String> = std::fs::read_dir(&places.cache)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| is_kernel(name, flavour))
        .collect();
    names.sort();
    Ok(names.pop())
}

fn is_installed(package: &str) -> bool {
    process::capture(Command::new("dpkg-query").args(["-W", "-f=${Status}", package]))
        .is_ok_and(|status| status.ends_with(" installed"))
}

fn apt_install(package: &str) -> Result<()> {
    process::show(
        privileged("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args([
                "install",
                "-y",
                "-q",
                "--no-install-recommends",
                "-o",
                "DPkg::Lock::Timeout=300",
                package,
            ]),
    )
}

fn refresh() -> Result<()> {
    eprintln!("x: refreshing Debian's package lists");
    process::show(privileged("apt-get").args(["update", "-q"]))
}

fn download(folder: &Path, package: &str) -> Result<()> {
    process::show(
        Command::new("apt-get")
            .args(["-o", "APT::Sandbox::User=root", "download", "-qq", package])
            .current_dir(folder),
    )
}

/// A command that runs as root: through sudo where we are someone else.
pub fn privileged(program: &str) -> Command {
    let root = process::capture(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if root {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    // Keeps apt from stopping to ask, which it would do unseen.
    command.args(["env", "DEBIAN_FRONTEND=noninteractive", program]);
    command
}

fn only_file(folder: &Path) -> Result<PathBuf> {
    let mut found = None;
    for entry in std::fs::read_dir(folder)? {
        found = Some(entry?.path());
    }
    found.with_context(|| format!("nothing was downloaded into {}", folder.display()))
}

#[cfg(test)]
mod tests;
