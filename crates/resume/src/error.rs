//! What the program says when something fails.

use std::io;

use resume_client::home::{HomeError, describe};
use resume_client::launch::LaunchError;
use resume_client::offline::OfflineError;
use resume_client::selector::InvalidGlob;
use serde::Serialize;

use crate::exit_code::ExitCode;
use crate::render::text::harmless;

/// A failure: what failed on which thing and why, what belongs to it, and what to try next.
///
/// Messages are lower case without a final period, names stand in backticks, causes are joined by `: `.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CliError {
    /// The code to end with.
    pub(crate) code: ExitCode,
    /// What failed.
    pub(crate) message: String,
    /// Lines that belong to it: the last words of a program.
    pub(crate) details: Vec<String>,
    /// What to try next.
    pub(crate) hints: Vec<String>,
    /// Whether the reader of our output went away: then there is nobody to tell, and nothing went wrong.
    pub(crate) unheard: bool,
}

pub(crate) type Result<T> = std::result::Result<T, CliError>;

impl CliError {
    pub(crate) fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Vec::new(), hints: Vec::new(), unheard: false }
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Failed, message)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, message)
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    #[must_use]
    pub(crate) fn details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }

    /// Says first what it was all for.
    #[must_use]
    pub(crate) fn while_(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// A failure to write to stdout. A reader that went away has all that it wanted.
    pub(crate) fn output(error: &io::Error) -> Self {
        let unheard = error.kind() == io::ErrorKind::BrokenPipe;
        let code = if unheard { ExitCode::Done } else { ExitCode::Failed };
        Self { unheard, ..Self::new(code, format!("writing to the standard output: {}", describe(error))) }
    }

    /// The text for people.
    pub(crate) fn to_text(&self, paint: crate::render::Paint) -> String {
        use std::fmt::Write as _;
        // Names and paths in it come from outside.
        let mut text = format!("{}: {}\n", paint.red_bold("error"), harmless(&self.message));
        for line in &self.details {
            let _ = writeln!(text, "  {}", harmless(line));
        }
        for hint in &self.hints {
            let _ = writeln!(text, "{}: {}", paint.cyan("hint"), harmless(hint));
        }
        text
    }

    /// The same fields as data, in one line.
    pub(crate) fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Out<'a> {
            error: Fields<'a>,
        }
        #[derive(Serialize)]
        struct Fields<'a> {
            kind: &'a str,
            code: u8,
            message: &'a str,
            #[serde(skip_serializing_if = "<[String]>::is_empty")]
            details: &'a [String],
            hints: &'a [String],
        }
        let Self { code, message, details, hints, .. } = self;
        let error = Fields { kind: code.word(), code: code.number(), message, details, hints };
        serde_json::to_string(&Out { error }).expect("an error has only strings and numbers")
    }
}

impl From<HomeError> for CliError {
    fn from(error: HomeError) -> Self {
        let elsewhere = "choose another place with `--home DIR` or `RESUME_HOME`";
        let hint = match &error {
            HomeError::NoAccount { .. } | HomeError::Account { .. } => {
                "name a home with `--home DIR` or `RESUME_HOME`".into()
            }
            HomeError::Relative { .. } | HomeError::Become { .. } | HomeError::Directory { .. } => elsewhere.to_owned(),
            HomeError::Symlink { path } => match path.canonicalize() {
                Ok(target) => format!("name the place itself: `--home {}`", target.display()),
                Err(_) => elsewhere.to_owned(),
            },
            HomeError::NoDirectory { path } => format!("remove `{}`, or {elsewhere}", path.display()),
            HomeError::WritableByOthers { path, .. } => {
                format!("whoever can write it could run programs as you; `chmod go-w {}` closes it", path.display())
            }
            HomeError::Foreign { .. } => format!("run as that user, or {elsewhere}"),
        };
        Self::failed(error.to_string()).hint(hint)
    }
}

impl From<OfflineError> for CliError {
    fn from(error: OfflineError) -> Self {
        match &error {
            OfflineError::NoSuchService(_) => Self::new(ExitCode::NoSuchService, error.to_string()),
            OfflineError::Exists(_) => Self::new(ExitCode::WrongState, error.to_string()),
            OfflineError::Spec { path, .. } => Self::failed(error.to_string())
                .hint(format!("mend `{}`, or forget the service with `resume delete`", path.display())),
            OfflineError::File { .. } => Self::failed(error.to_string()),
        }
    }
}

impl From<LaunchError> for CliError {
    fn from(error: LaunchError) -> Self {
        Self::failed(error.to_string())
    }
}

impl From<InvalidGlob> for CliError {
    fn from(error: InvalidGlob) -> Self {
        Self::usage(error.to_string())
            .hint("a pattern has `*`, `?` and `[…]`; quote it so that the shell leaves it alone")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Paint;

    #[test]
    fn an_error_has_its_message_then_its_details_then_its_hints() {
        let error = CliError::failed("x").while_("cannot start `web`").details(vec!["boom".into()]).hint("try y");
        assert_eq!(error.to_text(Paint::new(false)), "error: cannot start `web`: x\n  boom\nhint: try y\n");
        assert_eq!(
            error.to_json(),
            r#"{"error":{"kind":"failed","code":1,"message":"cannot start `web`: x","details":["boom"],"hints":["try y"]}}"#
        );
    }
}
