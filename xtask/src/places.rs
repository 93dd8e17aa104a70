//! Where things lie: the repository, its build folder, the cache for what comes from Debian.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// The folders that every command works in.
#[derive(Clone, Debug)]
pub struct Places {
    /// The repository.
    pub root: PathBuf,
    /// Build products and logs; never committed.
    pub target: PathBuf,
    /// Debian's packages, unpacked, and the disk of `x run`; shared by all clones.
    pub cache: PathBuf,
}

/// The files of a folder and of those in it, in the order of their names: where each lies inside, and where it is.
pub fn files_below(folder: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inside) = folders.pop() {
        for entry in std::fs::read_dir(folder.join(&inside))? {
            let entry = entry?;
            let inside = inside.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(inside);
            } else {
                files.push((inside, entry.path()));
            }
        }
    }
    files.sort();
    Ok(files)
}

impl Places {
    /// Finds the folders; the cache is `$XDG_CACHE_HOME/xenolith`, by default below `~/.cache`.
    pub fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("xtask lies in a folder of the repository")?
            .to_path_buf();
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => root.join(folder),
            None => root.join("target"),
        };
        let cache = match (std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME")) {
            (Some(folder), _) => PathBuf::from(folder),
            (None, Some(home)) => Path::new(&home).join(".cache"),
            (None, None) => target.clone(),
        }
        .join("xenolith");
        std::fs::create_dir_all(&cache)
            .with_context(|| format!("cannot make the cache {}", cache.display()))?;
        Ok(Self {
            root,
            target,
            cache,
        })
    }

    /// A folder below the build folder, made if it is missing.
    pub fn made(&self, name: &str) -> Result<PathBuf> {
        let folder = self.target.join(name);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }
}
