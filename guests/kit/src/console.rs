//! Printing: text goes out line by line, dom0's by `console_io`, any other guest's by the ring
//! that it shares with the console daemon.

use crate::hypercall::{call3, nr};
use core::fmt::{self, Write};

/// Text gathered before it goes out, so that a line stays whole among the hypervisor's own.
pub struct Line {
    bytes: [u8; 1024],
    used: usize,
}

impl Line {
    /// An empty line.
    pub const fn new() -> Self {
        Line {
            bytes: [0; 1024],
            used: 0,
        }
    }

    /// What was gathered.
    pub fn text(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.used]).unwrap_or("(not text)")
    }

    /// Makes one line of several.
    pub fn flatten(&mut self) {
        for byte in &mut self.bytes[..self.used] {
            if *byte == b'\n' {
                *byte = b' ';
            }
        }
    }

    /// Forgets what was gathered.
    pub fn clear(&mut self) {
        self.used = 0;
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.len() - self.used;
        let taken = text.len().min(room);
        self.bytes[self.used..self.used + taken].copy_from_slice(&text.as_bytes()[..taken]);
        self.used += taken;
        Ok(())
    }
}

/// Prints raw bytes.
pub fn write(bytes: &[u8]) {
    if crate::start::is_dom0() {
        write_by_call(bytes);
    } else {
        crate::ring_console::write(bytes);
    }
}

/// Prints raw bytes onto the hypervisor's own console (`CONSOLEIO_write`), where a guest other than
/// dom0 may be refused.
pub fn write_by_call(bytes: &[u8]) -> i64 {
    call3(nr::CONSOLE_IO, 0, bytes.len() as u64, bytes.as_ptr() as u64)
}

/// Prints formatted text and ends the line.
pub fn print_line(arguments: fmt::Arguments) {
    let mut line = Line::new();
    let _ = line.write_fmt(arguments);
    let _ = line.write_str("\n");
    write(line.text().as_bytes());
}

/// `println!` onto the guest's console.
#[macro_export]
macro_rules! say {
    ($($argument:tt)*) => { $crate::console::print_line(format_args!($($argument)*)) };
}
