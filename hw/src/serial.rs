//! The 16550 serial port: polled output for early messages and panics, queued output and input by interrupt later.
//!
//! Register numbers and bits: National Semiconductor PC16550D data sheet, section 8.

use crate::ports;

/// I/O ports of the first serial port.
pub const COM1: u16 = 0x3f8;
/// I/O ports of the second serial port.
pub const COM2: u16 = 0x2f8;

/// Bytes the output queue holds.
const QUEUE: usize = 1 << 14;
/// Looks at a port that is not ready before giving it up; a byte at 300 baud is through long before.
const PATIENCE: u32 = 1_000_000;

const DATA: u16 = 0;
const INTERRUPT_ENABLE: u16 = 1;
const INTERRUPT_IDENTITY: u16 = 2;
const FIFO_CONTROL: u16 = 2;
const LINE_CONTROL: u16 = 3;
const MODEM_CONTROL: u16 = 4;
const LINE_STATUS: u16 = 5;
const SCRATCH: u16 = 7;

const ENABLE_RECEIVED: u8 = 1 << 0;
const ENABLE_TRANSMIT_EMPTY: u8 = 1 << 1;
const FIFO_ENABLE_AND_CLEAR: u8 = 0x07;
const FIFO_WORKS: u8 = 0xc0;
const DIVISOR_LATCH: u8 = 1 << 7;
/// DTR, RTS, and OUT2, which lets the interrupt line out of the chip on a PC.
const MODEM_READY: u8 = 0x0b;
const STATUS_RECEIVED: u8 = 1 << 0;
const STATUS_TRANSMIT_EMPTY: u8 = 1 << 5;
const STATUS_TRANSMIT_IDLE: u8 = 1 << 6;

/// Parity of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parity {
    /// None.
    #[default]
    None,
    /// An odd number of ones.
    Odd,
    /// An even number of ones.
    Even,
    /// Always one.
    Mark,
    /// Always zero.
    Space,
}

/// How a line is set: what `com1=` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineSettings {
    /// First I/O port.
    pub base: u16,
    /// Bits a second; `None` keeps what firmware or loader set.
    pub baud: Option<u32>,
    /// Input clock in Hz; a PC's is 1 843 200.
    pub clock_hz: u32,
    /// Data bits, 5 to 8.
    pub data_bits: u8,
    /// Parity.
    pub parity: Parity,
    /// Stop bits, 1 or 2.
    pub stop_bits: u8,
}

impl LineSettings {
    /// 8 data bits, no parity, 1 stop bit at the speed that is set already.
    pub const fn at(base: u16) -> Self {
        Self {
            base,
            baud: None,
            clock_hz: 1_843_200,
            data_bits: 8,
            parity: Parity::None,
            stop_bits: 1,
        }
    }

    /// The line control register's value, without the divisor latch bit.
    fn line_control(&self) -> u8 {
        let parity = match self.parity {
            Parity::None => 0,
            Parity::Odd => 0x08,
            Parity::Even => 0x18,
            Parity::Mark => 0x28,
            Parity::Space => 0x38,
        };
        let stop = if self.stop_bits >= 2 { 0x04 } else { 0 };
        (self.data_bits.clamp(5, 8) - 5) | stop | parity
    }

    /// The divisor for the speed, rounded, at least 1; `None` keeps the one that is set.
    fn divisor(&self) -> Option<u16> {
        let baud = u64::from(self.baud?.max(1));
        let rounded = (u64::from(self.clock_hz) / 8 / baud).div_ceil(2);
        Some(rounded.clamp(1, 0xffff) as u16)
    }
}

/// The registers of one port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registers {
    base: u16,
}

impl Registers {
    /// The port at `base`, whether or not there is one.
    pub(crate) const fn at(base: u16) -> Self {
        Self { base }
    }

    fn read(self, register: u16) -> u8 {
        // SAFETY: a 16550's registers move bytes over a wire and never touch memory. `base` comes from `COM1`,
        // `COM2` or the administrator's `com1=` option, who answers for there being a serial port or nothing.
        unsafe { ports::read_u8(self.base.wrapping_add(register)) }
    }

    fn write(self, register: u16, value: u8) {
        // SAFETY: as in `read`.
        unsafe { ports::write_u8(self.base.wrapping_add(register), value) }
    }

    /// Whether something with a 16550's scratch register answers there.
    pub(crate) fn present(self) -> bool {
        if self.read(LINE_STATUS) == 0xff {
            return false;
        }
        [0x5a, 0xa5].iter().all(|&pattern| {
            self.write(SCRATCH, pattern);
            self.read(SCRATCH) == pattern
        })
    }

    /// Sets 8 bits at 115200 baud where neither firmware nor loader set the line.
    pub(crate) fn set_if_unset(self) {
        if self.read(LINE_CONTROL) == 0 {
            let mut settings = LineSettings::at(self.base);
            settings.baud = Some(115_200);
            self.configure(&settings);
        }
    }

    /// Sends one byte, waiting for room; gives up on a port that never has any.
    pub(crate) fn send_polled(self, byte: u8) -> bool {
        for _ in 0..PATIENCE {
            if self.read(LINE_STATUS) & STATUS_TRANSMIT_EMPTY != 0 {
                self.write(DATA, byte);
                return true;
            }
            core::hint::spin_loop();
        }
        false
    }

    /// Waits until the port has sent what it was given; gives up on one that never does.
    fn wait_until_sent(self) {
        for _ in 0..PATIENCE {
            if self.read(LINE_STATUS) & STATUS_TRANSMIT_IDLE != 0 {
                break;
            }
            core::hint::spin_loop();
        }
    }

    /// Sets the line and the FIFO; returns how many bytes the FIFO takes (1 without one).
    pub(crate) fn configure(self, settings: &LineSettings) -> usize {
        let control = settings.line_control();
        self.write(INTERRUPT_ENABLE, 0);
        if let Some(divisor) = settings.divisor() {
            let [low, high] = divisor.to_le_bytes();
            self.write(LINE_CONTROL, control | DIVISOR_LATCH);
            self.write(DATA, low);
            self.write(INTERRUPT_ENABLE, high);
        }
        self.write(LINE_CONTROL, control);
        self.write(FIFO_CONTROL, FIFO_ENABLE_AND_CLEAR);
        self.write(MODEM_CONTROL, MODEM_READY);
        if self.read(INTERRUPT_IDENTITY) & FIFO_WORKS == FIFO_WORKS {
            16
        } else {
            1
        }
    }
}

/// A serial port with its output queue. The owner keeps it behind a lock and calls [`SerialPort::interrupt`] when the
/// port's line rises (or from a timer, where it has none).
pub struct SerialPort {
    registers: Registers,
    /// Bytes the transmit FIFO takes at once.
    fifo: usize,
    /// Send at once and wait, instead of queueing.
    sync: bool,
    interrupts: bool,
    queue: [u8; QUEUE],
    head: usize,
    length: usize,
    dropped: u64,
}

impl SerialPort {
    /// Opens the port that the settings name; `None` where nothing answers there.
    pub fn open(settings: &LineSettings) -> Option<Self> {
        let registers = Registers::at(settings.base);
        registers.present().then(|| Self {
            registers,
            fifo: registers.configure(settings),
            sync: true,
            interrupts: false,
            queue: [0; QUEUE],
            head: 0,
            length: 0,
            dropped: 0,
        })
    }

    /// Chooses between waiting for each byte (the state after opening; `sync_console`) and queueing.
    pub fn set_sync(&mut self, sync: bool) {
        if sync {
            self.drain();
        }
        self.sync = sync;
    }

    /// Lets the port interrupt when a byte came in or the transmitter ran empty.
    pub fn enable_interrupts(&mut self) {
        self.interrupts = true;
        self.registers.write(INTERRUPT_ENABLE, ENABLE_RECEIVED);
    }

    /// Sends or queues the bytes. When the queue is full the rest is dropped and counted.
    pub fn write(&mut self, bytes: &[u8]) {
        if self.sync {
            for &byte in bytes {
                if !self.registers.send_polled(byte) {
                    self.dropped = self.dropped.wrapping_add(1);
                }
            }
            return;
        }
        for &byte in bytes {
            self.enqueue(byte);
        }
        self.feed();
    }

    /// Bytes lost to a full queue or a dead port so far.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes in what came and sends on what waits: the interrupt's handler, harmless at any other time.
    pub fn interrupt(&mut self, received: &mut dyn FnMut(u8)) {
        // A stuck status bit must not hold the processor: no FIFO is deeper than this.
        for _ in 0..256 {
            if self.registers.read(LINE_STATUS) & STATUS_RECEIVED == 0 {
                break;
            }
            received(self.registers.read(DATA));
        }
        // Reading this register is what takes a transmit interrupt back.
        self.registers.read(INTERRUPT_IDENTITY);
        self.feed();
    }

    /// Sends all that waits, polling, until the last bit is out: a reset would take what is still in the port.
    pub fn drain(&mut self) {
        while let Some(byte) = self.dequeue() {
            self.registers.send_polled(byte);
        }
        self.registers.wait_until_sent();
    }

    /// Fills the transmitter if it is empty, and asks for an interrupt while more waits.
    fn feed(&mut self) {
        if self.length > 0 && self.registers.read(LINE_STATUS) & STATUS_TRANSMIT_EMPTY != 0 {
            for _ in 0..self.fifo {
                let Some(byte) = self.dequeue() else { break };
                self.registers.write(DATA, byte);
            }
        }
        if self.interrupts {
            let transmit = if self.length > 0 {
                ENABLE_TRANSMIT_EMPTY
            } else {
                0
            };
            self.registers
                .write(INTERRUPT_ENABLE, ENABLE_RECEIVED | transmit);
        }
    }

    fn enqueue(&mut self, byte: u8) {
        let slot = self.head.wrapping_add(self.length) % QUEUE;
        match self.queue.get_mut(slot) {
            Some(place) if self.length < QUEUE => {
                *place = byte;
                self.length += 1;
            }
            _ => self.dropped = self.dropped.wrapping_add(1),
        }
    }

    fn dequeue(&mut self) -> Option<u8> {
        if self.length == 0 {
            return None;
        }
        let byte = self.queue.get(self.head).copied()?;
        self.head = (self.head + 1) % QUEUE;
        self.length -= 1;
        Some(byte)
    }
}
