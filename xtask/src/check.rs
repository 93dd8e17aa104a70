//! `x check`: format, lints, documentation, and the rules of the house that a program can check.

mod layers;
mod pages;
mod sources;

use crate::arguments::Arguments;
use crate::build::{self, Profile};
use crate::places::Places;
use crate::process;
use anyhow::{bail, Context, Result};
use std::process::Command;
use std::time::Instant;

/// The gzipped image may not outgrow this, in KiB: what Debian's Xen has. A feature that needs more
/// raises it on purpose, in the commit that adds it.
const IMAGE_BUDGET: u64 = 1151;

/// One check.
struct Check {
    name: &'static str,
    run: fn(&Places) -> Result<()>,
    /// What `--write` does first.
    mend: Option<fn(&Places) -> Result<()>>,
}

const fn check(name: &'static str, run: fn(&Places) -> Result<()>) -> Check {
    Check {
        name,
        run,
        mend: None,
    }
}

const CHECKS: &[Check] = &[
    Check {
        name: "format",
        run: format,
        mend: Some(mend_format),
    },
    check("only text", sources::only_text),
    check("file length", sources::file_length),
    check("function length", sources::function_length),
    check("files say what they are", sources::opening),
    check("unsafe stays in hw", sources::unsafe_code),
    check("names of files", sources::file_names),
    check("layers", layers::arrows),
    check("crates inherit the lints", layers::lints),
    Check {
        name: "coverage page",
        run: pages::coverage,
        mend: Some(pages::write_coverage),
    },
    check("links in the book", pages::links),
    check("clippy", clippy),
    check("rustdoc", rustdoc),
    check("image size", image_size),
];

/// `x check [--write] [FILTER...]`
pub fn command(mut arguments: Arguments) -> Result<bool> {
    let write = arguments.flag("--write");
    let filters = arguments.rest()?;
    let places = Places::find()?;
    let (mut passed, mut failed) = (0, 0);
    let chosen = |check: &&Check| {
        filters.is_empty()
            || filters
                .iter()
                .any(|text| check.name.contains(text.as_str()))
    };
    for check in CHECKS.iter().filter(chosen) {
        let start = Instant::now();
        if let Some(mend) = check.mend.filter(|_| write) {
            mend(&places)?;
        }
        let result = (check.run)(&places);
        let took = start.elapsed().as_secs_f64();
        match result {
            Ok(()) => {
                passed += 1;
                println!("ok   {} ({took:.1} s)", check.name);
            }
            Err(error) => {
                failed += 1;
                println!("FAIL {}: {error:#}", check.name);
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
}

fn mend_format(places: &Places) -> Result<()> {
    process::show(cargo(places, "fmt").arg("--all"))
}

fn format(places: &Places) -> Result<()> {
    if process::capture(cargo(places, "fmt").arg("--version")).is_err() {
        bail!("this Rust has no rustfmt (`rustup component add rustfmt`)");
    }
    process::show(cargo(places, "fmt").args(["--all", "--", "--check", "-l"])).context(
        "the files listed above differ from rustfmt's (`./x check --write format` mends them)",
    )
}

/// Bare-metal crates are checked for the host's target, which has a `core` for clippy; their code
/// is the same there, since it is `no_std` and for one processor.
fn clippy(places: &Places) -> Result<()> {
    let bare = bare_packages();
    let mut host = cargo(places, "clippy");
    host.args(["--workspace", "--all-targets"]);
    for package in bare {
        host.args(["--exclude", package]);
    }
    process::show(host.args(["--", "-D", "warnings"]))?;
    let mut rest = cargo(places, "clippy");
    for package in bare {
        rest.args(["--package", package]);
    }
    process::show(rest.args(["--", "-D", "warnings"]))
}

fn rustdoc(places: &Places) -> Result<()> {
    process::show(
        cargo(places, "doc")
            .args(["--workspace", "--no-deps", "--document-private-items"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

fn image_size(places: &Places) -> Result<()> {
    let image = build::image(places, Profile::Release)?;
    let size = image.gzipped.metadata()?.len().div_ceil(1024);
    if size > IMAGE_BUDGET {
        bail!("the gzipped image has {size} KiB, more than {IMAGE_BUDGET}");
    }
    Ok(())
}

/// The crates that only make sense without an operating system.
fn bare_packages() -> &'static [&'static str] {
    &[
        "hw",
        "hypervisor",
        "guest-kit",
        "guest-suite",
        "guest-isolation",
        "guest-load",
    ]
}

fn cargo(places: &Places, subcommand: &str) -> Command {
    let mut command = Command::new("cargo");
    command
        .arg(subcommand)
        .arg("--quiet")
        .current_dir(&places.root);
    command
}
