//! Shares against time in SVG: panels side by side, each with lines for guests and dashed ones for what they were promised.
//! It follows the reader's choice of light or dark.

use std::fmt::Write;

const WIDTH: f64 = 380.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 44.0;
const TOP: f64 = 30.0;
const RIGHT: f64 = 12.0;
const BOTTOM: f64 = 40.0;
/// Panels in a row.
const COLUMNS: usize = 2;
/// Room for the title above them all.
const TITLE: f64 = 26.0;
/// About the width of a letter.
const LETTER: f64 = 6.0;
/// The upper end of the shares' axis, in percent.
const MOST: f64 = 70.0;

/// A guest's line.
pub struct Series {
    /// What it stands for.
    pub name: String,
    /// Seconds and percent.
    pub points: Vec<(f64, f64)>,
}

/// One diagram.
pub struct Panel {
    /// Above it.
    pub title: String,
    /// Its lines.
    pub series: Vec<Series>,
    /// Shares that were promised, in percent.
    pub promised: Vec<f64>,
}

const STYLE: &str = "<style>\
    .ground{fill:#ffffff}text{fill:#222222}.axis{stroke:#666666;fill:none}.grid{stroke:#e2e2e2}\
    .promised{stroke:#888888;stroke-dasharray:5 4}path{fill:none;stroke-width:1.6}\
    .s0{stroke:#1f6fb4}.s1{stroke:#c05f12}.s2{stroke:#2f7d4f}\
    text.s0{fill:#1f6fb4;stroke:none}text.s1{fill:#c05f12;stroke:none}text.s2{fill:#2f7d4f;stroke:none}\
    @media (prefers-color-scheme: dark){\
    .ground{fill:#15181c}text{fill:#e0e0e0}.axis{stroke:#9a9a9a}.grid{stroke:#2c3137}\
    .promised{stroke:#8c8c8c}.s0{stroke:#6db3f2}.s1{stroke:#f0a35e}.s2{stroke:#74c995}\
    text.s0{fill:#6db3f2}text.s1{fill:#f0a35e}text.s2{fill:#74c995}}</style>";

/// Draws them all under one title.
pub fn draw(title: &str, panels: &[Panel]) -> String {
    let rows = panels.len().div_ceil(COLUMNS);
    let (width, height) = (WIDTH * COLUMNS as f64, TITLE + HEIGHT * rows as f64);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n{STYLE}\n\
         <rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>\n\
         <text x=\"12\" y=\"18\" font-size=\"14\">{title}</text>\n"
    );
    for (number, panel) in panels.iter().enumerate() {
        let left = WIDTH * (number % COLUMNS) as f64;
        let top = TITLE + HEIGHT * (number / COLUMNS) as f64;
        // Writing into a string cannot fail.
        let _ = writeln!(svg, "<g transform=\"translate({left},{top})\">");
        draw_panel(&mut svg, panel);
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw_panel(svg: &mut String, panel: &Panel) {
    let points = panel.series.iter().flat_map(|series| &series.points);
    let end = points.fold(1.0, |end: f64, (time, _)| end.max(*time));
    let x = |time: f64| LEFT + (WIDTH - LEFT - RIGHT) * time / end;
    let y = |share: f64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - share.min(MOST) / MOST);
    axes(svg, end, &x, &y);
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{}\" font-size=\"12\">{}</text>",
        TOP - 10.0,
        panel.title
    );
    for share in &panel.promised {
        let (y, right) = (y(*share), WIDTH - RIGHT);
        let _ = writeln!(
            svg,
            "<line class=\"promised\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>"
        );
    }
    let mut right = WIDTH - RIGHT;
    for (number, series) in panel.series.iter().enumerate().rev() {
        let mut path = String::new();
        for (time, share) in &series.points {
            let word = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{word}{:.1} {:.1}", x(*time), y(*share));
        }
        let _ = writeln!(
            svg,
            "<path class=\"s{number}\" d=\"{path}\"/>\
             <text class=\"s{number}\" x=\"{right:.1}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            TOP - 10.0,
            series.name
        );
        right -= LETTER * series.name.chars().count() as f64 + 10.0;
    }
}

/// Both axes with their figures, and what they are.
fn axes(svg: &mut String, end: f64, x: &dyn Fn(f64) -> f64, y: &dyn Fn(f64) -> f64) {
    let (right, floor) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    for share in (0..=MOST as u32).step_by(10) {
        let height = y(f64::from(share));
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{height:.1}\" x2=\"{right}\" y2=\"{height:.1}\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{share}</text>",
            LEFT - 5.0,
            height + 4.0
        );
    }
    for second in (0..=end as u32).step_by(5) {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{second}</text>",
            x(f64::from(second)),
            floor + 14.0
        );
    }
    let middle = (LEFT + right) / 2.0;
    let _ = writeln!(
        svg,
        "<path class=\"axis\" d=\"M{LEFT} {TOP}V{floor}H{right}\"/>\
         <text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">seconds of the machine</text>\
         <text transform=\"translate(13,{}) rotate(-90)\" text-anchor=\"middle\">% of the processor</text>",
        HEIGHT - 10.0,
        (TOP + floor) / 2.0
    );
}

#[cfg(test)]
mod tests;
