//! Spans and sizes as people say them.

use std::time::Duration;

use resume_core::time::Timestamp;

/// A span in its two largest units: `45s`, `3m5s`, `2h14m`, `5d3h`.
pub(crate) fn span(span: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let seconds = span.as_secs();
    let first = UNITS.iter().position(|(length, _)| seconds >= *length).unwrap_or(UNITS.len() - 1);
    let mut text = format!("{}{}", seconds / UNITS[first].0, UNITS[first].1);
    if let Some((length, unit)) = UNITS.get(first + 1) {
        let rest = seconds % UNITS[first].0 / length;
        if rest > 0 {
            text.push_str(&rest.to_string());
            text.push_str(unit);
        }
    }
    text
}

/// A short span, which a program lived: to the millisecond below ten seconds.
pub(crate) fn short_span(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis}ms"),
        1_000..10_000 => format!("{}.{}s", millis / 1_000, millis % 1_000 / 100),
        10_000.. => span(Duration::from_millis(millis)),
    }
}

/// A moment that has passed, as people say it: `3m ago`, `just now`. One ahead, by a clock that was set, is now.
pub(crate) fn ago(time: Timestamp, now: Timestamp) -> String {
    match now.as_micros().saturating_sub(time.as_micros()) {
        0..1_000_000 => "just now".to_owned(),
        passed => format!("{} ago", span(Duration::from_micros(passed))),
    }
}

/// A size to three digits: `512B`, `1.5K`, `64.2M`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["K", "M", "G", "T", "P"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    // In tenths, so that nothing is rounded twice.
    let mut tenths = u128::from(bytes) * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    if tenths < 1_000 {
        format!("{}.{}{}", tenths / 10, tenths % 10, UNITS[unit])
    } else {
        format!("{}{}", tenths / 10, UNITS[unit])
    }
}

/// A moment as `2026-11-22 15:04:05`, in UTC.
pub(crate) fn to_second(time: Timestamp) -> String {
    time.to_string()[..19].replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_its_two_largest_units() {
        for (seconds, text) in
            [(0, "0s"), (59, "59s"), (60, "1m"), (185, "3m5s"), (3_600, "1h"), (8_045, "2h14m"), (442_800, "5d3h")]
        {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
        assert_eq!(short_span(45), "45ms");
        assert_eq!(short_span(1_250), "1.2s");
        assert_eq!(short_span(61_000), "1m1s");
    }

    #[test]
    fn a_moment_is_said_to_be_some_time_ago() {
        let now = Timestamp::from_micros(1_000_000_000);
        for (passed, text) in
            [(0, "just now"), (999_999, "just now"), (1_000_000, "1s ago"), (200_000_000, "3m20s ago")]
        {
            assert_eq!(ago(Timestamp::from_micros(1_000_000_000 - passed), now), text);
        }
        assert_eq!(ago(Timestamp::from_micros(2_000_000_000), now), "just now");
    }

    #[test]
    fn a_size_has_three_digits() {
        for (bytes, text) in
            [(0, "0B"), (1_023, "1023B"), (1_024, "1.0K"), (1_536, "1.5K"), (104_857_600, "100M"), (u64::MAX, "16383P")]
        {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn a_moment_is_cut_to_the_second() {
        assert_eq!(to_second(Timestamp::from_micros(951_782_400_999_999)), "2000-02-29 00:00:00");
    }
}
