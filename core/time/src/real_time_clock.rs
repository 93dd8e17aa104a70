//! The board's real-time clock: a reading of its registers as seconds since 1970.

use vocabulary::{refuse, Errno, Refused};

/// The date registers of an MC146818-compatible clock, as read, consistent (no update in progress).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtcReading {
    /// Register 0.
    pub second: u8,
    /// Register 2.
    pub minute: u8,
    /// Register 4; bit 7 is "after noon" in 12-hour form.
    pub hour: u8,
    /// Register 7.
    pub day: u8,
    /// Register 8.
    pub month: u8,
    /// Register 9, the year within its century.
    pub year: u8,
    /// The register that the ACPI FADT names for the century, where it names one.
    pub century: Option<u8>,
    /// Register B: bit 1 is 24-hour form, bit 2 binary form.
    pub status_b: u8,
}

impl RtcReading {
    const HOURS_24: u8 = 1 << 1;
    const BINARY: u8 = 1 << 2;
    const AFTER_NOON: u8 = 1 << 7;

    /// Seconds since 1970, taking the clock to run in UTC. Without a century register, years from 70 are of the
    /// 20th. EINVAL: no such date.
    pub fn unix_seconds(&self) -> Refused<u64> {
        let decoded = self.decode().filter(|(_, month, day, hour, rest)| {
            (1..=12).contains(month) && (1..=31).contains(day) && *hour < 24 && *rest < 3600
        });
        let Some((year, month, day, hour, rest)) = decoded else {
            return refuse(Errno::EINVAL, "the real-time clock shows no valid date");
        };
        Ok(days_since_1970(year, month, day) * 86_400 + hour * 3_600 + rest)
    }

    /// Year, month, day, hour and seconds within the hour.
    fn decode(&self) -> Option<(u64, u64, u64, u64, u64)> {
        let number = |register: u8| {
            if self.status_b & Self::BINARY != 0 {
                return Some(u64::from(register));
            }
            let (tens, units) = (register >> 4, register & 0xf);
            (tens < 10 && units < 10).then(|| u64::from(tens) * 10 + u64::from(units))
        };
        let mut hour = if self.status_b & Self::HOURS_24 != 0 {
            number(self.hour)?
        } else {
            number(self.hour & !Self::AFTER_NOON)? % 12
        };
        if self.status_b & Self::HOURS_24 == 0 && self.hour & Self::AFTER_NOON != 0 {
            hour += 12;
        }
        let in_century = number(self.year).filter(|year| *year < 100)?;
        // A century register that firmware never set reads 0; believe only plausible ones.
        let century = self.century.and_then(number);
        let year = match century.filter(|century| (19..=29).contains(century)) {
            Some(century) => century * 100 + in_century,
            None if in_century >= 70 => 1900 + in_century,
            None => 2000 + in_century,
        };
        let minute = number(self.minute).filter(|minute| *minute < 60)?;
        let second = number(self.second).filter(|second| *second < 60)?;
        let year = Some(year).filter(|year| *year >= 1970)?;
        Some((
            year,
            number(self.month)?,
            number(self.day)?,
            hour,
            minute * 60 + second,
        ))
    }
}

/// Days from 1 January 1970 to a date of the Gregorian calendar, from 1970 on; `month` is 1 to 12.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    // Count years from March, so that the leap day is the last of its year; then months of 30.6 days,
    // rounded, have the right lengths.
    let (march_year, march_month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = march_year / 4 - march_year / 100 + march_year / 400;
    let day_of_year = (march_month * 306 + 5) / 10 + day - 1;
    // 719 468 is what the same count gives for 1 January 1970.
    march_year * 365 + leap_days + day_of_year - 719_468
}
