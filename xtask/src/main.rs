//! The host tool behind `x`: builds the image, boots it, tests it, checks the tree and measures.
//!
//! One module a subject; this file only turns the command line into a call.

mod archive;
mod arguments;
mod bench;
mod bochs;
mod build;
mod busybox;
mod check;
mod debian;
mod debian_tree;
mod debug;
mod demo;
mod dom0;
mod emulator;
mod guest_disk;
mod guests;
mod host_disk;
mod image;
mod kernel;
mod machine;
mod places;
mod process;
mod run;
mod test;
mod toolchain;
mod toolstack;

use anyhow::{bail, Result};
use arguments::Arguments;
use std::process::ExitCode;

const USAGE: &str = "\
usage: ./x COMMAND

  demo [--xen]               from the sources to running guests in one command, told in plain words
  build [--checked]          build the image; the last line is the path that `qemu -kernel` takes
  run [options]              boot it under QEMU into a shell of dom0 with Debian's toolstack
      --xen                    Debian's own Xen 4.17 instead, for comparison
      --checked                the image with debug assertions on
      --cpus N                 processors of the machine (default 2)
      --memory MIB             its memory (default 3072)
      --disk                   a real Debian 12 with systemd, apt and libvirt as dom0, on a disk
      --plain                  without the toolstack: Debian's kernel and busybox alone
      --hypervisor-args WORDS  more words for the hypervisor's command line
      --dom0-args WORDS        more words for the dom0 kernel's
      --gdb                    wait for a debugger on port 1234
  debug [options of run]     the same, with gdb attached and symbols loaded
  test [--all] [--list] [--xen] [FILTER...]
                             the tests whose name contains a FILTER (default: all but the slow tail)
      --xen                    the whole-system tests on Debian's Xen: are the expectations true?
  check [--write] [FILTER...]
                             format, lints, docs, sizes, layers
  bench [--instructions | --wall [--rounds N]] [--part PART] [--no-bare] [--write]
        [--only-xen | --only-xenolith]
                             the same dom0, calls and guests on Xenolith, on Debian's Xen and without either
      --part PART              only `dom0`, `calls` (single hypercalls), `scheduling`, `guests`, `guarantees` (of the
                               schedulers) or of these `parallel` (many vCPUs on two processors)
      --write                  put the table and the plot into docs/
  image-size                 bytes of the image, as `check` budgets them
";

fn main() -> ExitCode {
    match command(Arguments::from_environment()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("x: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one command; `false` means that it ran and something it looked at did not hold.
fn command(mut arguments: Arguments) -> Result<bool> {
    let Some(name) = arguments.word() else {
        eprint!("{USAGE}");
        return Ok(false);
    };
    match name.as_str() {
        "demo" => demo::command(arguments),
        "build" => build::command(arguments),
        "run" => run::command(arguments),
        "debug" => debug::command(arguments),
        "test" => test::command(arguments),
        "check" => check::command(arguments),
        "bench" => bench::command(arguments),
        "image-size" => build::size_command(arguments),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(true)
        }
        other => bail!("no command `{other}`\n{USAGE}"),
    }
}
