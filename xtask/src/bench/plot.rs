//! A bar chart in SVG: each row's ratio to Debian's Xen, with the line where both are equal.

use std::fmt::Write;

const LABELS: f64 = 200.0;
const SCALE: f64 = 360.0;
const ROW: f64 = 22.0;
/// Bars end here: a ratio above it is written out.
const MOST: f64 = 1.5;

/// Draws the rows: a title and Xenolith's value divided by Xen's.
pub fn ratios(rows: &[(&str, f64)]) -> String {
    let height = ROW * (rows.len() as f64 + 2.0);
    let width = LABELS + SCALE * MOST + 60.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"8\" y=\"15\">Xenolith relative to Debian's Xen (1 = as much; shorter is better)</text>\n"
    );
    for (number, (title, ratio)) in rows.iter().enumerate() {
        let top = ROW * (number as f64 + 1.0);
        let length = SCALE * ratio.min(MOST);
        let colour = if *ratio <= 1.0 { "#2f7d4f" } else { "#b23b3b" };
        // Writing into a string cannot fail.
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LABELS}\" y=\"{}\" width=\"{length:.1}\" height=\"{}\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{}\">{ratio:.2}</text>",
            LABELS - 8.0,
            top + 15.0,
            escaped(title),
            top + 4.0,
            ROW - 6.0,
            LABELS + length + 5.0,
            top + 15.0,
        );
    }
    let equal = LABELS + SCALE;
    let _ = writeln!(
        svg,
        "<line x1=\"{equal}\" y1=\"{ROW}\" x2=\"{equal}\" y2=\"{}\" stroke=\"#444444\" \
         stroke-dasharray=\"4 3\"/>\n</svg>",
        height - ROW
    );
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests;
