//! Debian's static busybox, which every initramfs of ours lives on.

use crate::archive::Archive;
use crate::debian;
use crate::places::Places;
use crate::process;
use anyhow::Result;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Puts busybox and a link for each of its commands into `/bin` of an initramfs.
pub fn add(places: &Places, archive: &mut Archive) -> Result<()> {
    let (program, commands) = find(places)?;
    archive.program("bin/busybox", &program)?;
    for name in commands {
        archive.link(&format!("bin/{name}"), "/bin/busybox");
    }
    Ok(())
}

/// Puts busybox and a link for each of its commands into a folder.
pub fn install(places: &Places, folder: &Path) -> Result<()> {
    let (program, commands) = find(places)?;
    std::fs::create_dir_all(folder)?;
    std::fs::copy(program, folder.join("busybox"))?;
    for name in commands {
        symlink("busybox", folder.join(name))?;
    }
    Ok(())
}

/// The program and the names of its commands.
fn find(places: &Places) -> Result<(PathBuf, Vec<String>)> {
    let tree = debian::unpacked(places, "busybox-static")?;
    let program = [tree.join("bin/busybox"), tree.join("usr/bin/busybox")]
        .into_iter()
        .find(|path| path.is_file())
        .unwrap_or_else(|| tree.join("bin/busybox"));
    let list = process::capture(Command::new(&program).arg("--list"))?;
    let commands = list
        .lines()
        .filter(|name| *name != "busybox")
        .map(str::to_owned)
        .collect();
    Ok((program, commands))
}
