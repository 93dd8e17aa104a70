//! The value types that options share: booleans, integers and sizes.

/// A true or false word.
pub(crate) fn boolean(word: &str) -> Option<bool> {
    match word {
        "yes" | "on" | "true" | "enable" | "1" => Some(true),
        "no" | "off" | "false" | "disable" | "0" => Some(false),
        _ => None,
    }
}

/// The boolean that an item `name`, `no-name` or `name=<boolean>` of a list sets for `name`; `None` where the item is not
/// about `name` or its value is no boolean.
pub(crate) fn named_boolean(item: &str, name: &str) -> Option<bool> {
    if let Some(negated) = item.strip_prefix("no-") {
        return (negated == name).then_some(false);
    }
    match item.strip_prefix(name)? {
        "" => Some(true),
        rest => boolean(rest.strip_prefix('=')?),
    }
}

/// A number without sign: decimal, hexadecimal after `0x`, octal after `0`.
pub(crate) fn unsigned(word: &str) -> Option<u64> {
    let hexadecimal = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
    let (digits, radix) = match (hexadecimal, word.strip_prefix('0')) {
        (Some(digits), _) => (digits, 16),
        (None, Some(digits)) if !digits.is_empty() => (digits, 8),
        _ => (word, 10),
    };
    // The standard parser takes a leading plus sign, which no option documents.
    let starts_with_digit = digits
        .as_bytes()
        .first()
        .is_some_and(u8::is_ascii_alphanumeric);
    starts_with_digit
        .then(|| u64::from_str_radix(digits, radix).ok())
        .flatten()
}

/// A number without sign that fits 32 bits.
pub(crate) fn unsigned32(word: &str) -> Option<u32> {
    unsigned(word).and_then(|number| u32::try_from(number).ok())
}

/// An amount of memory in bytes: a number and one of the suffixes B, K, M, G, T in either case. Without suffix it is KiB.
pub(crate) fn size(word: &str) -> Option<u64> {
    // A hexadecimal number may end in a `b` that is a digit: only the letters beyond hexadecimal are unambiguous there.
    let hexadecimal = word.starts_with("0x") || word.starts_with("0X");
    let (digits, shift) = match word.as_bytes().last()?.to_ascii_lowercase() {
        b'b' if !hexadecimal => (word.get(..word.len().checked_sub(1)?)?, 0),
        b'k' => (word.get(..word.len().checked_sub(1)?)?, 10),
        b'm' => (word.get(..word.len().checked_sub(1)?)?, 20),
        b'g' => (word.get(..word.len().checked_sub(1)?)?, 30),
        b't' => (word.get(..word.len().checked_sub(1)?)?, 40),
        _ => (word, 10),
    };
    unsigned(digits)?.checked_mul(1 << shift)
}
