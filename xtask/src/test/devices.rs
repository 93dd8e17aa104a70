//! Disks and network cards that dom0 drives itself, by line interrupt and by message.

use super::context::Context;
use super::jobs::Job;
use crate::process;
use anyhow::{Context as _, Result};
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

const DISK_MEBIBYTES: u32 = 64;
const DOWNLOAD_MEBIBYTES: u32 = 48;
const LIMIT: Duration = Duration::from_secs(240);

/// A device and how its interrupts come.
struct Device {
    name: &'static str,
    /// The group of modules that drives it (`xtask/dom0`'s initramfs).
    modules: &'static str,
    /// What names its interrupt in `/proc/interrupts`.
    driver: &'static str,
    /// What QEMU is told; `DISK` stands for the disk's file.
    words: &'static str,
    /// `msi` or `line`.
    interrupts: &'static str,
}

const fn device(
    name: &'static str,
    modules: &'static str,
    driver: &'static str,
    words: &'static str,
    interrupts: &'static str,
) -> Device {
    Device {
        name,
        modules,
        driver,
        words,
        interrupts,
    }
}

const VIRTIO_DISK: &str = "-drive file=DISK,format=raw,if=virtio,readonly=on";
const AHCI: &str = "-device ich9-ahci,id=ahci -drive file=DISK,format=raw,if=none,id=disk,\
                    snapshot=on -device ide-hd,drive=disk,bus=ahci.0";
const IDE: &str = "-drive file=DISK,format=raw,if=ide,snapshot=on";
const VIRTIO_NET: &str = "-netdev user,id=net -device virtio-net-pci,netdev=net,romfile=";
const E1000: &str = "-netdev user,id=net -device e1000,netdev=net,romfile=";

const DISKS: &[Device] = &[
    device(
        "virtio disk by MSI",
        "virtio-disk",
        "virtio",
        VIRTIO_DISK,
        "msi",
    ),
    device(
        "virtio disk by line interrupt",
        "virtio-disk",
        "virtio",
        VIRTIO_DISK,
        "line",
    ),
    device("AHCI disk by MSI", "ahci", "ahci", AHCI, "msi"),
    device("AHCI disk by line interrupt", "ahci", "ahci", AHCI, "line"),
    device("IDE disk by line interrupt", "ide", "ata_piix", IDE, "line"),
];

const CARDS: &[Device] = &[
    device(
        "virtio network by MSI",
        "virtio-net",
        "virtio",
        VIRTIO_NET,
        "msi",
    ),
    device(
        "virtio network by line interrupt",
        "virtio-net",
        "virtio",
        VIRTIO_NET,
        "line",
    ),
    device(
        "e1000 network by line interrupt",
        "e1000",
        "eth0",
        E1000,
        "line",
    ),
];

/// A test a device. How virtio's interrupts come is seen with its disk: its network is in the tail.
pub fn jobs() -> Vec<Job> {
    let disks = DISKS.iter().map(|device| {
        let name = format!("devices/reads a {}", device.name);
        Job::one(name, |context, test| reads_disk(context, test, device))
    });
    let cards = CARDS.iter().map(|device| {
        let name = format!("devices/downloads over {}", device.name);
        let usual = device.driver != "virtio";
        Job::one(name, |context, test| downloads(context, test, device)).tail_unless(usual)
    });
    disks.chain(cards).collect()
}

/// The kernel words that every device test has.
fn words(device: &Device, sum: &str) -> String {
    let without_msi = if device.interrupts == "line" {
        "pci=nomsi"
    } else {
        ""
    };
    format!(
        "modules={} driver={} interrupts={} sum={sum} {without_msi}",
        device.modules, device.driver, device.interrupts
    )
}

fn reads_disk(context: &Context, test: &str, device: &Device) -> Result<()> {
    let (disk, sum) = disk(context)?;
    let name = if device.modules == "virtio-disk" {
        "vda"
    } else {
        "sda"
    };
    let qemu = device.words.replace("DISK", &disk.display().to_string());
    let machine = context
        .machine("disk")?
        .processors(2)
        .memory(1024)
        .devices(qemu.split(' ').map(str::to_owned))
        .kernel_words(&format!("{} disk={name}", words(device, &sum)));
    context.passes(test, &machine, LIMIT).map(drop)
}

fn downloads(context: &Context, test: &str, device: &Device) -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr()?.port();
    let sum = checksum_of(context, "download", DOWNLOAD_MEBIBYTES)?;
    let machine = context
        .machine("download")?
        .processors(2)
        .memory(1024)
        .devices(device.words.split(' '))
        .kernel_words(&format!("{} port={port}", words(device, &sum)));
    // Ends with the process if the guest never comes for it.
    thread::spawn(move || serve(&listener));
    context.passes(test, &machine, LIMIT).map(drop)
}

/// Sends the stream to the first who asks.
fn serve(listener: &TcpListener) {
    if let Ok((mut connection, _)) = listener.accept() {
        // A guest that hangs up shows in the guest.
        let _ = write_noise(&mut connection, DOWNLOAD_MEBIBYTES);
    }
}

/// The file of the disk and its checksum.
fn disk(context: &Context) -> Result<(PathBuf, String)> {
    let sum = checksum_of(context, "disk", DISK_MEBIBYTES)?;
    Ok((noise_file(context, "disk")?, sum))
}

fn noise_file(context: &Context, name: &str) -> Result<PathBuf> {
    Ok(context
        .places
        .made("test-data")?
        .join(format!("{name}.raw")))
}

/// Makes the file of noise if it is missing and gives its MD5 sum, which busybox computes quickly.
fn checksum_of(context: &Context, name: &str, mebibytes: u32) -> Result<String> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    let path = noise_file(context, name)?;
    let right = u64::from(mebibytes) << 20;
    if path.metadata().map_or(true, |data| data.len() != right) {
        let mut file = std::fs::File::create(&path)?;
        write_noise(&mut file, mebibytes)?;
    }
    md5(&path)
}

fn md5(path: &Path) -> Result<String> {
    let line = process::capture(Command::new("md5sum").arg(path))?;
    let sum = line.split(' ').next().context("md5sum printed nothing")?;
    Ok(sum.to_owned())
}

/// Mebibytes of noise, the same every time (a 64-bit xorshift generator).
fn write_noise(to: &mut impl Write, mebibytes: u32) -> Result<()> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut block = Vec::with_capacity(1 << 20);
    for _ in 0..mebibytes {
        block.clear();
        while block.len() < 1 << 20 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            block.extend_from_slice(&state.to_le_bytes());
        }
        to.write_all(&block)?;
    }
    Ok(to.flush()?)
}
