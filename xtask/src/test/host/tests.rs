//! Tests of reading what `cargo test` prints.

use super::result_line;

#[test]
fn results_are_told_from_the_rest() {
    assert_eq!(result_line("test a::b ... ok"), Some(("a::b", true)));
    assert_eq!(result_line("test c ... FAILED"), Some(("c", false)));
    assert_eq!(result_line("test d ... ignored, slow"), None);
    assert_eq!(result_line("test result: ok. 1 passed"), None);
}
