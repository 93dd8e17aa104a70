//! What is wrong at boot gets one clear line and a halt, never a hang, a reset or a triple fault.

use super::context::Context;
use super::firmware::{self, Damage};
use super::jobs::Job;
use crate::build::Profile;
use crate::emulator::Emulator;
use crate::machine::{Boot, Machine, CPU};
use anyhow::{bail, Context as _, Result};
use std::net::TcpListener;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// One mistake.
struct Mistake {
    name: &'static str,
    /// Turns a good machine into the mistaken one.
    make: fn(&Context, &str, Machine) -> Result<Machine>,
    /// Every one of these must stand in the one line, in any case of letters.
    line: &'static [&'static str],
}

const fn mistake(
    name: &'static str,
    line: &'static [&'static str],
    make: fn(&Context, &str, Machine) -> Result<Machine>,
) -> Mistake {
    Mistake { name, make, line }
}

const MISTAKES: &[Mistake] = &[
    mistake("no module", &["module", "kernel"], |_, _, mut machine| {
        machine.boot = Boot::Direct(Vec::new());
        Ok(machine)
    }),
    mistake(
        "a module that is no kernel",
        &["no kernel", "bzImage"],
        |context, test, machine| {
            with_kernel(context, test, machine, |_| {
                b"This is a text, not a kernel.\n".repeat(300)
            })
        },
    ),
    mistake(
        "a truncated kernel",
        &["kernel", "cut short"],
        |context, test, machine| {
            with_kernel(context, test, machine, |mut kernel| {
                kernel.truncate(kernel.len() / 2);
                kernel
            })
        },
    ),
    mistake(
        "a corrupt kernel",
        &["kernel", "do not decompress"],
        |context, test, machine| {
            with_kernel(context, test, machine, |mut kernel| {
                let middle = kernel.len() / 2;
                for byte in kernel.iter_mut().skip(middle).take(4096) {
                    *byte ^= 0x5a;
                }
                kernel
            })
        },
    ),
    mistake(
        "a kernel without Xen notes",
        &["kernel", "no Xen notes"],
        |context, test, machine| with_kernel(context, test, machine, |_| elf_kernel(None)),
    ),
    mistake(
        "a kernel that needs a feature we lack",
        &["kernel", "demands a feature"],
        |context, test, machine| {
            with_kernel(context, test, machine, |_| {
                elf_kernel(Some("no_such_feature_at_all"))
            })
        },
    ),
    mistake(
        "dom0_mem above what there is",
        &["dom0_mem", "MiB", "free"],
        |_, _, machine| Ok(machine.words("dom0_mem=64G,min:64G")),
    ),
    mistake(
        "too little memory",
        &["too little memory", "MiB"],
        |_, _, machine| Ok(machine.memory(32)),
    ),
    mistake("a CPU without NX", &["NX"], |_, _, mut machine| {
        machine.cpu = format!("{CPU},-nx");
        Ok(machine)
    }),
    mistake("a second console=", &["two console="], |_, _, machine| {
        Ok(machine.words("console=vga"))
    }),
];

/// A test a mistake; and an unknown option, which is only warned about.
pub fn jobs() -> Vec<Job> {
    let mut jobs: Vec<Job> = MISTAKES
        .iter()
        .map(|mistake| {
            let name = format!("bad input/{}", mistake.name);
            Job::one(name, |context, test| shows(context, test, mistake))
        })
        .collect();
    jobs.push(Job::one(
        "bad input/an unknown option is named and ignored",
        |context, test| {
            let machine = context.machine("poweroff")?.words("no_such_option=3");
            let mut emulator = context.start(test, &machine)?;
            emulator.wait_for(&["no_such_option"], LIMIT)?;
            emulator.wait_for(&["dom0: passed"], LIMIT * 2).map(drop)
        },
    ));
    for (name, what) in [
        ("root pointer", Damage::RootPointer),
        ("MADT", Damage::Madt),
    ] {
        let name = format!("bad input/a broken ACPI {name}");
        jobs.push(Job::one(name, move |context, test| {
            broken_tables(context, test, what)
        }));
    }
    jobs
}

fn shows(context: &Context, test: &str, mistake: &Mistake) -> Result<()> {
    let good = context.machine("poweroff")?.memory(1024);
    let machine = (mistake.make)(context, test, good)?;
    let mut emulator = context.start(test, &machine)?;
    says_so_and_halts(&mut emulator, mistake.line)
}

/// Waits for the one line with all the words.
fn says_so(emulator: &mut Emulator, words: &[&str]) -> Result<()> {
    loop {
        let Ok(line) = emulator.wait_for(&[""], LIMIT) else {
            let last = emulator
                .lines()
                .pop()
                .map_or(String::new(), |line| line.text);
            bail!(
                "no line says '{}'; the last one: {last}",
                words.join("', '")
            );
        };
        let line = line.text;
        // The command line is echoed; an echo of the mistake is no message about it.
        let echo = line.contains("com1=");
        let text = line.to_lowercase();
        if !echo && words.iter().all(|word| text.contains(&word.to_lowercase())) {
            return Ok(());
        }
    }
}

fn says_so_and_halts(emulator: &mut Emulator, words: &[&str]) -> Result<()> {
    says_so(emulator, words)?;
    thread::sleep(Duration::from_secs(2));
    if !emulator.is_halted()? {
        bail!("the machine does not halt after its message");
    }
    Ok(())
}

/// Puts another file in place of the kernel.
fn with_kernel(
    context: &Context,
    test: &str,
    mut machine: Machine,
    change: fn(Vec<u8>) -> Vec<u8>,
) -> Result<Machine> {
    let path = file(
        context,
        test,
        &change(std::fs::read(&context.dom0()?.kernel)?),
    )?;
    if let Boot::Direct(modules) = &mut machine.boot {
        let (kernel, _) = modules.first_mut().context("the machine has a kernel")?;
        *kernel = path;
    }
    Ok(machine)
}

fn file(context: &Context, test: &str, bytes: &[u8]) -> Result<PathBuf> {
    let path = context.log(test)?.with_extension("input");
    std::fs::write(&path, bytes)?;
    Ok(path)
}

/// A 64-bit ELF executable with one small segment and, if asked for, a Xen note that requires a
/// feature.
fn elf_kernel(feature: Option<&str>) -> Vec<u8> {
    const HEADER: u64 = 64;
    const PROGRAM_HEADER: u64 = 56;
    const BASE: u64 = 0xffff_ffff_8100_0000;
    let note = feature.map(notes).unwrap_or_default();
    let note_bytes = note.len() as u64;
    let note_at = HEADER + 2 * PROGRAM_HEADER;
    let end = note_at + note_bytes + 16;
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let half = |file: &mut Vec<u8>, value: u16| file.extend(value.to_le_bytes());
    let long = |file: &mut Vec<u8>, value: u64| file.extend(value.to_le_bytes());
    let word = |file: &mut Vec<u8>, value: u32| file.extend(value.to_le_bytes());
    half(&mut file, 2); // an executable
    half(&mut file, 62); // for x86-64
    word(&mut file, 1);
    for value in [BASE + end - 16, HEADER, 0] {
        long(&mut file, value); // entry, program headers, no section headers
    }
    word(&mut file, 0);
    for value in [64, 56, 2, 0, 0, 0] {
        half(&mut file, value);
    }
    let segments = [(1, 5, 0, end, 4096), (4, 4, note_at, note_bytes, 4)];
    for (kind, flags, offset, bytes, alignment) in segments {
        word(&mut file, kind);
        word(&mut file, flags);
        for value in [
            offset,
            BASE + offset,
            BASE + offset,
            bytes,
            bytes,
            alignment,
        ] {
            long(&mut file, value);
        }
    }
    file.extend(note);
    file.extend([0xf4, 0xeb, 0xfd].iter().cycle().take(16)); // hlt; jmp back
    file
}

/// Notes of a para-virtualized kernel that requires `feature` (`public/elfnote.h`: GUEST_OS 6,
/// XEN_VERSION 5, LOADER 8, FEATURES 10).
fn notes(feature: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let required = format!("!{feature}");
    for (kind, text) in [
        (6_u32, "test"),
        (5, "xen-3.0"),
        (8, "generic"),
        (10, required.as_str()),
    ] {
        let length = u32::try_from(text.len() + 1).unwrap_or(0);
        for value in [4, length, kind] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(b"Xen\0");
        bytes.extend(text.as_bytes());
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

/// Firmware tables that fail their checksums.
fn broken_tables(context: &Context, test: &str, what: Damage) -> Result<()> {
    let hypervisor = context.hypervisor(Profile::Release)?;
    let image = hypervisor.image().context("there is no image")?;
    // Freed at once, and with luck still free when QEMU takes it.
    let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let machine = context.machine("poweroff")?.memory(1024).devices([
        "-S".to_owned(),
        "-gdb".to_owned(),
        format!("tcp:127.0.0.1:{port}"),
    ]);
    let mut emulator = context.start(test, &machine)?;
    firmware::damage(port, image, what)?;
    says_so_and_halts(&mut emulator, &["ACPI", "checksum"])
}
