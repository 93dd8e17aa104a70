//! `x build`: the image, as `qemu -kernel` and GRUB take it, and gzipped as `/boot` expects it.

use crate::arguments::Arguments;
use crate::image;
use crate::places::Places;
use crate::toolchain::Toolchain;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Names an image to boot instead of building one: for quick rounds with a build of one's own.
const IMAGE_VARIABLE: &str = "XENOLITH_IMAGE";

/// The image that stands in for one we would build.
pub fn given() -> Option<PathBuf> {
    std::env::var_os(IMAGE_VARIABLE).map(PathBuf::from)
}

/// How the image is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// As it ships.
    Release,
    /// With debug assertions and overflow checks.
    Checked,
}

impl Profile {
    /// Cargo's name of the profile.
    pub fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Checked => "checked",
        }
    }

    /// `Checked` where `--checked` was given.
    pub fn from_arguments(arguments: &mut Arguments) -> Self {
        if arguments.flag("--checked") {
            Self::Checked
        } else {
            Self::Release
        }
    }
}

/// The files that a build leaves.
pub struct Image {
    /// The 32-bit ELF file that boot loaders take.
    pub elf: PathBuf,
    /// The same, gzipped.
    pub gzipped: PathBuf,
    /// The linker's 64-bit output with debug information, for a debugger.
    pub symbols: PathBuf,
}

/// Builds the image.
pub fn image(places: &Places, profile: Profile) -> Result<Image> {
    let folder = Toolchain::pick()?.build(places, "hypervisor", profile.name())?;
    let symbols = folder.join("xenolith");
    let stem = match profile {
        Profile::Release => "xenolith",
        Profile::Checked => "xenolith-checked",
    };
    let elf = places.target.join(format!("{stem}.elf"));
    let gzipped = places.target.join(format!("{stem}.gz"));
    replace(&elf, |new| image::wrap(&symbols, new))?;
    replace(&gzipped, |new| image::compress(&elf, new))?;
    Ok(Image {
        elf,
        gzipped,
        symbols,
    })
}

/// `x build [--checked]`
pub fn command(mut arguments: Arguments) -> Result<bool> {
    let profile = Profile::from_arguments(&mut arguments);
    arguments.finish()?;
    let image = image(&Places::find()?, profile)?;
    println!("{}", image.gzipped.display());
    println!("{}", image.elf.display());
    Ok(true)
}

/// `x image-size`
pub fn size_command(arguments: Arguments) -> Result<bool> {
    arguments.finish()?;
    let image = image(&Places::find()?, Profile::Release)?;
    for path in [&image.elf, &image.gzipped] {
        println!("{} {}", path.metadata()?.len(), path.display());
    }
    Ok(true)
}

/// Lets `write` make a new file and puts it in place of the old: an emulator may be reading that.
fn replace(path: &Path, write: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<()> {
    let new = path.with_extension("new");
    write(&new).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(std::fs::rename(&new, path)?)
}
