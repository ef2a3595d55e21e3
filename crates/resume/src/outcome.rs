//! What a verb came to, service by service.

use serde::Serialize;

use crate::context::Context;
use crate::error::{CliError, Result};
use crate::exit_code::ExitCode;

/// What was done to one service.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    /// The sentence for people.
    sentence: String,
    /// The same as one JSON object.
    json: String,
    /// What went wrong on the way and did not hinder it.
    warning: Option<String>,
}

impl Done {
    /// What was done, in words and as data.
    pub(crate) fn new(sentence: impl Into<String>, data: &impl Serialize) -> Self {
        let json = serde_json::to_string(data).expect("an answer has only string keys and finite numbers");
        Self { sentence: sentence.into(), json, warning: None }
    }

    #[must_use]
    pub(crate) fn warning(mut self, warning: Option<String>) -> Self {
        self.warning = warning.or(self.warning);
        self
    }
}

/// Prints the answer, then the failures, in order, and returns what they come to. A service that was passed over has
/// neither.
pub(crate) fn finish(context: &Context, outcomes: Vec<Result<Option<Done>>>) -> Result<ExitCode> {
    let (mut done, mut failures): (Vec<Done>, Vec<CliError>) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(outcome) => done.extend(outcome),
            Err(error) => failures.push(error),
        }
    }
    for warning in done.iter().filter_map(|done| done.warning.as_deref()) {
        context.warn(warning, None);
    }
    let said = say(context, &done);
    for failure in &failures {
        context.report(failure);
    }
    match said {
        // That nobody reads the answer hides no failure.
        Err(error) if failures.is_empty() => Err(error),
        Ok(()) | Err(_) => Ok(ExitCode::of_all(failures.iter().map(|failure| failure.code))),
    }
}

fn say(context: &Context, done: &[Done]) -> Result<()> {
    if context.json {
        let objects: Vec<_> = done.iter().map(|done| done.json.as_str()).collect();
        return crate::context::say(&format!("[{}]", objects.join(",")));
    }
    if context.quiet || done.is_empty() {
        return Ok(());
    }
    let sentences: Vec<_> = done.iter().map(|done| done.sentence.as_str()).collect();
    crate::context::say(&sentences.join("\n"))
}
