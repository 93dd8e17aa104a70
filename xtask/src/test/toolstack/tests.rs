//! Finding the cases of a file.

use super::{limit, names};
use std::time::Duration;

#[test]
fn cases_are_functions_by_name() {
    let text = "#! limit=20\nhelp() {\n}\ncase_one() {\n}\ncase_two_words() {\n}\n";
    assert_eq!(names(text), ["one", "two_words"]);
    assert_eq!(limit(text), Duration::from_secs(70));
}
