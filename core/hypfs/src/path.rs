//! Paths as guests write them.

use vocabulary::{refuse, Errno, Refused};

/// The longest path in bytes, with the zero at its end.
pub const MOST_PATH: usize = 1024;

/// The path in `bytes`, whose last must be the only zero. EINVAL: it is none, or does not begin with a slash.
pub fn path_of(bytes: &[u8]) -> Refused<&str> {
    let text = match bytes.split_last() {
        Some((0, text)) if !text.contains(&0) && bytes.len() <= MOST_PATH => text,
        _ => return refuse(Errno::EINVAL, "the path does not end where it is said to"),
    };
    match core::str::from_utf8(text) {
        Ok(path) if path.starts_with('/') => Ok(path),
        _ => refuse(Errno::EINVAL, "a path begins with a slash"),
    }
}
