//! What could be typed next, for the completion of a shell.
//!
//! The scripts of [`crate::commands::completions`] only hand over the words of the line up to the cursor, so all shells
//! know the same. The answer is a line for each candidate, a tab and what it is; `:files` and `:directories` ask the shell
//! for its own. What cannot be found out is left out, silently: nobody wants an error on the line that they type.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};
use resume_client::discover::{Discovery, Service};
use resume_core::signal::Signal;

use crate::args::Globals;
use crate::command_line::{VERBS, Verb, original_flag, split_globals};
use crate::context::{Context, say};
use crate::error::Result;
use crate::parsers::{of_verb, summary};

/// The word by which the scripts call this. It is no verb: no person types it.
pub(crate) const ARGUMENT: &str = "internal-complete";

/// What the shell completes itself.
const FILES: &str = ":files";
const DIRECTORIES: &str = ":directories";

/// A candidate, and what it is.
type Candidate = (String, String);

/// Prints what the last word, which may be empty, can become; the others stand before it.
pub(crate) fn answer(words: &[OsString]) -> Result<()> {
    let words: &[OsString] = if words.first().is_some_and(|word| word == "--") { &words[1..] } else { words };
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let home = after(&words, "--home").map(Into::into);
    let services = || services(&Context::new(&Globals { home, ..Globals::default() }));
    let found = candidates(&words, services);
    if found.is_empty() {
        return Ok(());
    }
    let lines =
        found.iter().map(|(value, what)| if what.is_empty() { value.clone() } else { format!("{value}\t{what}") });
    say(&lines.collect::<Vec<_>>().join("\n"))
}

/// The value of an option, given as two words or as one.
fn after<'a>(words: &'a [String], option: &str) -> Option<&'a str> {
    let (_, before) = words.split_last()?;
    before.iter().enumerate().find_map(|(index, word)| match word.strip_prefix(option)? {
        "" => before.get(index + 1).map(String::as_str),
        joined => joined.strip_prefix('='),
    })
}

/// All services, or none where they cannot be found.
fn services(context: &Context) -> Vec<Service> {
    let services = context.home().ok().and_then(|home| home.open().ok().flatten());
    services.and_then(|services| Discovery::new(&services).all().ok()).unwrap_or_default()
}

fn candidates(words: &[String], services: impl FnOnce() -> Vec<Service>) -> Vec<Candidate> {
    let Some((current, before)) = words.split_last() else { return Vec::new() };
    let (globals, rest) = split_globals(before.iter().map(OsString::from).collect());
    let found = match rest.split_first() {
        None => first_word(current, globals.last().map(OsString::as_os_str)),
        Some((word, behind)) => {
            let word = word.to_string_lossy();
            let verb = VERBS.iter().find(|(name, _)| *name == word).map(|(_, verb)| *verb);
            let verb = verb.or_else(|| original_flag(&word).map(|(verb, _)| verb));
            let behind: Vec<String> = behind.iter().map(|word| word.to_string_lossy().into_owned()).collect();
            match verb {
                Some(verb) => behind_verb(verb, current, &behind, services),
                None if word == "help" => verbs(),
                None if word.starts_with('-') => Vec::new(),
                None => behind_verb(Verb::Run, current, &behind, services),
            }
        }
    };
    let fits = |value: &str| value.starts_with(current.as_str()) || value == FILES || value == DIRECTORIES;
    found.into_iter().filter(|(value, _)| fits(value)).collect()
}

fn first_word(current: &str, last: Option<&OsStr>) -> Vec<Candidate> {
    if last.is_some_and(|last| last == "--home") {
        return directories();
    }
    if last.is_some_and(|last| last == "--color") {
        return of_values(&["auto", "always", "never"]);
    }
    if current.starts_with('-') {
        let globals = options(&of_verb(Verb::Man));
        return globals.into_iter().chain([("--version".to_owned(), "The version".to_owned())]).collect();
    }
    // A program that is here can stand for `run`, but only a path says that it is one.
    if current.contains('/') || current.starts_with('.') { files() } else { verbs() }
}

fn verbs() -> Vec<Candidate> {
    let shown = VERBS.iter().filter(|(name, _)| !matches!(*name, "list" | "status"));
    shown.map(|(name, verb)| ((*name).to_owned(), summary(&of_verb(*verb)))).collect()
}

fn behind_verb(
    verb: Verb,
    current: &str,
    behind: &[String],
    services: impl FnOnce() -> Vec<Service>,
) -> Vec<Candidate> {
    let command = of_verb(verb);
    if behind.iter().any(|word| word == "--") {
        return files();
    }
    // `--option value` and `--option=value`.
    if let Some(option) = behind.last().and_then(|word| option_with_value(&command, word)) {
        return values(option, services);
    }
    if let Some((name, _)) = current.split_once('=')
        && let Some(option) = option_with_value(&command, name)
    {
        let joined = |(value, what): Candidate| match value.as_str() {
            FILES | DIRECTORIES => (value, what),
            _ => (format!("{name}={value}"), what),
        };
        return values(option, services).into_iter().map(joined).collect();
    }
    if current.starts_with('-') {
        return options(&command);
    }
    match verb {
        Verb::Run => files(),
        Verb::Start if current.contains('/') || current.starts_with('.') => files(),
        Verb::Start => selectors(current, &services()).into_iter().chain(files()).collect(),
        Verb::Signal if words_of(&command, behind) == 0 => {
            // The prefix need not be typed.
            let short = |(name, what): Candidate| Some((name.strip_prefix("SIG")?.to_owned(), what));
            let short = signals().into_iter().filter_map(short).filter(|_| !current.is_empty());
            signals().into_iter().chain(short).collect()
        }
        Verb::Completions => of_values(&["bash", "zsh", "fish"]),
        Verb::Man => Vec::new(),
        Verb::Stop
        | Verb::Restart
        | Verb::Delete
        | Verb::Ls
        | Verb::OriginalList
        | Verb::Logs
        | Verb::Signal
        | Verb::Reset
        | Verb::Flush
        | Verb::Show
        | Verb::Why
        | Verb::Events => selectors(current, &services()),
    }
}

/// How many of the words are neither options nor their values.
fn words_of(command: &Command, behind: &[String]) -> usize {
    let value = |index: usize| index > 0 && option_with_value(command, &behind[index - 1]).is_some();
    behind.iter().enumerate().filter(|(index, word)| !word.starts_with('-') && !value(*index)).count()
}

/// The option that a word is, if it takes a value.
fn option_with_value<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let is = |option: &&Arg| {
        let long = option.get_long().is_some_and(|long| word.strip_prefix("--") == Some(long));
        let short = option.get_short().is_some_and(|short| word.strip_prefix('-') == Some(short.to_string().as_str()));
        long || short
    };
    command.get_opts().find(is)
}

/// What the value of an option can be.
fn values(option: &Arg, services: impl FnOnce() -> Vec<Service>) -> Vec<Candidate> {
    let possible = option.get_possible_values();
    if !possible.is_empty() {
        return possible.iter().map(|value| (value.get_name().to_owned(), String::new())).collect();
    }
    match option.get_long().unwrap_or_default() {
        "home" | "cwd" => directories(),
        "env-file" => files(),
        "restart" => of_values(&["always", "on-failure", "never"]),
        "stream" => of_values(&["stdout", "stderr", "resume"]),
        "stop-signal" => signals(),
        "records" | "runs" => of_values(&["all"]),
        "group" => groups(&services()),
        _ => Vec::new(),
    }
}

fn options(command: &Command) -> Vec<Candidate> {
    let shown = command.get_arguments().filter(|option| !option.is_hide_set());
    let long = |option: &Arg| {
        let help = option.get_help().map(ToString::to_string).unwrap_or_default();
        Some((format!("--{}", option.get_long()?), help.lines().next().unwrap_or_default().to_owned()))
    };
    shown.filter_map(long).collect()
}

/// Names, `@GROUP`, `all`, and `name:N` of a name that is typed already, or of instances that are several.
fn selectors(current: &str, services: &[Service]) -> Vec<Candidate> {
    let mut found = Vec::new();
    for service in services {
        let (name, state) = (service.name.as_str(), service.state().as_str());
        found.push((name.to_owned(), state.to_owned()));
        if current.starts_with(&format!("{name}:")) {
            let instances = service.instances.iter();
            found.extend(instances.map(|it| (format!("{name}:{}", it.index), it.state.as_str().to_owned())));
        }
    }
    if services.is_empty() {
        return found;
    }
    found.extend(groups(services).into_iter().map(|(group, what)| (format!("@{group}"), what)));
    found.push(("all".to_owned(), "all services".to_owned()));
    found
}

fn groups(services: &[Service]) -> Vec<Candidate> {
    let mut groups: Vec<&str> = services.iter().filter_map(|service| service.group.as_deref()).collect();
    groups.sort_unstable();
    groups.dedup();
    groups.into_iter().map(|group| (group.to_owned(), "a group".to_owned())).collect()
}

fn signals() -> Vec<Candidate> {
    (1..=31).filter_map(Signal::from_number).map(|signal| (signal.to_string(), String::new())).collect()
}

fn files() -> Vec<Candidate> {
    vec![(FILES.to_owned(), String::new())]
}

fn directories() -> Vec<Candidate> {
    vec![(DIRECTORIES.to_owned(), String::new())]
}

fn of_values(values: &[&str]) -> Vec<Candidate> {
    values.iter().map(|value| ((*value).to_owned(), String::new())).collect()
}

#[cfg(test)]
mod tests {
    use resume_core::status::StateWord;

    use super::*;
    use crate::render::present::tests::{instance, service};

    #[track_caller]
    fn check(words: &[&str], expected: &[&str]) {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let mut second = instance(StateWord::Running);
        second.index = 1;
        let found = candidates(&words, || vec![service(vec![instance(StateWord::Running), second])]);
        let found: Vec<&str> = found.iter().map(|(value, _)| value.as_str()).collect();
        assert_eq!(found, expected, "{words:?}");
    }

    #[test]
    fn the_first_word_is_a_verb_a_global_option_or_a_path() {
        check(&["re"], &["restart", "reset"]);
        check(&["--json", "--home", "/h", "sho"], &["show"]);
        check(&["--qu"], &["--quiet"]);
        check(&["./x"], &[FILES]);
        check(&["--home", ""], &[DIRECTORIES]);
        check(&["--color", "a"], &["auto", "always"]);
        check(&[], &[]);
    }

    #[test]
    fn services_are_named_with_their_groups_and_instances() {
        check(&["stop", ""], &["web", "@front", "all"]);
        check(&["stop", "web", "@"], &["@front"]);
        check(&["show", "web:"], &["web:0", "web:1"]);
        check(&["-s", "w"], &["web"]);
        check(&["start", "w"], &["web", FILES]);
        check(&["start", "--group", ""], &["front"]);
    }

    #[test]
    fn options_and_their_values_are_those_of_the_verb() {
        check(&["ls", "--wa"], &["--watch"]);
        check(&["start", "--restart", ""], &["always", "on-failure", "never"]);
        check(&["start", "--restart=o"], &["--restart=on-failure"]);
        check(&["logs", "--output", "r"], &["raw"]);
        check(&["logs", "-n", ""], &["all"]);
        check(&["signal", "SIGU"], &["SIGUSR1", "SIGUSR2", "SIGURG"]);
        check(&["signal", "HU"], &["HUP"]);
        check(&["signal", "HUP", "w"], &["web"]);
        check(&["completions", "z"], &["zsh"]);
        check(&["help", "fl"], &["flush"]);
    }

    #[test]
    fn programs_are_files() {
        check(&["run", ""], &[FILES]);
        check(&["start", "--", "./x", "--wa"], &[FILES]);
        check(&["start", "--cwd", "/t"], &[DIRECTORIES]);
        check(&["./x", "a"], &[FILES]);
    }
}
