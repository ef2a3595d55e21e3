//! Durations and sizes as people write them.

use std::fmt::Write as _;
use std::time::Duration;

/// Why a text is no duration or size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUnit {
    /// It is no duration.
    #[error("`{0}` is no duration, expected one like `500ms`, `5s`, `2m`, `1h30m` or `7d`")]
    Duration(String),
    /// It is no range of two durations.
    #[error("`{0}` is no range of durations, expected one like `100ms..30s`")]
    Range(String),
    /// The range runs backwards.
    #[error("`{0}` ends before it starts")]
    Backwards(String),
    /// It is no size.
    #[error("`{0}` is no size, expected one like `512`, `64K`, `10M` or `2G`")]
    Size(String),
}

/// Reads a duration: numbers each with one of `ms s m h d w`, largest unit first as in `1h30m`; a bare `0` is none.
///
/// Nothing longer than 100 years passes, so that no sum of a duration and the present can overflow.
pub fn parse_duration(text: &str) -> Result<Duration, InvalidUnit> {
    duration(text).ok_or_else(|| InvalidUnit::Duration(text.to_owned()))
}

fn duration(text: &str) -> Option<Duration> {
    const LONGEST: u64 = 100 * 366 * 86_400_000;
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total: u64 = 0;
    let mut previous = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest.get(..digits)?.parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit: u64 = match &rest[..letters] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 7 * 86_400_000,
            _ => return None,
        };
        if unit >= previous {
            return None;
        }
        previous = unit;
        rest = &rest[letters..];
        total = total.checked_add(number.checked_mul(unit)?)?;
    }
    (previous != u64::MAX && total <= LONGEST).then(|| Duration::from_millis(total))
}

/// Reads `MIN..MAX`, two durations of which the second is no shorter.
pub fn parse_range(text: &str) -> Result<(Duration, Duration), InvalidUnit> {
    let range = || InvalidUnit::Range(text.to_owned());
    let (min, max) = text.split_once("..").ok_or_else(range)?;
    let min = duration(min).ok_or_else(range)?;
    let max = duration(max).ok_or_else(range)?;
    if min > max {
        return Err(InvalidUnit::Backwards(text.to_owned()));
    }
    Ok((min, max))
}

/// Reads a size in bytes: a number, with `K`, `M`, `G` or `T` for powers of 1024.
pub fn parse_size(text: &str) -> Result<u64, InvalidUnit> {
    let parse = || {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = text.get(..digits)?.parse().ok()?;
        let shift = match &text[digits..] {
            "" | "B" => 0,
            "K" | "k" | "KiB" => 10,
            "M" | "m" | "MiB" => 20,
            "G" | "g" | "GiB" => 30,
            "T" | "t" | "TiB" => 40,
            _ => return None,
        };
        number.checked_mul(1 << shift)
    };
    parse().ok_or_else(|| InvalidUnit::Size(text.to_owned()))
}

/// Writes a duration as [`parse_duration`] reads it, exact to the millisecond.
pub fn format_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, name) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")] {
        if rest >= unit {
            // Writing to a string cannot fail.
            let _ = write!(text, "{}{name}", rest / unit);
            rest %= unit;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_as_the_contract_writes_them() {
        for (text, ms) in [
            ("500ms", 500),
            ("5s", 5_000),
            ("2m", 120_000),
            ("1h30m", 5_400_000),
            ("7d", 604_800_000),
            ("0", 0),
            ("0s", 0),
            ("1m1ms", 60_001),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "5", "s", "5x", "-1s", "1s1m", "1s1s", "1.5s", "99999999999999999999s", "40000d", " 5s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_and_sizes_are_read() {
        assert_eq!(parse_range("100ms..30s"), Ok((Duration::from_millis(100), Duration::from_secs(30))));
        assert_eq!(parse_range("2s..1s"), Err(InvalidUnit::Backwards("2s..1s".into())));
        assert_eq!(parse_range("2s"), Err(InvalidUnit::Range("2s".into())));
        assert_eq!(parse_size("64K"), Ok(65_536));
        assert_eq!(parse_size("2G"), Ok(2 << 30));
        assert_eq!(parse_size("512"), Ok(512));
        for text in ["", "K", "1X", "-1", "99999999999999999999", "99999999999999T"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_written_duration_reads_back(ms in 0_u64..3_000_000_000_000) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text in ".{0,20}") {
            let _ = (parse_duration(&text), parse_range(&text), parse_size(&text));
        }
    }
}
