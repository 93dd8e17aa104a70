//! Running tests two at a time and reporting each in a line.

use super::context::Context;
use anyhow::Result;
use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Emulators at a time.
const AT_ONCE: usize = 2;

/// One test: it is told its name.
type One = dyn Fn(&Context, &str) -> Result<()> + Send;
/// Several tests, which report themselves.
type Many = dyn Fn(&Context, &Report) -> Result<()> + Send;

/// What a job does.
pub enum Work {
    /// One test, under the job's name.
    One(Box<One>),
    /// Several, which it reports itself.
    Many(Box<Many>),
}

/// One or several tests that run together.
pub struct Job {
    /// Its name; a filter matches a part of it.
    pub name: String,
    /// Whether only `--all` runs it.
    pub tail: bool,
    /// Whether it needs the emulator.
    pub on_a_machine: bool,
    work: Work,
}

impl Job {
    /// A test on a machine.
    pub fn one(
        name: impl Into<String>,
        work: impl Fn(&Context, &str) -> Result<()> + Send + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            tail: false,
            on_a_machine: true,
            work: Work::One(Box::new(work)),
        }
    }

    /// Several tests that report themselves.
    pub fn many(
        name: impl Into<String>,
        on_a_machine: bool,
        work: impl Fn(&Context, &Report) -> Result<()> + Send + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            tail: false,
            on_a_machine,
            work: Work::Many(Box::new(work)),
        }
    }

    /// Moves it to the tail unless `usual`.
    pub fn tail_unless(mut self, usual: bool) -> Self {
        self.tail = !usual;
        self
    }
}

/// Counts and prints results.
#[derive(Default)]
pub struct Report {
    totals: Mutex<(u32, u32)>,
}

impl Report {
    /// Prints the line of a test and counts it.
    pub fn result(&self, name: &str, took: Option<Duration>, result: Result<(), String>) {
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        let time = took.map_or(String::new(), |took| {
            format!(" ({:.1} s)", took.as_secs_f64())
        });
        let line = match result {
            Ok(()) => {
                totals.0 += 1;
                format!("ok   {name}{time}")
            }
            Err(reason) => {
                totals.1 += 1;
                format!("FAIL {name}: {}{time}", reason.trim().replace('\n', "; "))
            }
        };
        // Nobody to tell if standard output is closed.
        let _ = writeln!(std::io::stdout(), "{line}");
    }

    /// Prints what is to be known of a test beside its result.
    pub fn note(&self, name: &str, words: &str) {
        // As for a result.
        let _ = writeln!(std::io::stdout(), "note {name}: {words}");
    }

    /// How many passed and failed.
    pub fn totals(&self) -> (u32, u32) {
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs the jobs, two at a time, in their order.
pub fn run(context: &Context, jobs: Vec<Job>, report: &Report) {
    let queue = Mutex::new(VecDeque::from(jobs));
    let next = || {
        queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    };
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(job) = next() {
                    run_one(context, &job, report);
                }
            });
        }
    });
}

fn run_one(context: &Context, job: &Job, report: &Report) {
    let start = Instant::now();
    match &job.work {
        Work::One(work) => {
            let result = work(context, &job.name).map_err(|error| {
                let log = context.log(&job.name).unwrap_or_default();
                format!("{error:#} [{}]", log.display())
            });
            report.result(&job.name, Some(start.elapsed()), result);
        }
        Work::Many(work) => {
            if let Err(error) = work(context, report) {
                report.result(&job.name, Some(start.elapsed()), Err(format!("{error:#}")));
            }
        }
    }
}
