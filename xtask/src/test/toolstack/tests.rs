//! Finding the cases of a file.

use super::{limit, names, Length};
use std::time::Duration;

#[test]
fn cases_are_functions_by_name() {
    let text = "#! limit=20\nhelp() {\n}\ncase_one() {\n}\ncase_two_words() {\n}\nlong_case_three() {\n}\n";
    assert_eq!(names(text, Length::Usual), ["one", "two_words"]);
    assert_eq!(names(text, Length::Long), ["three"]);
    assert_eq!(limit(text), Duration::from_secs(70));
}
