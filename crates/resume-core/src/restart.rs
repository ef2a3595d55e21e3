//! What follows a run: another at once, another after a pause, or none.

use std::time::Duration;

use crate::exit::ExitStatus;
use crate::spec::{RestartOn, RestartPolicy};

/// What to do after a run that ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The policy leaves it.
    Leave,
    /// Start it again after this pause, which may be none.
    Again(Duration),
    /// It had too many short runs in a row.
    GiveUp,
}

/// The short runs in a row, and the pauses they ask for.
#[derive(Clone, Debug)]
pub struct Backoff {
    short_runs: u32,
    random: u64,
}

impl Backoff {
    /// Starts at no short run; `seed` spreads the jitter of services that fall together.
    pub fn new(seed: u64) -> Self {
        // xorshift never leaves zero.
        Self { short_runs: 0, random: seed | 1 }
    }

    /// The short runs in a row so far.
    pub fn short_runs(&self) -> u32 {
        self.short_runs
    }

    /// Goes on with a count from an earlier life.
    pub fn set_short_runs(&mut self, count: u32) {
        self.short_runs = count;
    }

    /// Judges a run that lasted `uptime` and ended with `status`; `None` is a run that could not begin.
    pub fn judge(&mut self, policy: &RestartPolicy, uptime: Duration, status: Option<ExitStatus>) -> Verdict {
        let success = match status {
            Some(ExitStatus::Code(code)) => policy.success_codes.contains(&code),
            Some(ExitStatus::Signal(_) | ExitStatus::OutOfMemory | ExitStatus::Unknown) | None => false,
        };
        let again = match policy.on {
            RestartOn::Always => true,
            RestartOn::OnFailure => !success,
            RestartOn::Never => false,
        };
        if !again {
            return Verdict::Leave;
        }
        if status.is_some() && uptime >= policy.min_uptime {
            if uptime > policy.min_uptime * 10 {
                self.short_runs = 0;
            }
            return Verdict::Again(Duration::ZERO);
        }
        self.short_runs = self.short_runs.saturating_add(1);
        if policy.max_restarts > 0 && self.short_runs > policy.max_restarts {
            return Verdict::GiveUp;
        }
        Verdict::Again(self.pause(policy))
    }

    /// `MIN`, doubled for each short run after the first, at most `MAX`, plus up to 10 %.
    fn pause(&mut self, policy: &RestartPolicy) -> Duration {
        let doublings = (self.short_runs - 1).min(31);
        let pause = policy.backoff_min.saturating_mul(1 << doublings).min(policy.backoff_max);
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let tenth = u64::try_from(pause.as_micros() / 10).unwrap_or(u64::MAX - 1);
        pause + Duration::from_micros(self.random % (tenth + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(10);
    const FAILED: Option<ExitStatus> = Some(ExitStatus::Code(1));

    fn pause(verdict: Verdict) -> Duration {
        match verdict {
            Verdict::Again(pause) => pause,
            Verdict::Leave | Verdict::GiveUp => panic!("{verdict:?}"),
        }
    }

    #[test]
    fn the_pause_doubles_from_min_to_max_with_at_most_a_tenth_on_top() {
        let policy = RestartPolicy { max_restarts: 0, ..RestartPolicy::default() };
        let mut backoff = Backoff::new(7);
        for base in [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000] {
            let base = Duration::from_millis(base);
            let pause = pause(backoff.judge(&policy, SHORT, FAILED));
            assert!(base <= pause && pause <= base + base / 10, "{base:?}: {pause:?}");
        }
        backoff.set_short_runs(u32::MAX);
        assert!(pause(backoff.judge(&policy, SHORT, FAILED)) <= policy.backoff_max * 11 / 10);
    }

    #[test]
    fn a_run_between_min_uptime_and_ten_times_that_neither_counts_nor_resets() {
        let policy = RestartPolicy::default();
        let mut backoff = Backoff::new(1);
        let _ = backoff.judge(&policy, SHORT, FAILED);
        for (uptime, short_runs) in [(policy.min_uptime, 1), (policy.min_uptime * 10, 1), (policy.min_uptime * 11, 0)] {
            assert_eq!(backoff.judge(&policy, uptime, FAILED), Verdict::Again(Duration::ZERO));
            assert_eq!(backoff.short_runs(), short_runs);
        }
    }

    #[test]
    fn one_short_run_more_than_the_limit_gives_up() {
        let policy = RestartPolicy { max_restarts: 2, ..RestartPolicy::default() };
        let mut backoff = Backoff::new(1);
        let _ = pause(backoff.judge(&policy, SHORT, FAILED));
        let _ = pause(backoff.judge(&policy, SHORT, None));
        assert_eq!(backoff.judge(&policy, SHORT, FAILED), Verdict::GiveUp);
    }

    #[test]
    fn the_policy_says_which_ends_are_followed_by_another_run() {
        let term = Some(ExitStatus::Signal(crate::signal::Signal::TERM));
        for (on, code_0, code_3, code_1, signal, unknown) in [
            (RestartOn::Always, true, true, true, true, true),
            (RestartOn::OnFailure, false, false, true, true, true),
            (RestartOn::Never, false, false, false, false, false),
        ] {
            let policy = RestartPolicy { on, success_codes: vec![0, 3], ..RestartPolicy::default() };
            let code = |code| Some(ExitStatus::Code(code));
            let ends = [code(0), code(3), code(1), term, Some(ExitStatus::Unknown)];
            let again = ends.map(|end| Backoff::new(1).judge(&policy, Duration::from_secs(5), end) != Verdict::Leave);
            assert_eq!(again, [code_0, code_3, code_1, signal, unknown], "{on:?}");
        }
    }
}
