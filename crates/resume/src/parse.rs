//! From words to the arguments of a verb, and from the parser's errors to ours.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command, Parser};
use resume_client::selector::nearest;

use crate::error::{CliError, Result};

/// What a verb's words come to.
pub(crate) enum Parsed<A> {
    Arguments(A),
    /// The text of `--help`.
    Help(String),
}

/// Parses the words behind a verb.
pub(crate) fn parse<A: Parser>(words: Vec<OsString>) -> Result<Parsed<A>> {
    let mut command = with_help(A::command());
    // The parser takes the first word for the program's name.
    let words = std::iter::once(OsString::from(command.get_name())).chain(words);
    let matches = command.try_get_matches_from_mut(words);
    match matches.and_then(|mut matches| A::from_arg_matches_mut(&mut matches)) {
        Ok(arguments) => Ok(Parsed::Arguments(arguments)),
        Err(error) if error.kind() == ErrorKind::DisplayHelp => Ok(Parsed::Help(error.to_string())),
        Err(error) => Err(usage_error(&error, &command)),
    }
}

/// The parser of a verb with the option that every verb has.
pub(crate) fn with_help(command: Command) -> Command {
    let help = Arg::new("help").long("help").short('h').help("This text").help_heading("Global options");
    // The short form of the help even for the long option: one line an option reads better than three.
    command.disable_help_flag(true).arg(help.action(ArgAction::HelpShort))
}

fn usage_error(error: &clap::Error, command: &Command) -> CliError {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        Some(ContextValue::Strings(texts)) => texts.first().map_or("", String::as_str),
        _ => "",
    };
    let (argument, value) = (text(ContextKind::InvalidArg), text(ContextKind::InvalidValue));
    let option = argument.split(' ').next().unwrap_or_default();
    let help = format!("`{} --help` lists the options", command.get_name());
    match error.kind() {
        ErrorKind::UnknownArgument => unknown_option(argument, command),
        ErrorKind::InvalidValue if value.is_empty() => CliError::usage(format!("`{option}` needs a value")).hint(help),
        ErrorKind::InvalidValue => {
            let known = expected(error);
            CliError::usage(format!("unknown value `{value}` for `{option}`, expected {known}"))
        }
        ErrorKind::ValueValidation => {
            let why = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            CliError::usage(format!("`{option} {value}`: {why}"))
        }
        ErrorKind::MissingRequiredArgument => {
            CliError::usage(format!("`{}` needs to know which service", command.get_name())).hint(
                "give a name, a pid, a pattern such as 'web-*', `@GROUP` or `all`; `resume ls` lists the services",
            )
        }
        ErrorKind::ArgumentConflict => {
            let prior = text(ContextKind::PriorArg).split(' ').next().unwrap_or_default();
            if prior == option || prior.is_empty() {
                CliError::usage(format!("`{option}` is given more than once"))
            } else {
                CliError::usage(format!("`{option}` and `{prior}` cannot go together"))
            }
        }
        ErrorKind::InvalidUtf8 => CliError::usage("an argument is not valid UTF-8 where only text can be"),
        _ => {
            let rendered = error.to_string();
            let first = rendered.lines().next().unwrap_or_default();
            CliError::usage(first.trim_start_matches("error: ").replace('\'', "`")).hint(help)
        }
    }
}

fn unknown_option(argument: &str, command: &Command) -> CliError {
    let option = argument.split('=').next().unwrap_or_default();
    let error = CliError::usage(format!("unknown option `{option}`"));
    let longs = command.get_opts().filter_map(clap::Arg::get_long).map(|long| format!("--{long}"));
    let longs: Vec<_> = longs.collect();
    let error = match nearest(option, longs.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error,
    };
    if takes_program(command) {
        let verb = command.get_name();
        return error.hint(format!("an option of the program's own stands behind `--`: `{verb} -- PROGRAM {option}`"));
    }
    if error.hints.is_empty() {
        return error.hint(format!("`{} --help` lists the options", command.get_name()));
    }
    error
}

/// Whether the verb starts programs, whose options may be taken for ours.
fn takes_program(command: &Command) -> bool {
    command.get_positionals().any(clap::Arg::is_last_set)
}

/// The values that there are, in words.
fn expected(error: &clap::Error) -> String {
    let values = match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) => values.as_slice(),
        _ => &[],
    };
    let quoted: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => "another".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::args::{DeleteArgs, LogsArgs, LsArgs, RestartArgs, RunArgs, StartArgs, StopArgs};

    fn arguments<A: Parser>(words: &[&str]) -> A {
        match parse(words.iter().map(OsString::from).collect()) {
            Ok(Parsed::Arguments(arguments)) => arguments,
            Ok(Parsed::Help(_)) => panic!("help"),
            Err(error) => panic!("{error:?}"),
        }
    }

    fn refused<A: Parser>(words: &[&str]) -> String {
        let Err(error) = parse::<A>(words.iter().map(OsString::from).collect()) else { panic!("{words:?} was taken") };
        assert_eq!(error.code, crate::exit_code::ExitCode::Usage);
        std::iter::once(error.message).chain(error.hints).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn the_parsers_are_consistent() {
        RunArgs::command().debug_assert();
        StartArgs::command().debug_assert();
        StopArgs::command().debug_assert();
        RestartArgs::command().debug_assert();
        DeleteArgs::command().debug_assert();
        LsArgs::command().debug_assert();
        LogsArgs::command().debug_assert();
    }

    #[test]
    fn our_options_stand_on_both_sides_of_the_program_up_to_the_dashes() {
        let args: StartArgs = arguments(&["--name", "web", "./x", "a", "--env", "A=1", "--", "--name", "y"]);
        assert_eq!(args.words, ["./x", "a"]);
        assert_eq!(args.rest, ["--name", "y"]);
        assert_eq!(args.service.name.unwrap().as_str(), "web");
        assert_eq!(args.service.env, ["A=1"]);
    }

    #[test]
    fn an_unknown_option_points_at_the_dashes_and_at_the_nearest_option() {
        assert_eq!(
            refused::<StartArgs>(&["./x", "--port", "3000"]),
            "unknown option `--port` | an option of the program's own stands behind `--`: `resume start -- PROGRAM --port`"
        );
        assert_eq!(
            refused::<RunArgs>(&["--nmae=web", "./x"]),
            "unknown option `--nmae` | did you mean `--name`? | an option of the program's own stands behind `--`: `resume \
             run -- PROGRAM --nmae`"
        );
        assert_eq!(refused::<StopArgs>(&["-x", "web"]), "unknown option `-x` | `resume stop --help` lists the options");
    }

    #[test]
    fn a_wrong_value_is_named_with_its_option_and_what_is_expected() {
        for (words, message) in [
            (["--stop-signal", "nope"], "`--stop-signal nope`: unknown signal `nope`"),
            (
                ["--restart", "alway"],
                "`--restart alway`: unknown restart policy `alway`, expected `never`, `on-failure` or `always`",
            ),
            (["--min-uptime", "5"], "`--min-uptime 5`: "),
            (["--name", "a/b"], "`--name a/b`: a service name holds only letters, digits, `.`, `_` and `-`, not '/'"),
            (["--name", "all"], "`--name all`: a service cannot be named `all`"),
            (["--instances", "0"], "`--instances 0`: 0 is not in 1..=1000"),
            (["--backoff", "2s..1s"], "`--backoff 2s..1s`: "),
            (["--log-max-size", "1Q"], "`--log-max-size 1Q`: "),
            (["--interpreter", "a 'b"], "`--interpreter a 'b`: missing closing quote"),
            (["--color", "maybe"], "unknown value `maybe` for `--color`, expected `auto`, `always` or `never`"),
        ] {
            let refused = refused::<StartArgs>(&[words[0], words[1], "./x"]);
            assert!(refused.starts_with(message), "{refused}");
        }
    }

    #[test]
    fn what_is_missing_or_does_not_go_together_is_named() {
        assert!(refused::<StopArgs>(&[]).starts_with("`resume stop` needs to know which service | give a name"));
        assert_eq!(
            refused::<StartArgs>(&["--name"]),
            "`--name` needs a value | `resume start --help` lists the options"
        );
        assert_eq!(
            refused::<StartArgs>(&["--wait", "1s", "--no-wait", "x"]),
            "`--wait` and `--no-wait` cannot go together"
        );
        assert_eq!(refused::<StartArgs>(&["--name", "a", "--name", "b"]), "`--name` is given more than once");
    }

    #[test]
    fn a_number_of_records_may_be_all_and_a_run_may_be_negative() {
        let args: LogsArgs = arguments(&["-n", "all", "--run", "-1", "web"]);
        assert_eq!(args.records, Some(crate::args::RecordCount::All));
        assert_eq!(args.run, Some(-1));
        assert!(refused::<LogsArgs>(&["-n", "x"]).contains("expected a number or `all`"));
    }

    #[test]
    fn every_help_has_a_usage_and_fits_the_page() {
        let Ok(Parsed::Help(help)) = parse::<StartArgs>(vec!["--help".into()]) else { panic!("no help") };
        assert!(help.contains("Usage: resume start [OPTIONS] [--] PROGRAM [ARGS…]"), "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 120), "{help}");
    }
}
