//! The guest's command line: words, `key=value` pairs and lists with commas.

use crate::start::start_info;

/// The whole line.
pub fn text() -> &'static str {
    let bytes = &start_info().cmd_line;
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    core::str::from_utf8(&bytes[..end]).unwrap_or("")
}

/// The value of the last `key=value`.
pub fn value(key: &str) -> Option<&'static str> {
    text()
        .split_ascii_whitespace()
        .filter_map(|word| word.split_once('='))
        .filter(|(name, _)| *name == key)
        .map(|(_, value)| value)
        .next_back()
}

/// The number of the last `key=number`, in decimal or with 0x in hexadecimal.
pub fn number(key: &str) -> Option<u64> {
    let text = value(key)?;
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Whether a bare word is there.
pub fn has(word: &str) -> bool {
    text().split_ascii_whitespace().any(|w| w == word)
}

/// Whether `name` is in the comma-separated list `key=`.
pub fn lists(key: &str, name: &str) -> bool {
    value(key).is_some_and(|list| list.split(',').any(|item| item == name))
}
