//! Which verb it is, and what is said if it is none.
//!
//! The first word decides, before any parser of options is built:
//!
//! 1. a verb, or one of the original tool's flags, which each stand for one;
//! 2. a word that is kept for a verb to come: never taken for a program;
//! 3. a program, if it holds a `/` or is an existing file: `resume ./x` is `resume run ./x`;
//! 4. else a typing error.
//!
//! Global options may stand before it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use resume_client::selector::nearest;

use crate::complete;
use crate::error::{CliError, Result};

/// A verb that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Run,
    Start,
    Stop,
    Restart,
    Delete,
    Ls,
    /// `ls` in the columns of the original tool.
    OriginalList,
    Logs,
    Signal,
    Reset,
    Flush,
    Show,
    Why,
    Events,
    Completions,
    Man,
}

/// What the whole command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// A verb with its arguments, global options first.
    Verb(Verb, Vec<OsString>),
    /// The overview; on stdout if it was asked for.
    Help {
        asked: bool,
    },
    Version,
    /// What could be typed next; the words so far.
    Complete(Vec<OsString>),
}

/// The verbs by their names.
pub(crate) const VERBS: [(&str, Verb); 17] = [
    ("run", Verb::Run),
    ("start", Verb::Start),
    ("stop", Verb::Stop),
    ("restart", Verb::Restart),
    ("delete", Verb::Delete),
    ("ls", Verb::Ls),
    ("list", Verb::Ls),
    ("status", Verb::Ls),
    ("logs", Verb::Logs),
    ("signal", Verb::Signal),
    ("reset", Verb::Reset),
    ("flush", Verb::Flush),
    ("show", Verb::Show),
    ("why", Verb::Why),
    ("events", Verb::Events),
    ("completions", Verb::Completions),
    ("man", Verb::Man),
];

/// Words that are, or may become, verbs. A program of such a name needs `run`.
const KEPT: [&str; 26] = [
    "reload",
    "scale",
    "top",
    "watch",
    "kill",
    "attach",
    "set",
    "exec",
    "web",
    "deploy",
    "adopt",
    "doctor",
    "save",
    "env",
    "upgrade",
    "resurrect",
    "startup",
    "unstartup",
    "keeper",
    "check",
    "plan",
    "up",
    "down",
    "import",
    "init",
    "schema",
];

/// Reads the arguments behind the program's own name.
pub(crate) fn read(arguments: Vec<OsString>) -> Result<Request> {
    let (mut globals, mut rest) = split_globals(arguments);
    if rest.is_empty() {
        return Ok(Request::Help { asked: false });
    }
    let first = rest.remove(0);
    let word = first.to_str().unwrap_or_default();
    match word {
        "-h" | "--help" => return Ok(Request::Help { asked: true }),
        "-V" | "--version" => return Ok(Request::Version),
        "help" => return help(rest),
        complete::ARGUMENT => return Ok(Request::Complete(rest)),
        _ => (),
    }
    let verb = if let Some((_, verb)) = VERBS.iter().find(|(name, _)| *name == word) {
        *verb
    } else if let Some((verb, more)) = original_flag(word) {
        rest.extend(more.iter().map(OsString::from));
        verb
    } else if KEPT.contains(&word) {
        return Err(kept(word));
    } else if is_program(&first) {
        rest.insert(0, first);
        Verb::Run
    } else {
        return Err(unknown(&first, &rest));
    };
    globals.append(&mut rest);
    Ok(Request::Verb(verb, globals))
}

/// The global options at the front, and the rest.
pub(crate) fn split_globals(arguments: Vec<OsString>) -> (Vec<OsString>, Vec<OsString>) {
    let mut length = 0;
    while let Some(argument) = arguments.get(length).and_then(|argument| argument.to_str()) {
        length += match argument {
            "--json" | "--quiet" | "-q" => 1,
            "--home" | "--color" => 2,
            _ if argument.starts_with("--home=") || argument.starts_with("--color=") => 1,
            _ => break,
        };
    }
    let mut globals = arguments;
    let rest = globals.split_off(length.min(globals.len()));
    (globals, rest)
}

/// The verb that a flag of the original tool stands for, and what comes behind the user's words.
pub(crate) fn original_flag(word: &str) -> Option<(Verb, &'static [&'static str])> {
    match word {
        "-r" => Some((Verb::Run, &[])),
        "-l" => Some((Verb::OriginalList, &[])),
        "-R" => Some((Verb::Restart, &[])),
        "-s" => Some((Verb::Stop, &[])),
        "-L" => Some((Verb::Logs, &["--records=all"])),
        _ => None,
    }
}

/// `help VERB` is `VERB --help`.
fn help(rest: Vec<OsString>) -> Result<Request> {
    let Some(word) = rest.into_iter().next() else { return Ok(Request::Help { asked: true }) };
    match VERBS.iter().find(|(name, _)| word == *name) {
        Some((_, verb)) => Ok(Request::Verb(*verb, vec!["--help".into()])),
        None if KEPT.iter().any(|kept| word == *kept) => Err(kept(&word.to_string_lossy())),
        None => Err(no_verb(&word.to_string_lossy())),
    }
}

/// Whether a bare word is a program: one of `PATH` needs `run`, for it could be a typing error.
fn is_program(word: &OsStr) -> bool {
    let option = word.as_bytes().starts_with(b"-");
    !option && (word.as_bytes().contains(&b'/') || Path::new(word).is_file())
}

fn kept(word: &str) -> CliError {
    CliError::usage(format!("`{word}` is kept for a later version"))
        .hint(format!("a program of this name is started with `resume run {word}` or `resume ./{word}`"))
}

fn no_verb(word: &str) -> CliError {
    let error = CliError::usage(format!("there is no verb `{word}`"));
    match nearest(word, VERBS.iter().map(|(name, _)| *name)) {
        Some(verb) => error.hint(format!("did you mean `resume {verb}`?")),
        None => error.hint("`resume --help` lists the verbs"),
    }
}

fn unknown(word: &OsStr, rest: &[OsString]) -> CliError {
    let text = word.to_string_lossy();
    if text.starts_with('-') {
        let error = CliError::usage(format!("unknown option `{text}`"));
        return error.hint("an option of a verb stands behind it; `resume --help` lists the verbs");
    }
    let on_path = std::env::current_dir()
        .is_ok_and(|cwd| resume_sys::spawn::resolve_program(word, std::env::var_os("PATH").as_deref(), &cwd).is_ok());
    let error = no_verb(&text);
    if on_path {
        let command = std::iter::once(word).chain(rest.iter().map(OsString::as_os_str));
        let command: Vec<_> = command.map(OsStr::to_string_lossy).collect();
        return CliError { hints: vec![], ..error }
            .hint(format!("to run the program of this name: `resume run -- {}`", shell_words::join(command)));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_words(words: &[&str]) -> Result<Request> {
        read(words.iter().map(OsString::from).collect())
    }

    #[track_caller]
    fn check(words: &[&str], verb: Verb, arguments: &[&str]) {
        let arguments = arguments.iter().map(OsString::from).collect();
        assert_eq!(read_words(words), Ok(Request::Verb(verb, arguments)));
    }

    fn refused(words: &[&str]) -> (String, String) {
        let error = read_words(words).unwrap_err();
        assert_eq!(error.code, crate::exit_code::ExitCode::Usage);
        (error.message, error.hints.join("; "))
    }

    #[test]
    fn global_options_may_stand_before_the_verb() {
        let line = ["--home", "/h", "--json", "-q", "--color=never", "ls", "--wide"];
        check(&line, Verb::Ls, &["--home", "/h", "--json", "-q", "--color=never", "--wide"]);
        assert_eq!(read_words(&["--json"]), Ok(Request::Help { asked: false }));
        assert_eq!(read_words(&["--home"]), Ok(Request::Help { asked: false }));
    }

    #[test]
    fn the_original_flags_stand_for_verbs() {
        check(&["-r", "a.js", "x"], Verb::Run, &["a.js", "x"]);
        check(&["-l"], Verb::OriginalList, &[]);
        check(&["-R", "12"], Verb::Restart, &["12"]);
        check(&["-s", "12"], Verb::Stop, &["12"]);
        check(&["-L", "12"], Verb::Logs, &["12", "--records=all"]);
        assert_eq!(read_words(&["-h"]), Ok(Request::Help { asked: true }));
        assert_eq!(read_words(&["-V"]), Ok(Request::Version));
    }

    #[test]
    fn a_word_with_a_slash_or_of_a_file_is_a_program() {
        check(&["./x", "a"], Verb::Run, &["./x", "a"]);
        check(&["--json", "/bin/true"], Verb::Run, &["--json", "/bin/true"]);
        // The tests run in the folder of this package.
        check(&["Cargo.toml"], Verb::Run, &["Cargo.toml"]);
        assert!(read_words(&["src"]).is_err());
    }

    #[test]
    fn words_kept_for_later_are_never_programs() {
        for word in KEPT {
            let (message, hint) = refused(&[word]);
            assert_eq!(message, format!("`{word}` is kept for a later version"));
            assert!(hint.contains(&format!("resume run {word}")), "{hint}");
        }
    }

    #[test]
    fn a_typing_error_names_the_nearest_verb_or_the_program() {
        assert_eq!(
            refused(&["strat", "web"]),
            ("there is no verb `strat`".into(), "did you mean `resume start`?".into())
        );
        assert_eq!(refused(&["qqqqqq"]).1, "`resume --help` lists the verbs");
        assert_eq!(refused(&["sh", "-c", "a b"]).1, "to run the program of this name: `resume run -- sh -c 'a b'`");
        assert_eq!(refused(&["--prot"]).0, "unknown option `--prot`");
    }

    #[test]
    fn help_for_a_verb_is_the_verbs_own() {
        check(&["help", "start"], Verb::Start, &["--help"]);
        assert_eq!(read_words(&["help"]), Ok(Request::Help { asked: true }));
        assert_eq!(refused(&["help", "top"]).0, "`top` is kept for a later version");
        assert_eq!(refused(&["help", "x"]).0, "there is no verb `x`");
    }
}
