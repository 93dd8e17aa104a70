//! Tests of the initramfs writer.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::Archive;
use std::io::Write;
use std::process::{Command, Stdio};

fn sample() -> Vec<u8> {
    let mut archive = Archive::new();
    archive.file("init", 0o755, b"#!/bin/sh\n");
    archive.file("a/b/c.txt", 0o644, b"hello");
    archive.file("a/b/d.txt", 0o644, b"");
    archive.link("a/link", "b/c.txt");
    archive.finish()
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    assert_eq!(sample(), sample());
}

#[test]
fn entries_are_aligned_and_end_with_the_trailer() {
    let bytes = sample();
    assert_eq!(bytes.len() % 4, 0);
    assert_eq!(&bytes[..6], b"070701");
    let text = String::from_utf8_lossy(&bytes);
    assert_eq!(text.matches("070701").count(), 7);
    assert!(text.contains("TRAILER!!!"));
}

#[test]
fn cpio_lists_what_was_put_in() {
    let Ok(mut child) = Command::new("cpio")
        .args(["-t", "--quiet"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
    else {
        return; // cpio is not part of what the project needs
    };
    child.stdin.take().unwrap().write_all(&sample()).unwrap();
    let output = child.wait_with_output().unwrap();
    let names = String::from_utf8(output.stdout).unwrap();
    assert_eq!(names, "init\na\na/b\na/b/c.txt\na/b/d.txt\na/link\n");
}
