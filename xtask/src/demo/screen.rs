//! How the demonstration looks: steps with their times, commands, what they print, a summary.
//! Coloured on a terminal, plain elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const PLAIN: &str = "\x1b[0m";

/// Longer lines are cut: what is shown fits a usual terminal.
const WIDTH: usize = 92;

/// A step that has begun.
struct Step {
    what: String,
    began: Instant,
}

/// What is on the screen so far.
pub struct Screen {
    colours: bool,
    began: Instant,
    current: Option<Step>,
    finished: Vec<(String, Duration)>,
}

impl Screen {
    /// An empty one; the clock begins to run.
    pub fn new() -> Self {
        Self {
            colours: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            began: Instant::now(),
            current: None,
            finished: Vec::new(),
        }
    }

    /// The first line.
    pub fn title(&self, text: &str) {
        self.line(&format!("\n{}\n", self.in_colour(BOLD, text)));
    }

    /// A step begins; its line has the time since the start.
    pub fn step(&mut self, what: &str) {
        let seconds = self.began.elapsed().as_secs_f64();
        let clock = self.in_colour(DIM, &format!("{seconds:6.1} s"));
        self.line(&format!("{clock}  {}", self.in_colour(BOLD, what)));
        self.current = Some(Step {
            what: what.to_owned(),
            began: Instant::now(),
        });
    }

    /// A command that is typed in dom0 or in a guest.
    pub fn command(&self, text: &str) {
        self.line(&format!("             {} {text}", self.in_colour(DIM, "#")));
    }

    /// A line that something printed.
    pub fn output(&self, text: &str) {
        let text: String = text.chars().take(WIDTH).collect();
        self.line(&format!("             {}", self.in_colour(DIM, &text)));
    }

    /// The step is over, and this came of it.
    pub fn done(&mut self, finding: &str) {
        let Some(step) = self.current.take() else {
            return;
        };
        let took = step.began.elapsed();
        let mark = self.in_colour(GREEN, "ok");
        let time = self.in_colour(DIM, &format!("({:.1} s)", took.as_secs_f64()));
        self.line(&format!("          {mark} {finding} {time}\n"));
        self.finished.push((step.what, took));
    }

    /// All went well: where the time went.
    pub fn summary(&self, name: &str) {
        let total = self.began.elapsed().as_secs_f64();
        self.line(&self.in_colour(BOLD, &format!("What took how long ({total:.1} s in all)")));
        let longest = self
            .finished
            .iter()
            .map(|(_, took)| took.as_secs_f64())
            .fold(0.1, f64::max);
        for (what, took) in &self.finished {
            let seconds = took.as_secs_f64();
            let bar = bar(seconds / longest);
            let what = what.split([':', '(']).next().unwrap_or_default().trim();
            self.line(&format!("{seconds:6.1} s  {what:<62.62} {bar}"));
        }
        self.line(&format!(
            "\n{} {name} ran Debian's dom0, toolstack and guests, all unmodified.",
            self.in_colour(GREEN, "ok")
        ));
        self.line("   ./x run opens a shell in dom0 to try it by hand.");
    }

    /// A step went wrong.
    pub fn failure(&self, why: &str) {
        let mark = self.in_colour(RED, "FAILED");
        match &self.current {
            Some(step) => self.line(&format!("          {mark} {}: {why}", step.what)),
            None => self.line(&format!("          {mark} {why}")),
        }
    }

    /// A remark at the end.
    pub fn note(&self, text: &str) {
        self.line(&self.in_colour(DIM, &format!("   {text}")));
    }

    fn in_colour(&self, colour: &str, text: &str) -> String {
        if self.colours {
            format!("{colour}{text}{PLAIN}")
        } else {
            text.to_owned()
        }
    }

    fn line(&self, text: &str) {
        // Nobody to tell if standard output is closed.
        let _ = writeln!(std::io::stdout(), "{text}");
    }
}

/// A bar of up to twenty signs for a share of the longest.
fn bar(share: f64) -> String {
    let signs = [0.05_f64, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5]
        .iter()
        .chain(&[0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0])
        .filter(|step| share >= **step - 0.025)
        .count();
    "█".repeat(signs)
}
