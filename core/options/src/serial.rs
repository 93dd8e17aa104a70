//! Serial ports: `com1=` and `com2=`.

use crate::values::{unsigned, unsigned32};

/// The speed of a serial line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baud {
    /// Keep what the firmware or the boot loader set.
    Auto,
    /// Bits a second; never 0.
    Rate(u32),
}

/// The parity bit of a serial line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parity {
    /// No parity bit.
    None,
    /// Odd parity.
    Odd,
    /// Even parity.
    Even,
    /// Always one.
    Mark,
    /// Always zero.
    Space,
}

/// How a serial port is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SerialPort {
    /// The speed.
    pub baud: Baud,
    /// The highest speed, at divisor 1, in bits a second. 115200 on a PC.
    pub base_baud: u32,
    /// Data bits, 5 to 8.
    pub data_bits: u8,
    /// The parity bit.
    pub parity: Parity,
    /// Stop bits, 1 or 2.
    pub stop_bits: u8,
    /// The port of the first register.
    pub io_base: u16,
    /// The ISA interrupt line; `None` to poll.
    pub irq: Option<u8>,
}

impl SerialPort {
    /// What the first port (`second` false) or the second one is where only `com1` or `com2` is known.
    pub const fn standard(second: bool) -> Self {
        Self {
            baud: Baud::Rate(115_200),
            base_baud: 115_200,
            data_bits: 8,
            parity: Parity::None,
            stop_bits: 1,
            io_base: if second { 0x2f8 } else { 0x3f8 },
            irq: Some(if second { 3 } else { 4 }),
        }
    }

    /// The divisor for the speed; `None` where it is to be kept as it is.
    pub fn divisor(&self) -> Option<u16> {
        match self.baud {
            Baud::Auto => None,
            Baud::Rate(rate) => {
                let divisor = self.base_baud.checked_div(rate).unwrap_or(1).max(1);
                Some(u16::try_from(divisor).unwrap_or(u16::MAX))
            }
        }
    }

    /// Reads `<baud>[/<base>][,[DPS][,[<io-base>][,[<irq>]]]]` with `name=value` items at any place. `complain` gets each item
    /// that is wrong, with what would be right.
    pub(crate) fn from_value<'a>(
        value: &'a str,
        second: bool,
        mut complain: impl FnMut(&'a str, &'static str),
    ) -> Self {
        let mut port = Self::standard(second);
        let mut place = 0_u32;
        for item in value.split(',') {
            let outcome = match item.split_once('=') {
                Some((name, word)) => port.set_named(name, word),
                None => {
                    let outcome = port.set_placed(place, item);
                    place = place.saturating_add(1);
                    outcome
                }
            };
            if let Err(expected) = outcome {
                complain(item, expected);
            }
        }
        port
    }

    fn set_placed(&mut self, place: u32, item: &str) -> Result<(), &'static str> {
        match place {
            _ if item.is_empty() => Ok(()),
            0 => self.set_baud(item),
            1 => self.set_format(item),
            2 => self.set_io_base(item),
            3 => self.set_irq(item),
            _ => Err("no more than a speed, a format, an I/O port and an interrupt"),
        }
    }

    fn set_named(&mut self, name: &str, word: &str) -> Result<(), &'static str> {
        match name {
            "baud" => self.set_baud(word),
            "clock-hz" => self.set_clock(word),
            "data-bits" => self.set_data_bits(word),
            "parity" => self.set_parity(word),
            "stop-bits" => self.set_stop_bits(word),
            "io-base" => self.set_io_base(word),
            "irq" => self.set_irq(word),
            _ => Err("baud, clock-hz, data-bits, parity, stop-bits, io-base or irq (PCI ports are not supported)"),
        }
    }

    fn set_baud(&mut self, item: &str) -> Result<(), &'static str> {
        const EXPECTED: &str = "a speed such as 115200, or auto";
        let (baud, base) = match item.split_once('/') {
            Some((baud, base)) => (baud, Some(base)),
            None => (item, None),
        };
        if let Some(base) = base {
            self.base_baud = unsigned32(base).filter(|rate| *rate != 0).ok_or(EXPECTED)?;
        }
        if baud == "auto" {
            self.baud = Baud::Auto;
        } else if !baud.is_empty() {
            let rate = unsigned32(baud).filter(|rate| *rate != 0);
            self.baud = Baud::Rate(rate.ok_or(EXPECTED)?);
        }
        Ok(())
    }

    fn set_format(&mut self, item: &str) -> Result<(), &'static str> {
        const EXPECTED: &str = "data bits, parity and stop bits such as 8n1";
        let mut letters = item.char_indices();
        let (Some((0, _)), Some((1, _)), Some((2, _)), None) = (
            letters.next(),
            letters.next(),
            letters.next(),
            letters.next(),
        ) else {
            return Err(EXPECTED);
        };
        let mut changed = *self;
        changed.set_data_bits(item.get(..1).ok_or(EXPECTED)?)?;
        changed.set_parity(item.get(1..2).ok_or(EXPECTED)?)?;
        changed.set_stop_bits(item.get(2..).ok_or(EXPECTED)?)?;
        *self = changed;
        Ok(())
    }

    fn set_clock(&mut self, word: &str) -> Result<(), &'static str> {
        let base = unsigned(word).map(|hertz| hertz / 16);
        let base = base.and_then(|base| u32::try_from(base).ok());
        self.base_baud = base
            .filter(|base| *base != 0)
            .ok_or("the clock of the port in Hz, 16 or more")?;
        Ok(())
    }

    fn set_data_bits(&mut self, word: &str) -> Result<(), &'static str> {
        self.data_bits = match word {
            "5" => 5,
            "6" => 6,
            "7" => 7,
            "8" => 8,
            _ => return Err("5 to 8 data bits"),
        };
        Ok(())
    }

    fn set_parity(&mut self, word: &str) -> Result<(), &'static str> {
        self.parity = match word {
            "n" => Parity::None,
            "o" => Parity::Odd,
            "e" => Parity::Even,
            "m" => Parity::Mark,
            "s" => Parity::Space,
            _ => return Err("parity n, o, e, m or s"),
        };
        Ok(())
    }

    fn set_stop_bits(&mut self, word: &str) -> Result<(), &'static str> {
        self.stop_bits = match word {
            "1" => 1,
            "2" => 2,
            _ => return Err("1 or 2 stop bits"),
        };
        Ok(())
    }

    fn set_io_base(&mut self, word: &str) -> Result<(), &'static str> {
        let port = unsigned(word).and_then(|port| u16::try_from(port).ok());
        // Eight registers follow the first one.
        self.io_base = port
            .filter(|port| (1..=0xfff8).contains(port))
            .ok_or("an I/O port such as 0x3f8 (PCI ports are not supported)")?;
        Ok(())
    }

    fn set_irq(&mut self, word: &str) -> Result<(), &'static str> {
        let irq = unsigned(word).and_then(|irq| u8::try_from(irq).ok());
        let irq = irq
            .filter(|irq| *irq < 16)
            .ok_or("an interrupt line 1 to 15, or 0 to poll")?;
        self.irq = (irq != 0).then_some(irq);
        Ok(())
    }
}
