//! Moments of the wall clock, as files and people see them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A moment: microseconds since 1970-01-01 UTC. Written as RFC 3339 with six fractional digits and `Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(u64);

/// A text that is no moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time, expected one like `2026-11-22T15:04:05.000000Z`")]
pub struct InvalidTime(String);

const DAY: u64 = 86_400;
/// The first moment of the year 10000: beyond it, the text would grow.
const END: u64 = 253_402_300_800_000_000;

impl Timestamp {
    /// The moment so many microseconds after 1970; the last of the year 9999 for what lies beyond.
    pub fn from_micros(micros: u64) -> Self {
        Self(micros.min(END - 1))
    }

    /// Microseconds since 1970.
    pub fn as_micros(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let (year, month, day) = civil(seconds / DAY);
        let rest = seconds % DAY;
        let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTime;

    /// Reads exactly what `Display` writes.
    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let parse = || {
            let shape = b"dddd-dd-ddTdd:dd:dd.ddddddZ";
            let fits = |(have, want): (u8, &u8)| if *want == b'd' { have.is_ascii_digit() } else { have == *want };
            if text.len() != shape.len() || !text.bytes().zip(shape).all(fits) {
                return None;
            }
            let number = |range: std::ops::Range<usize>| text[range].parse::<u64>().ok();
            let days = days(number(0..4)?, number(5..7)?, number(8..10)?)?;
            let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
            if hour > 23 || minute > 59 || second > 59 {
                return None;
            }
            let seconds = days * DAY + hour * 3600 + minute * 60 + second;
            Some(Self(seconds * 1_000_000 + number(20..26)?))
        };
        parse().ok_or_else(|| InvalidTime(text.to_owned()))
    }
}

impl TryFrom<String> for Timestamp {
    type Error = InvalidTime;

    fn try_from(text: String) -> Result<Self, InvalidTime> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

/// The days of each month before `month` (1 to 12) begins, and whether the year is a leap year.
fn days_before(year: u64, month: u64) -> u64 {
    let leap = u64::from(is_leap(year));
    let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
    let index = usize::try_from(month - 1).unwrap_or(12).min(12);
    before[index] + if month > 2 { leap } else { 0 }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// The days from 1970-01-01 to the first of `year`.
fn days_to_year(year: u64) -> u64 {
    let leaps = |y: u64| y / 4 - y / 100 + y / 400;
    (year - 1970) * 365 + leaps(year - 1) - leaps(1969)
}

fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    let length = days_before(year, month + 1) - days_before(year, month);
    (day <= length).then(|| days_to_year(year) + days_before(year, month) + day - 1)
}

/// The year, month and day of the Gregorian calendar, so many days after 1970-01-01.
fn civil(days: u64) -> (u64, u64, u64) {
    let mut year = 1970 + days / 366;
    while days_to_year(year + 1) <= days {
        year += 1;
    }
    let day = days - days_to_year(year);
    let mut month = 12;
    while days_before(year, month) > day {
        month -= 1;
    }
    (year, month, day - days_before(year, month) + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn moments_are_written_as_rfc_3339() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (1_795_359_845_000_001, "2026-11-22T15:04:05.000001Z"),
            (END - 1, "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(Timestamp::from_micros(micros).to_string(), text);
        }
        assert_eq!(Timestamp::from_micros(u64::MAX), Timestamp(END - 1));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "2026-02-29T00:00:00.000000Z",
            "2026-13-01T00:00:00.000000Z",
            "2026-01-01T24:00:00.000000Z",
            "1969-12-31T00:00:00.000000Z",
            "2026-01-01 00:00:00.000000Z",
            "2026-01-01T00:00:00Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_moment_reads_back(micros in 0..END) {
            let time = Timestamp(micros);
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{27}") {
            let _ = text.parse::<Timestamp>();
        }
    }
}
