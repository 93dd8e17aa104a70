//! The console: `console=`, `conswitch=`, `console_timestamps=`, `vga=`.

/// What `console=` takes, as a warning says it.
const EXPECTED: &str = "a list of com1, com2 and vga, or none";

/// Where the hypervisor prints. The default is the first serial port and the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consoles {
    /// The first serial port.
    pub com1: bool,
    /// The second serial port.
    pub com2: bool,
    /// The screen in text mode.
    pub vga: bool,
}

impl Default for Consoles {
    fn default() -> Self {
        Self {
            com1: true,
            com2: false,
            vga: true,
        }
    }
}

impl Consoles {
    /// No console at all.
    pub const NONE: Self = Self {
        com1: false,
        com2: false,
        vga: false,
    };

    /// Reads a list. `complain` gets each item that is wrong, with what would be right. A list with no valid item leaves the
    /// default, so that a typing mistake does not silence the machine.
    pub(crate) fn from_value<'a>(
        value: &'a str,
        mut complain: impl FnMut(&'a str, &'static str),
    ) -> Self {
        let mut consoles = Self::NONE;
        let mut understood = false;
        for item in value.split(',').filter(|item| !item.is_empty()) {
            match item {
                "com1" => consoles.com1 = true,
                "com2" => consoles.com2 = true,
                "vga" => consoles.vga = true,
                "none" => {}
                // The letters H and L share one port between two programs by the top bit of each character.
                "com1H" | "com1L" | "com2H" | "com2L" => {
                    complain(
                        item,
                        "com1 or com2 (the sharing letters H and L are not supported)",
                    );
                    consoles.com1 |= item.starts_with("com1");
                    consoles.com2 |= item.starts_with("com2");
                }
                _ => {
                    complain(item, EXPECTED);
                    continue;
                }
            }
            understood = true;
        }
        if understood {
            consoles
        } else {
            Self::default()
        }
    }
}

/// The key that moves serial input between dom0 and the hypervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchKey {
    /// The control character (1 to 26) that is typed three times; `None` where switching is off.
    pub control: Option<u8>,
    /// Whether input goes to dom0 as soon as it boots.
    pub to_dom0_at_boot: bool,
}

impl Default for SwitchKey {
    fn default() -> Self {
        Self {
            control: Some(1),
            to_dom0_at_boot: true,
        }
    }
}

impl SwitchKey {
    pub(crate) const EXPECTED: &'static str =
        "a letter, with an x after it to stay in the hypervisor";

    /// Reads `<letter>[x]`.
    pub(crate) fn from_value(value: &str) -> Option<Self> {
        let mut bytes = value.bytes();
        let letter = bytes.next()?;
        let control = if letter.is_ascii_alphabetic() {
            Some(letter & 0x1f)
        } else if letter == b'0' {
            None
        } else {
            return None;
        };
        Some(Self {
            control,
            to_dom0_at_boot: bytes.next() != Some(b'x'),
        })
    }
}

/// What precedes each console line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampFormat {
    /// Nothing.
    None,
    /// Date and time.
    Date,
    /// Date and time with milliseconds.
    DateMilliseconds,
    /// Seconds and microseconds since boot.
    Boot,
    /// Ticks of the platform's counter.
    Raw,
}

impl TimestampFormat {
    pub(crate) const EXPECTED: &'static str = "none, date, datems, boot or raw";

    /// Reads a format's name, or a boolean as older versions took it.
    pub(crate) fn from_value(value: &str) -> Option<Self> {
        match value {
            "date" | "" => Some(Self::Date),
            "datems" => Some(Self::DateMilliseconds),
            "boot" => Some(Self::Boot),
            "raw" => Some(Self::Raw),
            "none" => Some(Self::None),
            _ => crate::values::boolean(value).map(|on| if on { Self::Date } else { Self::None }),
        }
    }
}

/// The screen. Only the mode in force at boot is used: others are reported as not supported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vga {
    /// Whether the hypervisor keeps printing on the screen after dom0 has started.
    pub keep: bool,
}

impl Vga {
    /// Reads `<mode>[,keep]`. `complain` gets each item that is wrong or not supported.
    pub(crate) fn from_value<'a>(
        value: &'a str,
        mut complain: impl FnMut(&'a str, &'static str),
    ) -> Self {
        let mut vga = Self::default();
        for item in value.split(',') {
            match item {
                "keep" => vga.keep = true,
                "current" | "text-80x25" | "" => {}
                _ => complain(
                    item,
                    "current, text-80x25 or keep (no other mode is supported)",
                ),
            }
        }
        vga
    }
}
