//! The early console and the one of last resort: polled, without locks or memory, usable from any state.
//!
//! The hypervisor's own console (ring, dom0's output, input) sits above [`crate::serial::SerialPort`] and
//! [`crate::vga`]; what is here only has to get bytes out.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use crate::serial::Registers;
use crate::vga;

/// First I/O port of the serial port in use, or 0.
static SERIAL: AtomicU16 = AtomicU16::new(0);
/// Whether the VGA text screen is written.
static SCREEN: AtomicBool = AtomicBool::new(false);

/// Where early and emergency output goes from now on: a serial port's first I/O port, and the VGA text screen.
pub fn set_outputs(serial: Option<u16>, screen: bool) {
    let port = serial.filter(|&base| Registers::at(base).present());
    if let Some(base) = port {
        Registers::at(base).set_if_unset();
    }
    SERIAL.store(port.unwrap_or(0), Ordering::Relaxed);
    SCREEN.store(screen, Ordering::Relaxed);
}

/// Writes bytes to the chosen outputs at once; a line feed on the wire is preceded by a carriage return.
pub fn write(bytes: &[u8]) {
    let base = SERIAL.load(Ordering::Relaxed);
    if base != 0 {
        let port = Registers::at(base);
        for &byte in bytes {
            if byte == b'\n' {
                port.send_polled(b'\r');
            }
            if !port.send_polled(byte) {
                break;
            }
        }
    }
    if SCREEN.load(Ordering::Relaxed) {
        vga::write(bytes);
    }
}

/// The chosen outputs as a place to format into.
#[derive(Clone, Copy, Debug)]
pub struct Output;

impl Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write(text.as_bytes());
        Ok(())
    }
}

/// Formats to the chosen outputs.
pub fn print(arguments: fmt::Arguments<'_>) {
    // Output never fails: it drops what a dead port does not take.
    let _ = Output.write_fmt(arguments);
}

/// Prints one line on every output there is, chosen or not, and stops this processor for good.
pub fn fatal(arguments: fmt::Arguments<'_>) -> ! {
    if SERIAL.load(Ordering::Relaxed) == 0 {
        set_outputs(Some(crate::serial::COM1), true);
    }
    print(format_args!("{arguments}. Halted.\n"));
    halt()
}

/// Stops this processor for good.
pub fn halt() -> ! {
    loop {
        // SAFETY: with interrupts off, halting changes nothing that any code relies on; an NMI that ends it comes
        // back here.
        unsafe { core::arch::asm!("cli", "hlt", options(nomem, nostack)) };
    }
}

/// Prints a line through [`console::print`](crate::console::print).
#[macro_export]
macro_rules! println {
    ($($argument:tt)*) => {
        $crate::console::print(format_args!("{}\n", format_args!($($argument)*)))
    };
}
