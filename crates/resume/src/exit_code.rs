//! What the program's exit code says. These are a promise: scripts branch on them.

/// Why the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// It did what was asked.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// The command line or a configuration is wrong; nothing was done.
    Usage = 2,
    /// No service matches.
    NoSuchService = 3,
    /// A service is not in a state for that.
    WrongState = 4,
    /// Of `run`, as shells have it: the program is there and cannot be executed.
    CannotExecute = 126,
    /// Of `run`, as shells have it: there is no such program.
    ProgramNotFound = 127,
    /// A bug in `resume`.
    Bug = 255,
}

impl ExitCode {
    /// The number.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The word for it in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::NoSuchService => "no-such-service",
            Self::WrongState => "wrong-state",
            Self::CannotExecute => "cannot-execute",
            Self::ProgramNotFound => "program-not-found",
            Self::Bug => "bug",
        }
    }

    /// What several failures come to: theirs if they are alike, else [`ExitCode::Failed`]; done if there is none.
    pub fn of_all(failures: impl IntoIterator<Item = Self>) -> Self {
        let mut failures = failures.into_iter();
        let Some(first) = failures.next() else { return Self::Done };
        if failures.all(|code| code == first) { first } else { Self::Failed }
    }
}

#[cfg(test)]
mod tests {
    use super::ExitCode::{Done, Failed, NoSuchService, WrongState};
    use super::*;

    #[test]
    fn failures_that_are_alike_keep_their_code_and_others_become_1() {
        assert_eq!(ExitCode::of_all([]), Done);
        assert_eq!(ExitCode::of_all([NoSuchService, NoSuchService]), NoSuchService);
        assert_eq!(ExitCode::of_all([NoSuchService, WrongState]), Failed);
    }
}
