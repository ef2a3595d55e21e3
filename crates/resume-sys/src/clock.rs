//! The two clocks.
//!
//! They are read by libc, not by rustix, whose own reading of the vDSO crashes under valgrind 3.19.

use std::time::Duration;

/// The time since the machine was booted, sleep included; it never goes back (`CLOCK_BOOTTIME`, clock_gettime(2)).
pub fn boottime() -> Duration {
    read(libc::CLOCK_BOOTTIME)
}

/// Microseconds since 1970, UTC, as the machine's clock has it: it jumps when someone sets it (`CLOCK_REALTIME`).
pub fn wall_micros() -> u64 {
    u64::try_from(read(libc::CLOCK_REALTIME).as_micros()).unwrap_or(u64::MAX)
}

/// How long the machine has slept since it was booted: what [`boottime`] counts and clocks like the kernel log's do not.
pub fn suspended() -> Duration {
    boottime().saturating_sub(read(libc::CLOCK_MONOTONIC))
}

fn read(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a live timespec to write to. The call cannot fail for a clock that exists, and these two do since
    // Linux 2.6.39; were it to, `time` would stay zero.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    // A clock set before 1970 counts as 1970.
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_clock_never_goes_back() {
        let first = boottime();
        assert!(first > Duration::ZERO);
        assert!(boottime() >= first);
    }

    #[test]
    fn the_wall_clock_is_in_microseconds() {
        let std_micros = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros();
        assert!(u128::from(wall_micros()).abs_diff(std_micros) < 10_000_000);
    }
}
