//! Cutting command lines into their words, and the image name off their front.

/// Whether the boot loader of this name (as multiboot reports it) leaves the image's own name off command lines.
///
/// GRUB 2 does, in both multiboot versions; its name begins with `GRUB ` and a version that does not begin with 0. GRUB 1
/// and `qemu -kernel` put the file's path first.
pub fn loader_omits_image_name(loader: Option<&[u8]>) -> bool {
    let version = loader
        .and_then(|name| name.strip_prefix(b"GRUB "))
        .and_then(|version| version.first());
    version.is_some_and(|digit| *digit != b'0')
}

/// The arguments in a multiboot string (the image's or a module's): all of it, or, where the boot loader put the file's name
/// first (see [`loader_omits_image_name`]), what follows that. A terminating zero byte and blanks around are cut off.
///
/// ```
/// assert_eq!(options::arguments(b"/boot/vmlinuz console=hvc0 quiet\0", Some(b"qemu")), b"console=hvc0 quiet");
/// assert_eq!(options::arguments(b"console=hvc0 quiet", Some(b"GRUB 2.06")), b"console=hvc0 quiet");
/// ```
pub fn arguments<'a>(string: &'a [u8], loader: Option<&[u8]>) -> &'a [u8] {
    let end = string.iter().position(|byte| *byte == 0);
    let string = end
        .and_then(|end| string.get(..end))
        .unwrap_or(string)
        .trim_ascii();
    if loader_omits_image_name(loader) {
        return string;
    }
    let name = string.iter().position(u8::is_ascii_whitespace);
    name.and_then(|end| string.get(end..))
        .unwrap_or(b"")
        .trim_ascii()
}

/// The blank-separated words of a line, empty ones left out.
pub(crate) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| byte.is_ascii_whitespace() || *byte == 0)
        .filter(|word| !word.is_empty())
}
