//! Tests of the bar chart.

use super::ratios;

#[test]
fn every_row_gets_a_bar_and_the_text_is_escaped() {
    let svg = ratios(&[("a & b", 0.5), ("c", 2.0)]);
    assert_eq!(svg.matches("<rect").count(), 3);
    assert!(svg.contains("a &amp; b"));
    assert!(svg.contains(">2.00<"));
    assert!(svg.trim_end().ends_with("</svg>"));
}
