//! `x run`: the image with Debian's kernel as dom0, at a terminal.

use crate::arguments::Arguments;
use crate::build::{self, Image, Profile};
use crate::debian;
use crate::dom0::Dom0;
use crate::host_disk::{self, HostDisk};
use crate::machine::{Hypervisor, Machine};
use crate::places::Places;
use crate::toolstack;
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A machine ready to be started, and what a debugger needs.
pub struct Prepared {
    /// The machine with a disk and a network card.
    pub machine: Machine,
    /// The image, unless Debian's Xen was asked for.
    pub image: Option<Image>,
}

/// `x run`
pub fn command(mut arguments: Arguments) -> Result<bool> {
    let wait = arguments.flag("--gdb");
    let prepared = prepare(arguments)?;
    let mut command = interactive(&prepared.machine);
    if wait {
        command.args(["-s", "-S"]);
        eprintln!("x: waiting for a debugger on port 1234");
    }
    let status = command
        .status()
        .context("cannot start qemu-system-x86_64")?;
    Ok(status.success())
}

/// Builds what the options ask for and describes the machine.
pub fn prepare(mut arguments: Arguments) -> Result<Prepared> {
    let places = Places::find()?;
    let xen = arguments.flag("--xen");
    let profile = Profile::from_arguments(&mut arguments);
    let processors = arguments.number("--cpus", 2)?;
    let memory = arguments.number("--memory", 3072)?;
    let plain = arguments.flag("--plain");
    let real = arguments.flag("--disk");
    let words = arguments.value("--hypervisor-args")?.unwrap_or_default();
    let kernel_words = arguments.value("--dom0-args")?.unwrap_or_default();
    arguments.finish()?;
    debian::install(debian::EMULATOR)?;
    let (hypervisor, image) = if xen {
        (Hypervisor::debian_xen(&places)?, None)
    } else if let Some(image) = build::given() {
        (Hypervisor::Xenolith(image), None)
    } else {
        let image = build::image(&places, profile)?;
        (Hypervisor::Xenolith(image.elf.clone()), Some(image))
    };
    let machine = if real {
        let disk = HostDisk::prepare(&places)?;
        let scripts = host_disk::scripts_disk(&places)?;
        Machine::with_host_disk(&hypervisor, &disk, &scripts, false)
    } else if plain {
        Machine::with_dom0(&hypervisor, &Dom0::assemble(&places)?, "shell")
    } else {
        let dom0 = Dom0::with_toolstack(&places)?;
        let machine = Machine::with_toolstack(&hypervisor, &dom0, "shell");
        match terminal_size() {
            Some(size) => machine.kernel_words(&format!("tty={size}")),
            None => machine,
        }
    };
    let machine = if real {
        machine
    } else {
        let disk = disk(&places)?;
        machine.devices([
            "-drive".to_owned(),
            format!("file={},format=raw,if=virtio", disk.display()),
        ])
    };
    let machine = machine
        .kernel_words(&kernel_words)
        .words(&words)
        .processors(processors)
        .memory(memory)
        .devices([
            "-netdev",
            "user,id=net",
            "-device",
            "virtio-net-pci,netdev=net,romfile=",
        ]);
    Ok(Prepared { machine, image })
}

/// QEMU's own escape key is Ctrl-t, since Ctrl-a is the hypervisor's.
const CONTROL_T: &str = "20";

/// QEMU with the serial console on the terminal; Ctrl-t x ends it, Ctrl-t c gives its monitor.
pub fn interactive(machine: &Machine) -> Command {
    let mut command = Command::new("qemu-system-x86_64");
    command
        .args(machine.arguments())
        .args(["-display", "none", "-vga", "none"])
        .args(["-serial", "mon:stdio", "-echr", CONTROL_T]);
    command
}

/// Rows and columns of the terminal we are at, as `24x80`: a serial line does not carry them.
fn terminal_size() -> Option<String> {
    let output = Command::new("stty")
        .arg("size")
        .stdin(Stdio::inherit())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (rows, columns) = text.trim().split_once(' ')?;
    Some(format!("{rows}x{columns}"))
}

/// Size of the disk of `x run`.
const DISK_MEBIBYTES: u64 = 1024;

/// The disk of `x run`: one gibibyte that stays between runs, with a file system on it.
fn disk(places: &Places) -> Result<PathBuf> {
    let path = places.cache.join("disk.img");
    if path.is_file() {
        return Ok(path);
    }
    let partial = places.cache.join("disk.partial");
    toolstack::file_system(&partial, "guests", DISK_MEBIBYTES, None)?;
    std::fs::rename(&partial, &path)?;
    Ok(path)
}
