//! Booting as an installed system does: GRUB with both multiboot protocols, under BIOS and UEFI,
//! with the gzipped image.

use super::context::{scenario_passes, Context, BOOT};
use super::jobs::Job;
use crate::build::Profile;
use crate::debian;
use crate::machine::{Boot, Hypervisor, Machine};
use crate::process;
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// One way to boot. GRUB's first multiboot protocol hands over nothing that leads to the ACPI
/// tables of a UEFI machine, so that pair cannot work with any hypervisor.
const WAYS: &[(&str, &str, bool)] = &[
    ("multiboot", "module", false),
    ("multiboot2", "module2", false),
    ("multiboot2", "module2", true),
];

/// A test a way.
pub fn jobs() -> Vec<Job> {
    WAYS.iter()
        .map(|(protocol, module, uefi)| {
            let firmware = if *uefi { "UEFI" } else { "BIOS" };
            let name = format!("loaders/GRUB boots it by {protocol} under {firmware}");
            Job::one(name, move |context, test| {
                boots(context, test, protocol, module, *uefi)
            })
        })
        .collect()
}

fn boots(context: &Context, test: &str, protocol: &str, module: &str, uefi: bool) -> Result<()> {
    let hypervisor = context.hypervisor(Profile::Release)?;
    let image = iso(context, &hypervisor, protocol, module)?;
    let mut machine = Machine::with_dom0(&hypervisor, context.dom0()?, "boot")
        .processors(2)
        .memory(2048);
    machine.boot = Boot::Iso { image, uefi };
    let mut emulator = context.start(test, &machine)?;
    // The firmware and the loader come first.
    emulator.wait_for(&["dom0: init"], BOOT * 2)?;
    scenario_passes(&mut emulator, BOOT)
}

/// A disk image with GRUB for BIOS and UEFI, the hypervisor and dom0.
fn iso(
    context: &Context,
    hypervisor: &Hypervisor,
    protocol: &str,
    module: &str,
) -> Result<PathBuf> {
    static MADE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let name = format!("iso-{protocol}");
    let iso = context.places.target.join(format!("{name}.iso"));
    // A machine of the other firmware may be reading it.
    if made.contains(&iso) {
        return Ok(iso);
    }
    debian::install(debian::BOOTABLE_ISO)?;
    let dom0 = context.dom0()?;
    let tree = context.places.made(&name)?;
    std::fs::create_dir_all(tree.join("boot/grub"))?;
    let packed = match hypervisor {
        Hypervisor::Xenolith(elf) => elf.with_extension("gz"),
        _ => {
            let package = debian::unpacked(&context.places, "xen-hypervisor-4.17-amd64")?;
            crate::kernel::file_beginning(&package.join("boot"), "xen-4.17-amd64.gz")?
        }
    };
    std::fs::copy(packed, tree.join("boot/hypervisor.gz"))?;
    std::fs::copy(&dom0.kernel, tree.join("boot/vmlinuz"))?;
    std::fs::copy(&dom0.initramfs, tree.join("boot/initramfs"))?;
    let words = hypervisor.words();
    let menu = format!(
        "set timeout=0\n\
         serial --unit=0 --speed=115200\n\
         terminal_output serial\n\
         menuentry dom0 {{\n\
           {protocol} /boot/hypervisor.gz placeholder {words} dom0_mem=1024M\n\
           {module} /boot/vmlinuz placeholder console=hvc0 panic=-1 quiet scenario=boot \
         cpus=2 least=800\n\
           {module} --nounzip /boot/initramfs\n\
         }}\n"
    );
    std::fs::write(tree.join("boot/grub/grub.cfg"), menu)?;
    process::capture(
        Command::new("grub-mkrescue")
            .args(["--locales=", "--themes=", "--fonts=", "-o"])
            .args([&iso, &tree]),
    )?;
    made.push(iso.clone());
    Ok(iso)
}
