//! What every verb needs: the global options, and where to print.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use resume_client::discover::Service;
use resume_client::home::{Home, Sources};

use crate::args::{Color, Globals};
use crate::error::{CliError, Result};
use crate::progress;
use crate::render::Paint;
use crate::render::text::harmless;

/// The width of a terminal that does not tell its own.
const DEFAULT_WIDTH: usize = 80;

/// The global options, understood.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    globals: Globals,
    /// Whether the answer is data.
    pub(crate) json: bool,
    /// Whether to print only what was asked for.
    pub(crate) quiet: bool,
    /// Colours for stdout.
    pub(crate) paint: Paint,
    paint_errors: Paint,
}

impl Context {
    pub(crate) fn new(globals: &Globals) -> Self {
        let paint = |terminal: bool| match globals.color {
            Some(Color::Always) => Paint::new(true),
            Some(Color::Never) => Paint::new(false),
            Some(Color::Auto) | None => Paint::new(terminal && wants_colour()),
        };
        Self {
            globals: globals.clone(),
            json: globals.json,
            quiet: globals.quiet,
            paint: paint(io::stdout().is_terminal()),
            paint_errors: paint(io::stderr().is_terminal()),
        }
    }

    /// For errors of the command line itself: only that data is wanted can be guessed, up to the first `--`.
    pub(crate) fn before_options(arguments: &[OsString]) -> Self {
        let json = arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json");
        Self::new(&Globals { json, ..Globals::default() })
    }

    /// The home that the options or the environment name.
    pub(crate) fn home(&self) -> Result<Home> {
        Ok(Home::locate(Sources::from_environment(self.globals.home.clone()))?)
    }

    /// Prints a remark that nothing depends on.
    pub(crate) fn remark(&self, text: &str) {
        if !self.quiet && !self.json {
            say_aside(text);
        }
    }

    /// Prints what is wrong and did not hinder the verb, as data if that is wanted.
    pub(crate) fn warn(&self, message: &str, hint: Option<&str>) {
        if self.json {
            let warning = serde_json::json!({ "warning": { "message": message, "hint": hint } });
            return say_aside(&warning.to_string());
        }
        let mut text = format!("{}: {}", self.paint_errors.yellow("warning"), harmless(message));
        if let Some(hint) = hint {
            text = format!("{text}\n{}: {}", self.paint_errors.cyan("hint"), harmless(hint));
        }
        say_aside(&text);
    }

    /// Prints what does not fit together about a service.
    pub(crate) fn warn_of(&self, service: &Service) {
        for problem in &service.problems {
            self.warn(&problem.message, Some(&problem.hint));
        }
    }

    /// Prints a failure, as data if that is wanted.
    pub(crate) fn report(&self, error: &CliError) {
        if error.unheard {
            return;
        }
        if self.json {
            say_aside(&error.to_json());
        } else {
            say_aside(error.to_text(self.paint_errors).trim_end());
        }
    }
}

/// How many columns a table may have; no limit where it goes into a pipe or a file.
pub(crate) fn screen_width() -> Option<usize> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let of_terminal = resume_sys::process::terminal_width(stdout.as_fd()).filter(|width| *width > 0);
    let from_environment = || std::env::var("COLUMNS").ok()?.parse().ok().filter(|width| *width > 0);
    Some(of_terminal.map(usize::from).or_else(from_environment).unwrap_or(DEFAULT_WIDTH))
}

/// Prints a part of the answer, and a line feed.
pub(crate) fn say(text: &str) -> Result<()> {
    // In one piece: whoever reads along sees no half of an answer.
    let text = [text, "\n"].concat();
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes());
    written.and_then(|()| stdout.flush()).map_err(|error| CliError::output(&error))
}

/// Prints to stderr what is not the answer. If nobody reads that, nothing is lost.
pub(crate) fn say_aside(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all([progress::take_back(), text, "\n"].concat().as_bytes());
}

/// What <https://no-color.org> asks for, and terminals that cannot.
fn wants_colour() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
