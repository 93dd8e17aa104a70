//! The table of a benchmark, on the terminal and in `docs/`.

use super::measure::Measured;
use super::plot;
use super::rows::{self, Row, ROWS};
use crate::build::Image;
use crate::machine::{Hypervisor, Pace};
use crate::places::Places;
use anyhow::Result;
use std::fmt::Write;

/// What was measured, side by side.
pub struct Report {
    pace: Pace,
    xen: Measured,
    ours: Measured,
    bare: Measured,
}

impl Report {
    /// An empty report of counted instructions or of time.
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            xen: Measured::new(),
            ours: Measured::new(),
            bare: Measured::new(),
        }
    }

    /// Puts one side's values in.
    pub fn add(&mut self, side: &Hypervisor, measured: &Measured) {
        match side {
            Hypervisor::Xenolith(_) => self.ours.clone_from(measured),
            Hypervisor::Xen(_) => self.xen.clone_from(measured),
            Hypervisor::Bare => self.bare.clone_from(measured),
        }
    }

    /// Adds the sizes of the images, ours and Debian's.
    pub fn image_sizes(&mut self, places: &Places, image: Option<&Image>) -> Result<()> {
        let size = |side: &mut Measured, name: &str, path: &std::path::Path| -> Result<()> {
            let bytes = u32::try_from(path.metadata()?.len())?;
            side.insert(name.to_owned(), f64::from(bytes) / 1024.0);
            Ok(())
        };
        if let Some(image) = image {
            size(&mut self.ours, rows::IMAGE_SIZE, &image.elf)?;
            size(&mut self.ours, rows::PACKED_SIZE, &image.gzipped)?;
        }
        let boot = crate::debian::unpacked(places, "xen-hypervisor-4.17-amd64")?.join("boot");
        let packed = crate::kernel::file_beginning(&boot, "xen-4.17-amd64.gz")?;
        size(&mut self.xen, rows::PACKED_SIZE, &packed)?;
        size(
            &mut self.xen,
            rows::IMAGE_SIZE,
            &places.cache.join("xen.elf"),
        )
    }

    /// The table as Markdown, which reads well on a terminal too.
    pub fn table(&self) -> String {
        let unit = match self.pace {
            Pace::Counted => "thousands of instructions",
            Pace::Free => "microseconds",
        };
        let mut text = format!(
            "{:<26} | {:>12} | {:>12} | {:>6} | {:>12} | {:>9} | {:>9} |\n",
            unit, "Xen", "Xenolith", "ratio", "bare", "aim", "least"
        );
        text.push_str(&format!(
            "{:-<26} | {:->11}: | {:->11}: | {:->5}: | {:->11}: | {:->8}: | {:->8}: |\n",
            "", "", "", "", "", "", ""
        ));
        let sides = [&self.xen, &self.ours, &self.bare];
        for row in ROWS {
            if sides.iter().any(|side| side.contains_key(row.name)) {
                self.line(&mut text, row);
            }
        }
        text
    }

    fn line(&self, text: &mut String, row: &Row) {
        let of = |side: &Measured| side.get(row.name).copied();
        let (xen, ours) = (of(&self.xen), of(&self.ours));
        let ratio = match (xen, ours) {
            (Some(xen), Some(ours)) if xen > 0.0 => format!("{:.2}", ours / xen),
            _ => String::new(),
        };
        let bare = of(&self.bare);
        let cell = |value: Option<f64>| value.map_or(String::new(), figure);
        let part = |share: f64| match (xen, bare) {
            (Some(xen), Some(bare)) if row.target => Some(bare + share * (xen - bare)),
            _ => None,
        };
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "{:<26} | {:>12} | {:>12} | {:>6} | {:>12} | {:>9} | {:>9} |",
            row.title,
            cell(xen),
            cell(ours),
            ratio,
            cell(bare),
            cell(part(rows::AIM)),
            cell(part(rows::LEAST)),
        );
    }

    /// Writes table and plot into `docs/`.
    pub fn write(&self, places: &Places) -> Result<()> {
        let (name, how) = match self.pace {
            Pace::Counted => (
                "instructions",
                "counted exactly (`./x bench --instructions --write`)",
            ),
            Pace::Free => (
                "wall",
                "by the clock, medians of interleaved runs (`./x bench --wall --write`)",
            ),
        };
        let folder = places.root.join("docs/bench");
        std::fs::create_dir_all(&folder)?;
        let rows: Vec<(&str, f64)> = ROWS
            .iter()
            .filter_map(|row| {
                let (xen, ours) = (self.xen.get(row.name)?, self.ours.get(row.name)?);
                (*xen > 0.0).then(|| (row.title, ours / xen))
            })
            .collect();
        std::fs::write(folder.join(format!("{name}.svg")), plot::ratios(&rows))?;
        let page = format!(
            "# Benchmark, {how}\n\nGenerated: do not edit. What the columns mean stands in \
             [the benchmarks' page](../benchmarks.md).\n\n{}\n![Xenolith relative to Debian's \
             Xen]({name}.svg)\n",
            self.table()
                .lines()
                .fold(String::new(), |page, line| format!("{page}| {line}\n")),
        );
        let path = folder.join(format!("{name}.md"));
        std::fs::write(&path, page)?;
        eprintln!("x: wrote {}", path.display());
        Ok(())
    }
}

/// A value with as many digits as it deserves.
fn figure(value: f64) -> String {
    match value {
        v if v >= 1000.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.3}"),
    }
}
