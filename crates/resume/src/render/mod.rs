//! How things look on the screen.

pub(crate) mod json;
pub(crate) mod listing;
pub(crate) mod present;
pub(crate) mod processes;
pub(crate) mod record;
pub(crate) mod show;
pub(crate) mod show_json;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod why;

use resume_core::status::StateWord;

/// Colours a text, or leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    pub(crate) fn new(on: bool) -> Self {
        Self { on }
    }

    pub(crate) fn red_bold(self, text: &str) -> String {
        self.with("1;31", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    pub(crate) fn cyan(self, text: &str) -> String {
        self.with("36", text)
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    /// Green is well, red is ill, yellow is on its way.
    pub(crate) fn state(self, state: StateWord, text: &str) -> String {
        match state {
            StateWord::Running => self.with("32", text),
            StateWord::Starting | StateWord::Stopping | StateWord::Backoff => self.yellow(text),
            StateWord::Failed | StateWord::Lost => self.red(text),
            StateWord::Exited | StateWord::Stopped => self.dim(text),
        }
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
