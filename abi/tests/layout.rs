//! Compares every structure and constant of this crate with the C headers of Debian's libxen-dev.
//!
//! What the crate declares leaves tables behind (`xen_abi::HEADERS`); from them the test writes a C
//! program that prints what the headers say, compiles and runs it, and reports every difference.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const HEADERS_FOLDER: &str = "/usr/include/xen";

/// How the C program begins. `__XEN_TOOLS__` gives the newest interface with the control structures;
/// `__XEN__` adds the hypervisor's own operations, but `hvm/save.h` must not see it.
const PROLOGUE: &str = "#define __XEN_TOOLS__ 1\n\
    #include <stddef.h>\n#include <stdint.h>\n#include <stdio.h>\n\
    #include <xen/xen.h>\n#include <xen/hvm/save.h>\n#define __XEN__ 1\n";

#[test]
fn structures_and_constants_are_those_of_the_c_headers() {
    let (source, expected) = program();
    let answers = answers_of(&source);

    let mut differences = String::new();
    for (question, ours) in &expected {
        match answers.get(question) {
            Some(theirs) if theirs == ours => {}
            Some(theirs) => writeln!(
                differences,
                "{question}: {ours:#x} here, {theirs:#x} in the headers"
            )
            .unwrap(),
            None => writeln!(differences, "{question}: the C program said nothing of it").unwrap(),
        }
    }
    assert!(
        differences.is_empty(),
        "{} of {} facts differ:\n{differences}",
        differences.lines().count(),
        expected.len()
    );
    assert!(
        expected.len() > 2000,
        "only {} facts compared: the tables shrank",
        expected.len()
    );
}

/// The C program, and for every line it prints the value this crate expects there.
fn program() -> (String, BTreeMap<String, u64>) {
    let mut source = String::from(PROLOGUE);
    let mut expected = BTreeMap::new();
    let files: BTreeSet<&str> = xen_abi::HEADERS.iter().map(|header| header.file).collect();
    for file in files {
        writeln!(source, "#include <xen/{file}>").unwrap();
    }
    source.push_str("int main(void) {\n");
    for header in xen_abi::HEADERS {
        for structure in header.structures {
            structure_questions(structure, &mut source, &mut expected);
        }
        for constant in header.constants {
            let question = format!("constant {}", constant.name);
            ask(&mut source, &question, constant.name);
            expected.insert(question, constant.value);
        }
    }
    source.push_str("return 0;\n}\n");
    (source, expected)
}

fn structure_questions(
    structure: &xen_abi::layout::StructLayout,
    source: &mut String,
    expected: &mut BTreeMap<String, u64>,
) {
    let c_type = structure.c_type;
    let mut fact = |question: String, expression: String, value: usize| {
        ask(source, &question, &expression);
        let before = expected.insert(question.clone(), value as u64);
        assert!(before.is_none(), "declared twice: {question}");
    };
    fact(
        format!("size of {c_type}"),
        format!("sizeof({c_type})"),
        structure.size,
    );
    fact(
        format!("alignment of {c_type}"),
        format!("__alignof__({c_type})"),
        structure.align,
    );
    for field in structure.fields {
        let path = field.path;
        if path.starts_with("_padding") {
            continue;
        }
        fact(
            format!("offset of {path} in {c_type}"),
            format!("__builtin_offsetof({c_type}, {path})"),
            field.offset,
        );
        fact(
            format!("size of {path} in {c_type}"),
            format!("sizeof((({c_type} *)0)->{path})"),
            field.size,
        );
    }
}

/// Makes the program print the question and the expression's value.
fn ask(source: &mut String, question: &str, expression: &str) {
    writeln!(
        source,
        "printf(\"%llx %s\\n\", (unsigned long long)({expression}), \"{question}\");"
    )
    .unwrap();
}

/// Compiles and runs the program; its lines as question and value.
fn answers_of(source: &str) -> BTreeMap<String, u64> {
    assert!(
        Path::new(HEADERS_FOLDER).join("xen.h").exists(),
        "{HEADERS_FOLDER}/xen.h is missing: apt install libxen-dev gcc"
    );
    let folder = folder();
    let (source_file, program) = (folder.join("layout.c"), folder.join("layout"));
    std::fs::write(&source_file, source).unwrap();
    let compiled = Command::new("cc")
        .args(["-std=gnu11", "-w", "-O0", "-o"])
        .args([&program, &source_file])
        .output()
        .unwrap_or_else(|error| panic!("cc does not start ({error}): apt install libxen-dev gcc"));
    assert!(
        compiled.status.success(),
        "the headers lack something this crate declares:\n{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    let run = Command::new(&program).output().unwrap();
    assert!(run.status.success(), "the C program failed");
    let text = String::from_utf8(run.stdout).unwrap();
    text.lines()
        .map(|line| {
            let (value, question) = line.split_once(' ').unwrap();
            (
                question.to_string(),
                u64::from_str_radix(value, 16).unwrap(),
            )
        })
        .collect()
}

/// A folder for the program in cargo's own temporary one.
fn folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("layout");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
