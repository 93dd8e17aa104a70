//! `x debug`: as `x run`, stopped at the first instruction, with gdb attached.

use crate::arguments::Arguments;
use crate::debian;
use crate::emulator::Emulator;
use crate::places::Places;
use crate::run;
use anyhow::{Context, Result};
use std::process::Command;

/// `x debug`: gdb has the terminal, the console goes to `target/debug-console.log`.
pub fn command(arguments: Arguments) -> Result<bool> {
    let mut prepared = run::prepare(arguments)?;
    debian::install(&["gdb"])?;
    let log = Places::find()?.target.join("debug-console.log");
    prepared.machine = prepared.machine.devices(["-s", "-S"]);
    let _emulator = Emulator::start(&prepared.machine, &log)?;
    eprintln!("x: the console goes to {}", log.display());
    let mut gdb = Command::new("gdb");
    gdb.args(["-q", "-ex", "set architecture i386:x86-64"]);
    if let Some(image) = &prepared.image {
        gdb.arg(&image.symbols);
    }
    gdb.args(["-ex", "target remote localhost:1234"]);
    let status = gdb.status().context("cannot start gdb")?;
    Ok(status.success())
}
