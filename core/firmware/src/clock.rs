//! The CMOS clock's registers (Motorola MC146818A data sheet), as seconds since 1970.

/// How the clock writes its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Plain binary, else two decimal digits of four bits each.
    pub binary: bool,
    /// Hours from 0 to 23, else 1 to 12 with the top bit for the afternoon.
    pub hours_24: bool,
}

impl Format {
    /// As status register B says.
    pub const fn from_status(status_b: u8) -> Self {
        Self {
            binary: status_b & 0x04 != 0,
            hours_24: status_b & 0x02 != 0,
        }
    }

    /// The number behind a register's value; `None` where a decimal digit is above 9.
    fn number(self, value: u8) -> Option<u64> {
        if self.binary {
            return Some(u64::from(value));
        }
        let (tens, ones) = (value >> 4, value & 0xf);
        (tens <= 9 && ones <= 9).then_some(u64::from(tens) * 10 + u64::from(ones))
    }

    /// The hour from 0 to 23.
    fn hour(self, value: u8) -> Option<u64> {
        if self.hours_24 {
            return self.number(value).filter(|&hour| hour < 24);
        }
        let afternoon = value & 0x80 != 0;
        let hour = self.number(value & 0x7f)?;
        (1..=12)
            .contains(&hour)
            .then_some(hour % 12 + if afternoon { 12 } else { 0 })
    }
}

/// The registers as they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Date {
    pub second: u8,
    pub minute: u8,
    pub hour: u8,
    pub day: u8,
    pub month: u8,
    pub year: u8,
    /// The century register, where there is one.
    pub century: Option<u8>,
}

impl Date {
    /// Seconds since the beginning of 1970; `None` where a number is out of its range.
    pub fn seconds(&self, format: Format) -> Option<u64> {
        let in_range = |value, low, high| {
            format
                .number(value)
                .filter(|number| (low..=high).contains(number))
        };
        let second = in_range(self.second, 0, 59)?;
        let minute = in_range(self.minute, 0, 59)?;
        let hour = format.hour(self.hour)?;
        let day = in_range(self.day, 1, 31)?;
        let month = in_range(self.month, 1, 12)?;
        let year = in_range(self.year, 0, 99)?;
        let century = self
            .century
            .and_then(|century| in_range(century, 19, 29))
            .unwrap_or(if year >= 70 { 19 } else { 20 });
        let days = days_since_1970(century * 100 + year, month, day)?;
        Some(((days * 24 + hour) * 60 + minute) * 60 + second)
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; `None` before it.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    // Count years from March, so that the leap day is a year's last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year.checked_sub(1)?, month + 9)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    // 719468 days lie between 0000-03-01 and 1970-01-01.
    (year * 365 + leap_days + day_of_year).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    const DECIMAL_24: Format = Format {
        binary: false,
        hours_24: true,
    };

    #[test]
    fn known_moments() {
        let date = Date {
            second: 0x40,
            minute: 0x46,
            hour: 0x01,
            day: 0x09,
            month: 0x09,
            year: 0x01,
            century: Some(0x20),
        };
        assert_eq!(date.seconds(DECIMAL_24), Some(1_000_000_000));
        let noon = Date { hour: 0x92, ..date };
        let twelve_hours = Format {
            binary: false,
            hours_24: false,
        };
        assert_eq!(noon.seconds(twelve_hours), Some(1_000_000_000 + 39_600));
        assert_eq!(
            Date {
                month: 0x13,
                ..date
            }
            .seconds(DECIMAL_24),
            None
        );
        assert_eq!(Date { day: 0x0a, ..date }.seconds(DECIMAL_24), None);
    }

    proptest! {
        /// Each day follows the one before by the calendar's own rules.
        #[test]
        fn days_count_up(year in 1970u64..2400, month in 1u64..=12, day in 1u64..=31) {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            let length = lengths.get(month as usize - 1).copied().unwrap();
            prop_assume!(day <= length);
            let next = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (_, day) if day == length => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
            let today = days_since_1970(year, month, day).unwrap();
            prop_assert_eq!(days_since_1970(next.0, next.1, next.2), Some(today + 1));
        }

        /// No register values whatever make it panic.
        #[test]
        fn any_registers(values: [u8; 7], status: u8) {
            let [second, minute, hour, day, month, year, century] = values;
            let date = Date { second, minute, hour, day, month, year, century: Some(century) };
            let _ = date.seconds(Format::from_status(status));
        }
    }
}
