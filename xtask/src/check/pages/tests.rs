//! Tests of reading links.

use super::targets;

#[test]
fn links_are_found_and_those_that_leave_are_not() {
    let page = "See [a](a.md#part), ![plot](b/c.svg), [out](https://example.org/), [here](#x).";
    assert_eq!(targets(page), ["a.md", "b/c.svg"]);
}
