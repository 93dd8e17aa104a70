//! Bochs, for what QEMU cannot: processors that work at once on a machine whose clock counts instructions. QEMU's `-icount`
//! runs them one after the other.
//!
//! The processors execute a few instructions each in turn, and the clock moves by what they executed on the average:
//! a nanosecond an instruction. Nothing depends on the host's load. It boots from a disk with GRUB, and has IDE disks.

use crate::debian;
use crate::machine::{Boot, Machine};
use crate::process;
use anyhow::{bail, Context, Result};
use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::fs::OpenOptions;
use std::path::Path;
use std::process::Command;

/// What Debian's binary, which has a debugger, is told first: go on.
pub const GO: &[u8] = b"c\n";

/// The processor: one without SMAP and AVX-512, as in the other machines.
const CPU: &str = "corei7_haswell_4770";

/// Instructions that a halted processor lets the others execute before the clock has moved as far: about as many as one
/// has in a row between two branches, which is what a busy one executes in its turn.
const TURN: u32 = 5;

/// GRUB's modules for a PC's firmware.
const GRUB: &str = "/usr/lib/grub/i386-pc";

/// Bytes of a cylinder, by which Bochs counts a disk's size.
const CYLINDER: u64 = 16 * 63 * 512;

/// The program: Debian's, or one that `XENOLITH_BOCHS` names. That is taken to be built without debugger, sound and window
/// (`--enable-smp --with-nogui`), which halves the time.
fn own_program() -> Option<OsString> {
    std::env::var_os("XENOLITH_BOCHS")
}

/// What Debian's program needs and another does not know. It has a thread for sound that may crash where the host has none.
const DEBIAN: &str = "\
    display_library: rfb, options=\"timeout=0\"\n\
    sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy\n";

/// Prepares the machine in a folder of its own, and gives the command, started by `start`, that runs it with its console on
/// standard output.
pub fn command(
    machine: &Machine,
    start: impl Fn(&OsStr) -> Command,
    folder: &Path,
) -> Result<Command> {
    debian::install(debian::BOCHS)?;
    let program = own_program();
    let mut command = start(program.as_deref().unwrap_or(OsStr::new("bochs")));
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder)?;
    let boot_disk = boot_disk(machine, folder)?;
    let settings = folder.join("settings");
    let front = if program.is_some() {
        "display_library: nogui\n"
    } else {
        DEBIAN
    };
    let machine = describe(machine, &boot_disk, folder);
    std::fs::write(&settings, format!("{front}{machine}"))?;
    command.args(["-q", "-f"]).arg(settings);
    Ok(command)
}

/// A disk with GRUB, the hypervisor and its modules.
fn boot_disk(machine: &Machine, folder: &Path) -> Result<std::path::PathBuf> {
    let (Some(image), Boot::Direct(modules)) = (machine.hypervisor.image(), &machine.boot) else {
        bail!("Bochs boots a hypervisor with modules, nothing else");
    };
    let tree = folder.join("tree");
    std::fs::create_dir_all(tree.join("boot/grub"))?;
    std::fs::copy(image, tree.join("boot/hypervisor"))?;
    let mut menu = format!(
        "set timeout=0\nset gfxpayload=text\nmultiboot /boot/hypervisor {}\n",
        machine.command_line()
    );
    for (number, (file, words)) in modules.iter().enumerate() {
        std::fs::copy(file, tree.join(format!("boot/module{number}")))
            .with_context(|| format!("cannot copy {}", file.display()))?;
        // Writing into a string cannot fail.
        let _ = writeln!(menu, "module --nounzip /boot/module{number} {words}");
    }
    menu.push_str("boot\n");
    std::fs::write(tree.join("boot/grub/grub.cfg"), menu)?;
    let disk = folder.join("boot.img");
    process::capture(
        Command::new("grub-mkrescue")
            .args(["-d", GRUB, "--locales=", "--themes=", "--fonts="])
            .arg("--install-modules=multiboot iso9660 biosdisk part_msdos part_gpt normal")
            .arg("-o")
            .args([&disk, &tree]),
    )?;
    std::fs::remove_dir_all(&tree)?;
    let file = OpenOptions::new().write(true).open(&disk)?;
    let cylinders = file.metadata()?.len().div_ceil(CYLINDER);
    file.set_len(cylinders.saturating_mul(CYLINDER))?;
    Ok(disk)
}

/// What Bochs is told of the machine. It logs nothing: what it says of its speed, at a signal, can stop it for ever if that
/// comes while it says something else.
fn describe(machine: &Machine, boot_disk: &Path, folder: &Path) -> String {
    let mut text = format!(
        "cpu: model={CPU}, count={}, quantum={TURN}, ips=1000000000, reset_on_triple_fault=0, ignore_bad_msrs=1\n\
         memory: guest={memory}, host={memory}\n\
         romimage: file=/usr/share/bochs/BIOS-bochs-latest\n\
         vgaromimage: file=/usr/share/vgabios/vgabios.bin\n\
         clock: sync=none, time0=1600000000\n\
         boot: disk\n\
         com1: enabled=1, mode=file, dev=/dev/fd/1\n\
         log: /dev/null\n\
         panic: action=fatal\n\
         error: action=ignore\n\
         info: action=ignore\n\
         ata0-master: type=disk, mode=flat, path={}\n",
        machine.processors,
        boot_disk.display(),
        memory = machine.memory,
    );
    if let Some(disk) = machine.disks.first() {
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "ata0-slave: type=disk, mode=volatile, path={}, journal={}",
            disk.display(),
            folder.join("ata0-slave").display()
        );
    }
    text
}

#[cfg(test)]
mod tests;
