//! The compiler for the bare machine: whichever on this machine has, or can build, Rust's `core`
//! for `x86_64-unknown-none`.

use crate::debian;
use crate::places::Places;
use crate::process;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target of the image and of the bare guests.
pub const TARGET: &str = "x86_64-unknown-none";

/// Where `core` comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Core {
    /// The toolchain has it for the target.
    Installed,
    /// The toolchain has its source: build it along.
    FromSource,
    /// Debian's own Rust and its source.
    FromDebian,
}

/// A compiler that can build for the target.
pub struct Toolchain {
    core: Core,
    has_linker: bool,
}

impl Toolchain {
    /// Picks the first that works, and installs Debian's where none does.
    pub fn pick() -> Result<Self> {
        let sysroot = sysroot(Path::new("rustc"));
        let has = |inside: &str| {
            sysroot
                .as_ref()
                .is_some_and(|path| path.join(inside).exists())
        };
        let core = if has(&format!("lib/rustlib/{TARGET}/lib")) {
            Core::Installed
        } else if has("lib/rustlib/src/rust/library/core") {
            Core::FromSource
        } else {
            debian::install(debian::RUST)?;
            Core::FromDebian
        };
        let has_linker =
            core != Core::FromDebian && has("lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld");
        if !has_linker {
            debian::install(&["lld"])?;
        }
        Ok(Self { core, has_linker })
    }

    /// `cargo SUBCOMMAND` for the target, in the repository, with its own build folder.
    pub fn cargo(&self, places: &Places, subcommand: &str) -> Command {
        let program = match self.core {
            Core::FromDebian => "/usr/bin/cargo",
            _ => "cargo",
        };
        let mut command = Command::new(program);
        command.current_dir(&places.root).arg(subcommand);
        command.args(["--target", TARGET, "--target-dir"]);
        command.arg(places.target.join("bare"));
        // `cargo run`, which started us, leaves its own settings behind; they are for the host.
        for name in ["LD_LIBRARY_PATH", "CARGO", "RUSTC", "RUSTFLAGS"] {
            command.env_remove(name);
        }
        if self.core == Core::FromDebian {
            command.env_remove("RUSTUP_TOOLCHAIN");
            command.env("RUSTC", "/usr/bin/rustc");
        }
        if self.core != Core::Installed {
            command.env("RUSTC_BOOTSTRAP", "1").args([
                "-Zbuild-std=core,alloc,compiler_builtins",
                "-Zbuild-std-features=compiler-builtins-mem",
            ]);
        }
        let linker = if self.has_linker {
            "rust-lld"
        } else {
            "ld.lld"
        };
        command.env("CARGO_TARGET_X86_64_UNKNOWN_NONE_LINKER", linker);
        command
    }

    /// Builds a package in a profile; gives the folder with its programs.
    pub fn build(&self, places: &Places, package: &str, profile: &str) -> Result<PathBuf> {
        process::show(self.cargo(places, "build").args([
            "--package",
            package,
            "--profile",
            profile,
        ]))?;
        Ok(places.target.join("bare").join(TARGET).join(profile))
    }
}

fn sysroot(compiler: &Path) -> Option<PathBuf> {
    process::capture(Command::new(compiler).args(["--print", "sysroot"]))
        .ok()
        .map(|path| PathBuf::from(path.trim()))
}
