//! Tests of reading source files.

use super::{function_name, functions, is_text, uses_unsafe};

const SAMPLE: &str = "\
trait Shape {
    fn area(&self) -> u32;
}
impl Shape for Square {
    pub(crate) const fn area(&self) -> u32 {
        self.0
    }
}
fn long(
    a: u32,
) -> u32 {
    a
}
";

#[test]
fn functions_end_at_their_own_brace() {
    let found: Vec<(String, usize, usize)> = functions(SAMPLE)
        .into_iter()
        .map(|function| (function.name, function.at, function.lines))
        .collect();
    assert_eq!(
        found,
        [("area".to_owned(), 5, 3), ("long".to_owned(), 9, 5)]
    );
}

#[test]
fn only_definitions_have_names() {
    assert_eq!(function_name("    pub fn a<T>(x: T) {"), Some("a"));
    assert_eq!(function_name("    extern \"C\" fn b() {"), Some("b"));
    assert_eq!(function_name("    handler: fn (u32),"), None);
    assert_eq!(function_name("// the fn word in a comment"), None);
}

#[test]
fn unsafe_in_a_comment_is_none() {
    assert!(!uses_unsafe(&["// un", "safe { }\nlet a = 1;"].concat()));
    // Put together here, so that this file does not look unsafe itself.
    assert!(uses_unsafe(&["let a = un", "safe { b() };"].concat()));
}

#[test]
fn archives_and_programs_are_not_text() {
    assert!(is_text("“Xen”, in UTF-8\n".as_bytes()));
    assert!(!is_text(b"\x7fELF\x02\x01\x01\0"));
    assert!(!is_text(b"\x1f\x8b\x08"), "gzip");
}
