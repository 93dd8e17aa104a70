//! Tests of the command line reader.
#![allow(clippy::unwrap_used)]

use super::Arguments;

#[test]
fn options_are_taken_wherever_they_stand() {
    let mut arguments = Arguments::new(["first", "--cpus", "4", "--all", "--memory=512", "last"]);
    assert_eq!(arguments.word().as_deref(), Some("first"));
    assert!(arguments.flag("--all"));
    assert!(!arguments.flag("--all"));
    assert_eq!(arguments.number("--cpus", 1).unwrap(), 4);
    assert_eq!(arguments.number("--memory", 1).unwrap(), 512);
    assert_eq!(arguments.number("--rounds", 7).unwrap(), 7);
    assert_eq!(arguments.rest().unwrap(), ["last"]);
}

#[test]
fn what_is_wrong_is_named() {
    let message = |words: &[&str]| {
        let mut arguments = Arguments::new(words.iter().copied());
        match arguments.number("--cpus", 1) {
            Err(error) => error.to_string(),
            Ok(_) => arguments.finish().unwrap_err().to_string(),
        }
    };
    assert_eq!(message(&["--cpus"]), "--cpus needs a value");
    assert_eq!(message(&["--cpus", "x"]), "--cpus takes a number, not `x`");
    assert_eq!(message(&["--cpu", "2"]), "unknown option `--cpu`");
    assert_eq!(message(&["extra"]), "unexpected word `extra`");
}
