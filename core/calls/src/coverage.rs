//! The coverage page: the table as Markdown.

use core::fmt::{Result, Write};

use crate::{Hypercall, Operation, State, HYPERCALLS};

/// How many rows are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) done: usize,
    pub(crate) refused: usize,
    pub(crate) missing: usize,
}

impl Totals {
    fn add(&mut self, state: State) {
        let count = match state {
            State::Done => &mut self.done,
            State::Refused => &mut self.refused,
            State::Missing => &mut self.missing,
        };
        *count = count.saturating_add(1);
    }

    /// Counts `operations` and all they divide into.
    fn add_all(&mut self, operations: &[Operation]) {
        for operation in operations {
            self.add(operation.state);
            self.add_all(operation.operations);
        }
    }

    /// Counts one hypercall: itself, or its sub-operations where it has some.
    fn of(hypercall: &Hypercall) -> Self {
        let mut totals = Self::default();
        if hypercall.operations.is_empty() {
            totals.add(hypercall.state);
        }
        totals.add_all(hypercall.operations);
        totals
    }

    /// Counts the whole table.
    pub(crate) fn of_table() -> Self {
        let mut totals = Self::default();
        for hypercall in HYPERCALLS {
            let part = Self::of(hypercall);
            totals.done = totals.done.saturating_add(part.done);
            totals.refused = totals.refused.saturating_add(part.refused);
            totals.missing = totals.missing.saturating_add(part.missing);
        }
        totals
    }

    fn sum(self) -> usize {
        self.done
            .saturating_add(self.refused)
            .saturating_add(self.missing)
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Done => "done",
        State::Refused => "refused",
        State::Missing => "missing",
    }
}

/// Writes the coverage page: totals, the hypercalls, then every hypercall's operations.
pub fn write_markdown(out: &mut impl Write) -> Result {
    let totals = Totals::of_table();
    writeln!(out, "# Coverage of the interface\n")?;
    writeln!(
        out,
        "Every hypercall and operation of Xen 4.17's public headers. This page is made from the table the\n\
         hypervisor's dispatcher is made from (`core/calls`); do not edit it. *Refused* answers `-ENOSYS`, or\n\
         the errno in its note, on purpose; *missing* answers `-ENOSYS` because nobody wrote it yet.\n"
    )?;
    writeln!(
        out,
        "Of {} operations {} are done, {} refused, {} missing.\n",
        totals.sum(),
        totals.done,
        totals.refused,
        totals.missing
    )?;
    writeln!(
        out,
        "| number | hypercall | state | done | refused | missing | note |"
    )?;
    writeln!(out, "|---:|---|---|---:|---:|---:|---|")?;
    for hypercall in HYPERCALLS {
        let part = Totals::of(hypercall);
        writeln!(
            out,
            "| {} | `{}` | {} | {} | {} | {} | {} |",
            hypercall.number,
            hypercall.name,
            word(hypercall.state),
            part.done,
            part.refused,
            part.missing,
            hypercall.note
        )?;
    }
    for hypercall in HYPERCALLS {
        if !hypercall.operations.is_empty() {
            writeln!(out, "\n## {}\n", hypercall.name)?;
            write_operations(out, hypercall.operations)?;
        }
    }
    Ok(())
}

/// Writes one table of operations, then the tables of those that divide further.
fn write_operations(out: &mut impl Write, operations: &[Operation]) -> Result {
    writeln!(out, "| number | operation | state | note |")?;
    writeln!(out, "|---:|---|---|---|")?;
    for operation in operations {
        writeln!(
            out,
            "| {} | `{}` | {} | {} |",
            operation.number,
            operation.name,
            word(operation.state),
            operation.note
        )?;
    }
    for operation in operations {
        if !operation.operations.is_empty() {
            writeln!(out, "\n### {}\n", operation.name)?;
            write_operations(out, operation.operations)?;
        }
    }
    Ok(())
}
