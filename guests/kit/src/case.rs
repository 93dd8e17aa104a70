//! The registry of cases and the runner: one line a case, a total at the end.
//!
//! The command line chooses: `only=a,b` runs just those, `group=x,y` just those groups, `skip=a,b`
//! leaves some out, `list` prints names instead of running, `verbose` announces each case first.
//! A case marked as a crash kills its domain: it runs only when `only=` names it, and prints
//! `EXPECT-CRASH name` first.

use crate::command_line::{has, lists, value};
use crate::console::Line;
use crate::events::vcpu_info;
use crate::trap_entry::{kit_resume, kit_try};
use crate::vcpu::area;
use core::fmt::Write;
use core::panic::PanicInfo;

/// One behaviour of the interface and the function that asserts it, by panicking if it does not
/// hold.
pub struct Case {
    /// Its name, unique in the suite.
    pub name: &'static str,
    /// The behaviour, in one sentence.
    pub doc: &'static str,
    /// The test.
    pub run: fn(),
    /// Whether the domain must die of it.
    pub crashes: bool,
}

/// A case: name, sentence, function; `crash` in front for one that must kill the domain.
#[macro_export]
macro_rules! case {
    (crash $name:literal, $doc:literal, $run:expr) => {
        $crate::case::Case {
            name: $name,
            doc: $doc,
            run: $run,
            crashes: true,
        }
    };
    ($name:literal, $doc:literal, $run:expr) => {
        $crate::case::Case {
            name: $name,
            doc: $doc,
            run: $run,
            crashes: false,
        }
    };
}

/// A subject and its cases.
pub struct Group {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its cases, in the order they run.
    pub cases: &'static [Case],
}

static mut RUNNER: u64 = 0;
static mut MESSAGE: Line = Line::new();

fn message() -> &'static mut Line {
    // One vCPU runs cases, and nothing keeps the reference over a call.
    unsafe { (&raw mut MESSAGE).as_mut().unwrap_unchecked() }
}

/// Runs what the command line chooses and prints the total.
pub fn run_suite(groups: &[Group]) {
    let (mut passed, mut failed) = (0, 0);
    for group in groups {
        for case in group.cases {
            if has("list") {
                let kind = if case.crashes { "crash" } else { "case" };
                crate::say!("LIST {kind} {} {}: {}", group.name, case.name, case.doc);
            } else if chosen(group, case) {
                if run(case) {
                    passed += 1;
                } else {
                    failed += 1;
                }
            }
        }
    }
    crate::say!("SUITE {passed} passed, {failed} failed");
}

fn chosen(group: &Group, case: &Case) -> bool {
    let named = lists("only", case.name);
    if lists("skip", case.name) || (case.crashes && !named) {
        return false;
    }
    match (value("only"), value("group")) {
        (None, None) => true,
        (_, groups) => named || (groups.is_some() && lists("group", group.name)),
    }
}

extern "C" fn run_case(case: *mut u8) {
    unsafe { ((*(case as *const Case)).run)() }
}

fn run(case: &Case) -> bool {
    if case.crashes {
        crate::say!("EXPECT-CRASH {}", case.name);
    } else if has("verbose") {
        crate::say!("RUN {}", case.name);
    }
    vcpu_info().mask = 1;
    message().clear();
    let failed = unsafe { kit_try(run_case, case as *const Case as *mut u8, &raw mut RUNNER) };
    unsafe { RUNNER = 0 };
    tidy();
    if failed != 0 {
        crate::say!("CASE {} FAIL: {}", case.name, message().text());
    } else if case.crashes {
        crate::say!("CASE {} FAIL: the domain survived", case.name);
    } else {
        crate::say!("CASE {} ok", case.name);
    }
    failed == 0 && !case.crashes
}

/// Puts back what a failed case may have left in the way of the next.
fn tidy() {
    let area = area();
    area.hook = None;
    area.resume = 0;
    vcpu_info().mask = 1;
}

#[panic_handler]
fn panicked(info: &PanicInfo) -> ! {
    let line = message();
    line.clear();
    let _ = write!(line, "{}", info.message());
    if let Some(place) = info.location() {
        let _ = write!(line, " ({}:{})", place.file(), place.line());
    }
    line.flatten();
    let runner = unsafe { RUNNER };
    if runner == 0 || area().id != 0 {
        crate::say!("PANIC: {}", line.text());
        crate::hypercall::shutdown(3)
    }
    unsafe { kit_resume(runner, 1) }
}
