//! The program `resume`: its arguments, its verbs, what it prints and how it ends.
//!
//! As a library it has one function, so that tests can build a twin of the program, and the exit codes.

#![forbid(unsafe_code)]

mod args;
mod args_acting;
mod args_looking;
mod bring_up;
mod command_line;
mod commands;
mod complete;
mod context;
mod env_file;
mod environment;
mod error;
pub mod exit_code;
mod manual;
mod new_service;
mod outcome;
mod overview;
mod parse;
mod parsers;
mod program;
mod progress;
mod reach;
mod render;
mod side_by_side;
mod start_failure;
mod targets;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode as ProcessExitCode;

use crate::args::Globals;
use crate::command_line::{Request, Verb};
use crate::context::{Context, say, say_aside};
use crate::error::{CliError, Result};
use crate::exit_code::ExitCode;
use crate::parse::{Parsed, parse};

/// Runs the program with the arguments of this process.
pub fn main() -> ProcessExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next();
    // A supervisor is many, and must not pay for what only a command needs: so this comes before all else.
    if first.as_deref() == Some(resume_supervisor::ARGUMENT.as_ref()) {
        return resume_supervisor::main(&arguments.collect::<Vec<_>>());
    }
    std::panic::set_hook(Box::new(|panic| {
        let mut stderr = std::io::stderr().lock();
        let _ =
            writeln!(stderr, "error: this is a bug in resume: {panic}\nhint: please report it, with the command line");
        std::process::exit(ExitCode::Bug.number().into());
    }));
    let arguments: Vec<OsString> = first.into_iter().chain(arguments).collect();
    // Errors of the command line itself come before its options are known.
    let plain = Context::before_options(&arguments);
    let code = match command_line::read(arguments).and_then(answer) {
        Ok(code) => code,
        Err(error) => {
            plain.report(&error);
            error.code.number()
        }
    };
    ProcessExitCode::from(code)
}

fn answer(request: Request) -> Result<u8> {
    match request {
        Request::Help { asked: true } => say(overview::TEXT.trim_end()).map(|()| ExitCode::Done.number()),
        Request::Help { asked: false } => {
            say_aside(overview::TEXT.trim_end());
            Ok(ExitCode::Usage.number())
        }
        Request::Version => {
            let version = format!("resume {}", env!("CARGO_PKG_VERSION"));
            say(&version).map(|()| ExitCode::Done.number())
        }
        Request::Complete(words) => complete::answer(&words).map(|()| ExitCode::Done.number()),
        Request::Verb(verb, arguments) => perform(verb, arguments),
    }
}

fn perform(verb: Verb, arguments: Vec<OsString>) -> Result<u8> {
    match verb {
        Verb::Run => with(arguments, |args: &args::RunArgs| &args.globals, commands::run::run),
        Verb::Start => with(arguments, |args: &args::StartArgs| &args.globals, number(commands::start::start)),
        Verb::Stop => with(arguments, |args: &args::StopArgs| &args.globals, number(commands::stop::stop)),
        Verb::Restart => with(arguments, |args: &args::RestartArgs| &args.globals, number(commands::restart::restart)),
        Verb::Delete => with(arguments, |args: &args::DeleteArgs| &args.globals, number(commands::delete::delete)),
        Verb::Ls => with(arguments, |args: &args::LsArgs| &args.globals, number(commands::ls::ls)),
        Verb::OriginalList => with(arguments, |args: &args::LsArgs| &args.globals, number(commands::ls::original_list)),
        Verb::Logs => with(arguments, |args: &args::LogsArgs| &args.globals, number(commands::logs::logs)),
        Verb::Signal => {
            with(arguments, |args: &args_acting::SignalArgs| &args.globals, number(commands::signal::signal))
        }
        Verb::Reset => with(arguments, |args: &args_acting::ResetArgs| &args.globals, number(commands::reset::reset)),
        Verb::Flush => with(arguments, |args: &args_acting::FlushArgs| &args.globals, number(commands::flush::flush)),
        Verb::Show => with(arguments, |args: &args_looking::ShowArgs| &args.globals, number(commands::show::show)),
        Verb::Why => with(arguments, |args: &args_looking::WhyArgs| &args.globals, number(commands::why::why)),
        Verb::Events => {
            with(arguments, |args: &args_looking::EventsArgs| &args.globals, number(commands::events::events))
        }
        Verb::Completions => {
            let command = number(commands::completions::completions);
            with(arguments, |args: &args_looking::CompletionsArgs| &args.globals, command)
        }
        Verb::Man => with(arguments, |args: &args_looking::ManArgs| &args.globals, number(commands::man::man)),
    }
}

/// Parses what a verb takes and performs it; an error from there on is printed as its options want it.
fn with<A: clap::Parser>(
    arguments: Vec<OsString>,
    globals: impl Fn(&A) -> &Globals,
    command: impl FnOnce(&Context, &A) -> Result<u8>,
) -> Result<u8> {
    let args = match parse::<A>(arguments)? {
        Parsed::Arguments(args) => args,
        Parsed::Help(text) => return say(text.trim_end()).map(|()| ExitCode::Done.number()),
    };
    let context = Context::new(globals(&args));
    command(&context, &args).or_else(|error: CliError| {
        context.report(&error);
        Ok(error.code.number())
    })
}

fn number<A>(command: impl FnOnce(&Context, &A) -> Result<ExitCode>) -> impl FnOnce(&Context, &A) -> Result<u8> {
    move |context, args| command(context, args).map(ExitCode::number)
}
