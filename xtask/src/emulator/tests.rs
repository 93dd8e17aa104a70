//! Tests of reading a console.

use super::plain;

#[test]
fn terminal_sequences_and_line_ends_go() {
    assert_eq!(plain(b"\x1b[2J\x1b[01;31mred\x1b[m text\r\n"), "red text");
    assert_eq!(plain(b"tab\there\x07\n"), "tab\there");
}
