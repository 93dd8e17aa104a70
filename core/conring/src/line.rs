//! A guest's output: bytes of its own choice, made into lines that may be shown.

/// The most bytes of a line; a longer one is cut in two.
pub const LINE_BYTES: usize = 200;

/// The line that a guest has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestLine {
    bytes: [u8; LINE_BYTES],
    length: usize,
}

impl Default for GuestLine {
    fn default() -> Self {
        Self::new()
    }
}

impl GuestLine {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self {
            bytes: [0; LINE_BYTES],
            length: 0,
        }
    }

    /// Takes what the guest wrote. Every line that is complete goes to `show`, without its end. Only printable ASCII
    /// and tabulators stay: no guest moves the cursor of who reads them.
    pub fn take(&mut self, output: &[u8], mut show: impl FnMut(&str)) {
        for &byte in output {
            let visible = byte == b'\t' || byte == b' ' || byte.is_ascii_graphic();
            if visible {
                if let Some(place) = self.bytes.get_mut(self.length) {
                    *place = byte;
                    self.length += 1;
                }
            }
            if byte == b'\n' || self.length == LINE_BYTES {
                let line = self.bytes.get(..self.length).unwrap_or_default();
                // Never empty for another reason: what was kept is ASCII.
                show(core::str::from_utf8(line).unwrap_or_default());
                self.length = 0;
            }
        }
    }
}
