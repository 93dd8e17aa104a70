//! The diagrams.

use super::*;

#[test]
fn every_line_has_a_path_and_a_name() {
    let series = |name: &str| Series {
        name: name.to_owned(),
        points: vec![(0.0, 50.0), (10.0, 70.0), (20.0, 100.0)],
    };
    let panel = |title: &str| Panel {
        title: title.to_owned(),
        series: vec![series("one"), series("two")],
        promised: vec![50.0],
    };
    let svg = draw("shares", &[panel("a"), panel("b"), panel("c")]);
    assert_eq!(svg.matches("<path class=\"s").count(), 6);
    assert_eq!(svg.matches(">two</text>").count(), 3);
    assert_eq!(svg.matches("<line class=\"promised\"").count(), 3);
    // Two rows of panels; beyond the axis nothing is drawn.
    assert!(svg.contains("viewBox=\"0 0 760 466\""));
    assert!(svg.contains("L368.0 30.0\""));
    assert_eq!(svg.matches("<g ").count(), svg.matches("</g>").count());
}
