//! Tests of reading measurements.
#![allow(clippy::unwrap_used)]

use super::{median, number_after, Measured};

#[test]
fn numbers_end_where_digits_do() {
    assert_eq!(
        number_after("(XEN) System RAM: 3071MB", "RAM: ").unwrap(),
        3071.0
    );
    assert_eq!(number_after("  12.5kB free", "").unwrap(), 12.5);
    assert!(number_after("none", "RAM: ").is_err());
}

#[test]
fn the_median_is_taken_row_by_row() {
    let run = |a: f64, b: f64| Measured::from([("a".to_owned(), a), ("b".to_owned(), b)]);
    let result = median(&[run(1.0, 9.0), run(3.0, 7.0), run(2.0, 8.0)]);
    assert_eq!(result, run(2.0, 8.0));
}
