//! One of the targets under libFuzzer; the variable `TARGET` names it.
//!
//!     TARGET=grants RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir fuzz/libfuzzer target
//!
//! Without `cargo fuzz`: `cargo build --release --target x86_64-unknown-linux-gnu` in this folder, with
//! `RUSTC_BOOTSTRAP=1` and `RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
//! -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use xenolith_fuzz::{Target, TARGETS};

static CHOSEN: OnceLock<&'static Target> = OnceLock::new();

fn chosen() -> &'static Target {
    let name = std::env::var("TARGET").unwrap_or_default();
    match xenolith_fuzz::target(&name) {
        Some(target) => target,
        None => {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            panic!("set TARGET to one of: {}", names.join(", "));
        }
    }
}

fuzz_target!(|data: &[u8]| (CHOSEN.get_or_init(chosen).run)(data));
