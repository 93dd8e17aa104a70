//! Each target for a moment: its seeds, changed copies of them, and bytes of no shape.
#![allow(clippy::panic)]

use std::time::{Duration, Instant};
use xenolith_fuzz::bytes::Generator;
use xenolith_fuzz::{Target, TARGETS};

/// Inputs for each target, if there is time.
const INPUTS: u64 = 100_000;
const TIME: Duration = Duration::from_secs(4);

/// Runs a target on one input; says which it was if it fails.
fn run(target: &Target, input: &[u8]) {
    struct Told<'a>(&'a str, &'a [u8]);
    impl Drop for Told<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("target {} fails on {:02x?}", self.0, self.1);
            }
        }
    }
    let _told = Told(target.name, input);
    (target.run)(input);
}

fn briefly(name: &str) {
    let Some(target) = xenolith_fuzz::target(name) else {
        panic!("no target {name}");
    };
    let seeds = (target.seeds)();
    for seed in &seeds {
        run(target, seed);
    }
    let end = Instant::now() + TIME;
    let mut generator = Generator::new(name.len() as u64);
    for number in 0..INPUTS {
        if Instant::now() > end {
            assert!(number > 100, "{number} inputs are too few");
            return;
        }
        let input = match seeds.get(number as usize % (seeds.len() + 1)) {
            Some(seed) => generator.mutated(seed),
            None => generator.input(400),
        };
        run(target, &input);
    }
}

macro_rules! briefly {
    ($($test:ident $name:literal,)*) => {
        $(#[test] fn $test() { briefly($name) })*
        #[test]
        fn every_target_is_run() {
            let names = [$($name),*];
            assert!(TARGETS.iter().all(|target| names.contains(&target.name)));
        }
    };
}

briefly! {
    page_table_write "page-table-write",
    privileged "privileged",
    event_channels "event-channels",
    grants "grants",
    kernel_image "kernel-image",
    page_tables "page-tables",
    descriptors "descriptors",
    cpu_policy "cpu-policy",
    options "options",
}
