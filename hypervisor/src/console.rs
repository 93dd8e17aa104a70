//! The console: everything the hypervisor and its guests print, and what is typed.

mod input;
mod ring;

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use hw::boot::BootInfo;
use hw::registers::Registers;
use hw::serial::{LineSettings, Parity as LineParity, SerialPort};
use hw::sync::SpinLock;
use options::{Options, Parity};

use crate::{levels, power};

pub use input::{read, take_interrupts};
pub use ring::{announce, clear, read_from, start};

/// The serial port, once it is open.
static PORT: SpinLock<Option<SerialPort>, { levels::CONSOLE }> = SpinLock::new(None);
/// Whether the screen is written too.
static SCREEN: AtomicBool = AtomicBool::new(false);

/// Chooses the outputs of the first messages, before there is a lock that may be taken.
pub fn early(options: &Options<'_>, boot: &BootInfo) {
    let base = chosen(options).map(|port| port.io_base);
    let text = matches!(boot.video, hw::boot::Video::Text { .. });
    SCREEN.store(options.consoles.vga && text, Relaxed);
    hw::console::set_outputs(base, options.consoles.vga && text);
    if options.consoles.vga && text {
        hw::vga::clear();
    }
}

/// The serial port that the options name as the console.
fn chosen(options: &Options<'_>) -> Option<options::SerialPort> {
    let first = options.com1.filter(|_| options.consoles.com1);
    first.or(options.com2.filter(|_| options.consoles.com2))
}

/// Opens the port for good.
pub fn ready(options: &Options<'_>) {
    let Some(port) = chosen(options) else { return };
    let settings = LineSettings {
        base: port.io_base,
        baud: match port.baud {
            options::Baud::Auto => None,
            options::Baud::Rate(rate) => Some(rate),
        },
        clock_hz: port.base_baud.saturating_mul(16),
        data_bits: port.data_bits,
        parity: match port.parity {
            Parity::None => LineParity::None,
            Parity::Odd => LineParity::Odd,
            Parity::Even => LineParity::Even,
            Parity::Mark => LineParity::Mark,
            Parity::Space => LineParity::Space,
        },
        stop_bits: port.stop_bits,
    };
    *PORT.lock() = SerialPort::open(&settings);
    input::set_line(port.irq);
}

/// Before the first guest: the ring gets its size. From now on output is queued and sent by interrupts, unless `sync_console` says otherwise.
pub fn before_guests() {
    ring::grow(crate::boot::options().console_ring_bytes);
    if !crate::boot::options().sync_console {
        if let Some(port) = PORT.lock().as_mut() {
            port.set_sync(!input::has_interrupt());
        }
    }
}

/// Writes bytes of the hypervisor's to every output and into the ring.
fn write(bytes: &[u8]) {
    ring::keep(bytes);
    send(bytes);
}

/// Writes dom0's bytes to every output, and into the ring where `console_to_ring` says so.
pub fn write_of_dom0(bytes: &[u8]) {
    if crate::boot::options().console_to_ring {
        ring::keep(bytes);
    }
    send(bytes);
}

fn send(bytes: &[u8]) {
    let mut port = PORT.lock();
    if let Some(port) = port.as_mut() {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let (line, after) = rest.split_at(end);
            port.write(line);
            port.write(b"\r\n");
            rest = after.get(1..).unwrap_or(&[]);
        }
        port.write(rest);
    }
    if SCREEN.load(Relaxed) {
        hw::vga::write(bytes);
    }
}

struct Line {
    bytes: [u8; 512],
    length: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            if self.length == self.bytes.len() {
                write(&self.bytes);
                self.length = 0;
            }
            if let Some(place) = self.bytes.get_mut(self.length) {
                *place = byte;
                self.length += 1;
            }
        }
        Ok(())
    }
}

/// Formats to the console. Text of up to 512 bytes is never mixed with another processor's.
pub fn print(message: fmt::Arguments<'_>) {
    let mut line = Line {
        bytes: [0; 512],
        length: 0,
    };
    let _ = line.write_fmt(message);
    if let Some(bytes) = line.bytes.get(..line.length) {
        write(bytes);
    }
}

/// How often [`drain`] looks whether the port is free: a line takes 50 ms at 115200 baud.
const DRAIN_PATIENCE: u32 = 10_000_000;

/// Sends what waits, before the machine stops. Another processor may be using the port, for a line at most; one that
/// broke down while it did never gives it back.
pub fn drain() {
    for _ in 0..DRAIN_PATIENCE {
        if let Some(mut port) = PORT.try_lock() {
            if let Some(port) = port.as_mut() {
                port.set_sync(true);
            }
            break;
        }
        hw::cpu::relax();
    }
}

/// The serial port's interrupt: input is passed on, output that waits is sent.
pub fn serial_interrupt() {
    let mut typed = arrayvec::ArrayVec::<u8, 256>::new();
    if let Some(port) = PORT.lock().as_mut() {
        port.interrupt(&mut |byte| {
            let _ = typed.try_push(byte);
        });
    }
    for byte in typed {
        input::take(byte);
    }
}

/// Turns the port's interrupts on.
fn enable_port_interrupts() {
    if let Some(port) = PORT.lock().as_mut() {
        port.enable_interrupts();
    }
}

/// The hypervisor itself faulted: registers and a backtrace, then the end that was asked for.
pub fn fatal_trap(registers: &Registers, address: u64) -> ! {
    if !hw::panic::begin_report() {
        hw::console::halt();
    }
    drain();
    let r = registers;
    hw::console::print(format_args!(
        "\n(XEN) Xenolith has a bug: exception {} (error code {:#x}, address {address:#x}) on CPU{}\n\
         (XEN) rip {:04x}:{:016x} rsp {:04x}:{:016x} rflags {:016x}\n\
         (XEN) rax {:016x} rbx {:016x} rcx {:016x} rdx {:016x}\n\
         (XEN) rsi {:016x} rdi {:016x} rbp {:016x} r8  {:016x}\n\
         (XEN) r9  {:016x} r10 {:016x} r11 {:016x} r12 {:016x}\n\
         (XEN) r13 {:016x} r14 {:016x} r15 {:016x}\n",
        r.vector, r.error_code, hw::percpu::PerCpu::current().index(),
        r.cs, r.rip, r.ss, r.rsp, r.rflags, r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi, r.rbp, r.r8,
        r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15,
    ));
    hw::backtrace::print(r.rip, r.rbp, r.rsp);
    power::after_panic()
}
