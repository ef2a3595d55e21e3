//! What a command answered, and what a test expects of it.

use std::borrow::Cow;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use serde_json::Value;

/// A command that has ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    command: String,
    status: ExitStatus,
    /// What it wrote to its stdout.
    pub stdout: Vec<u8>,
    /// What it wrote to its stderr.
    pub stderr: Vec<u8>,
}

impl Outcome {
    pub(crate) fn new(command: String, status: ExitStatus, stdout: Vec<u8>, stderr: Vec<u8>) -> Self {
        Self { command, status, stdout, stderr }
    }

    /// Its exit code, 128 + N after signal N.
    pub fn exit_code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or_default())
    }

    /// What it wrote to its stdout, as text.
    pub fn stdout_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }

    /// What it wrote to its stderr, as text.
    pub fn stderr_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stderr)
    }

    /// Expects the exit code 0.
    #[track_caller]
    pub fn success(&self) -> &Self {
        self.code(0)
    }

    /// Expects this exit code, left with and not forced by a signal.
    #[track_caller]
    pub fn code(&self, expected: i32) -> &Self {
        assert!(self.status.code() == Some(expected), "expected exit code {expected} of {self}");
        self
    }

    /// Expects each of `parts` on stdout.
    #[track_caller]
    pub fn stdout_has(&self, parts: &[&str]) -> &Self {
        let text = self.stdout_text();
        for part in parts {
            assert!(text.contains(part), "expected `{part}` on stdout of {self}");
        }
        self
    }

    /// Expects each of `parts` on stderr.
    #[track_caller]
    pub fn stderr_has(&self, parts: &[&str]) -> &Self {
        let text = self.stderr_text();
        for part in parts {
            assert!(text.contains(part), "expected `{part}` on stderr of {self}");
        }
        self
    }

    /// Expects nothing on stdout.
    #[track_caller]
    pub fn no_stdout(&self) -> &Self {
        assert!(self.stdout.is_empty(), "expected nothing on stdout of {self}");
        self
    }

    /// Expects nothing on stderr.
    #[track_caller]
    pub fn no_stderr(&self) -> &Self {
        assert!(self.stderr.is_empty(), "expected nothing on stderr of {self}");
        self
    }

    /// Expects an error in the grammar of the house: one `error:` line in lower case without a final period, each of
    /// `parts` in it, and with this exit code; no stdout.
    #[track_caller]
    pub fn error(&self, code: i32, parts: &[&str]) -> &Self {
        self.code(code).no_stdout();
        let text = self.stderr_text();
        let line = text.lines().find_map(|line| line.strip_prefix("error: "));
        let Some(line) = line else { panic!("expected a line `error: …` of {self}") };
        for part in parts {
            assert!(line.contains(part), "expected `{part}` in the error of {self}");
        }
        let first = line.chars().next().unwrap_or('?');
        assert!(!first.is_uppercase() && !line.ends_with('.'), "expected another grammar of the error of {self}");
        assert!(!text.contains("panicked"), "expected no panic of {self}");
        self
    }

    /// Expects a line `hint: …` with each of `parts` in it.
    #[track_caller]
    pub fn hint(&self, parts: &[&str]) -> &Self {
        let text = self.stderr_text();
        let found = text.lines().filter_map(|line| line.strip_prefix("hint: "));
        let found = found.collect::<Vec<_>>().join("\n");
        assert!(!found.is_empty(), "expected a hint of {self}");
        for part in parts {
            assert!(found.contains(part), "expected `{part}` in a hint of {self}");
        }
        self
    }

    /// Expects one JSON document on stdout, and returns it.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("expected JSON ({error}) of {self}"))
    }

    /// Expects one JSON document a line on stdout, and returns them.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let lines = self.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let read =
            |line| serde_json::from_slice(line).unwrap_or_else(|error| panic!("expected JSON ({error}) of {self}"));
        lines.map(read).collect()
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, status, .. } = self;
        writeln!(f, "`{command}`\n{status}")?;
        writeln!(f, "--- stdout\n{}", shortened(&self.stdout_text()))?;
        write!(f, "--- stderr\n{}", shortened(&self.stderr_text()))
    }
}

/// The beginning of a long text: a flood of output helps nobody.
fn shortened(text: &str) -> Cow<'_, str> {
    const MOST: usize = 4000;
    match text.char_indices().nth(MOST) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}… ({} bytes)", &text[..end], text.len())),
    }
}
