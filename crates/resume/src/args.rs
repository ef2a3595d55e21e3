//! What can be typed, verb by verb.
//!
//! Each verb is a parser of its own, so that `ls` need not build what `start` can be told. [`crate::command_line`]
//! decides which one it is.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};
use resume_core::name::ServiceName;
use resume_core::signal::Signal;
use resume_core::spec::{MAX_INSTANCES, RestartOn};
use resume_core::units;
use resume_logstore::RecordStream;

/// What every verb takes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// Where services are kept [default: RESUME_HOME, else $XDG_STATE_HOME/resume, else ~/.local/state/resume]
    #[arg(long, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Answer with one JSON document, or one object a line for streams; errors too
    #[arg(long)]
    pub(crate) json: bool,
    /// Say nothing but what was asked for, and what is wrong
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Whether to colour: `auto` is on a terminal and without NO_COLOR, else `always` or `never` [default: auto]
    #[arg(long, value_name = "WHEN", hide_possible_values = true)]
    pub(crate) color: Option<Color>,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

/// What describes a service.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "The service")]
pub(crate) struct ServiceOptions {
    /// What to call it [default: the program's name, without its ending]
    #[arg(long, value_name = "NAME", value_parser = ServiceName::new)]
    pub(crate) name: Option<ServiceName>,
    /// Take the name of a service that is there already: stop that one and put this in its place
    #[arg(long)]
    pub(crate) replace: bool,
    /// Where it runs [default: the current directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) cwd: Option<PathBuf>,
    /// A variable of its environment, on top of the present one; can be given several times
    #[arg(long = "env", value_name = "NAME=VALUE")]
    pub(crate) env: Vec<OsString>,
    /// A file of NAME=VALUE lines for its environment; can be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Vec<PathBuf>,
    /// The group that `@GROUP` selects
    #[arg(long, value_parser = group_name)]
    pub(crate) group: Option<String>,
    /// How many copies run; each finds its number in RESUME_INSTANCE [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_INSTANCES)))]
    pub(crate) instances: Option<u32>,
    /// What runs the program, as in `--interpreter "node --inspect"` [default: by its ending, unless it is executable]
    #[arg(long, value_name = "COMMAND", value_parser = interpreter)]
    pub(crate) interpreter: Option<Interpreter>,
    /// When to start it again: `always`, `on-failure` or `never` [default: always]
    #[arg(long, value_name = "WHEN", value_parser = restart_on, help_heading = "Restarting and stopping")]
    pub(crate) restart: Option<RestartOn>,
    /// An exit code that is no failure; can be given several times [default: 0]
    #[arg(long = "success-code", value_name = "N", help_heading = "Restarting and stopping")]
    pub(crate) success_codes: Vec<u8>,
    /// After how many short runs in a row to give up; 0 is never [default: 16]
    #[arg(long, value_name = "N", help_heading = "Restarting and stopping")]
    pub(crate) max_restarts: Option<u32>,
    /// A run that ends sooner is a short one [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = units::parse_duration, help_heading = "Restarting and stopping")]
    pub(crate) min_uptime: Option<Duration>,
    /// The pause after short runs: it doubles from MIN to MAX [default: 100ms..30s]
    #[arg(long, value_name = "MIN..MAX", value_parser = units::parse_range, help_heading = "Restarting and stopping")]
    pub(crate) backoff: Option<(Duration, Duration)>,
    /// The signal that asks it to end [default: SIGTERM]
    #[arg(long, value_name = "SIGNAL", help_heading = "Restarting and stopping")]
    pub(crate) stop_signal: Option<Signal>,
    /// How long it has to end before it is killed [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = units::parse_duration, help_heading = "Restarting and stopping")]
    pub(crate) stop_timeout: Option<Duration>,
    /// How much of its output to keep [default: 64M]
    #[arg(long, value_name = "SIZE", value_parser = units::parse_size, help_heading = "Log")]
    pub(crate) log_max_size: Option<u64>,
}

impl ServiceOptions {
    /// Whether any of them is given: they make sense for a new service only.
    pub(crate) fn is_any_given(&self) -> bool {
        let Self {
            name,
            replace,
            cwd,
            env,
            env_file,
            group,
            instances,
            interpreter,
            restart,
            success_codes,
            max_restarts,
            min_uptime,
            backoff,
            stop_signal,
            stop_timeout,
            log_max_size,
        } = self;
        let policy = restart.is_some() || !success_codes.is_empty() || max_restarts.is_some() || min_uptime.is_some();
        let stop = backoff.is_some() || stop_signal.is_some() || stop_timeout.is_some() || log_max_size.is_some();
        let place = name.is_some() || *replace || cwd.is_some() || group.is_some() || instances.is_some();
        policy || stop || place || interpreter.is_some() || !env.is_empty() || !env_file.is_empty()
    }
}

/// The words of an interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interpreter(pub(crate) Vec<String>);

/// How long a verb waits for services to be up.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Waiting")]
pub(crate) struct WaitOptions {
    /// How long to wait until it is up [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = units::parse_duration)]
    pub(crate) wait: Option<Duration>,
    /// Do not wait until it is up, only until it is spawned
    #[arg(long, conflicts_with = "wait")]
    pub(crate) no_wait: bool,
}

/// What `run` takes.
#[derive(Parser, Debug)]
#[command(name = "resume run", override_usage = "resume run [OPTIONS] [--] PROGRAM [ARGS…]")]
#[command(about = "Run a program here, in the foreground, and start it again when it ends

What the program prints goes to this terminal and to its log. Ctrl-C stops it gracefully, a second Ctrl-C at once. \
Other terminals see it in `resume ls` and can stop or restart it. The exit code is that of its last run.")]
#[command(after_help = "Examples:
  resume run ./server.js
  resume ./server.js                        the same, for what holds a `/` or is a file here
  resume run --restart on-failure -- python3 -m http.server 8000

Options of the program's own stand behind `--`.")]
pub(crate) struct RunArgs {
    /// The program, a file or a word found on PATH, and its arguments
    #[arg(value_name = "PROGRAM")]
    pub(crate) words: Vec<OsString>,
    /// What stands behind `--` is never an option of ours
    #[arg(last = true, hide = true)]
    pub(crate) rest: Vec<OsString>,
    #[command(flatten)]
    pub(crate) service: ServiceOptions,
    #[command(flatten)]
    pub(crate) globals: Globals,
}

/// What `start` takes.
#[derive(Parser, Debug)]
#[command(
    name = "resume start",
    override_usage = "\
resume start [OPTIONS] [--] PROGRAM [ARGS…]
       resume start [--wait TIME | --no-wait] SELECTOR…"
)]
#[command(about = "Start a program in the background, or services that are down

The program is supervised beyond this terminal. The command returns once it is up, that is has lived for 100 ms, or \
says why not. A first word that names a service starts that one; one with a `/`, or a file here, is a program.")]
#[command(after_help = "Examples:
  resume start ./server.js
  resume start --name web --env PORT=3000 -- node server.js --verbose
  resume start web db 'worker-*'            services that are down

Options of the program's own stand behind `--`.")]
pub(crate) struct StartArgs {
    /// A program and its arguments, or names, pids, `name:INSTANCE`, patterns, `@GROUP` or `all`
    #[arg(value_name = "WORD")]
    pub(crate) words: Vec<OsString>,
    /// What stands behind `--` is never an option of ours
    #[arg(last = true, hide = true)]
    pub(crate) rest: Vec<OsString>,
    #[command(flatten)]
    pub(crate) wait: WaitOptions,
    #[command(flatten)]
    pub(crate) service: ServiceOptions,
    #[command(flatten)]
    pub(crate) globals: Globals,
}

/// What `stop` takes.
#[derive(Parser, Debug)]
#[command(name = "resume stop", override_usage = "resume stop [OPTIONS] SELECTOR…")]
#[command(about = "Stop services

Asks each to end with its stop signal, kills what has not ended after its stop timeout, and returns once its whole \
process tree is gone. Stopping what is down is a success.")]
#[command(after_help = "Examples:
  resume stop web
  resume stop 'worker-*' db
  resume stop all")]
pub(crate) struct StopArgs {
    /// A name, `name:INSTANCE`, a pid, a pattern, `@GROUP` or `all`
    #[arg(value_name = "SELECTOR", required = true)]
    pub(crate) selectors: Vec<String>,
    #[command(flatten)]
    pub(crate) globals: Globals,
}

/// What `restart` takes.
#[derive(Parser, Debug)]
#[command(name = "resume restart", override_usage = "resume restart [OPTIONS] SELECTOR…")]
#[command(about = "Stop services and start them again

They get the command, the options and the environment that they were started with. One that is down is started.")]
#[command(after_help = "Examples:
  resume restart web
  resume restart --env-now web              with the environment of this shell")]
pub(crate) struct RestartArgs {
    /// A name, `name:INSTANCE`, a pid, a pattern, `@GROUP` or `all`
    #[arg(value_name = "SELECTOR", required = true)]
    pub(crate) selectors: Vec<String>,
    /// Give them the environment of this shell from now on
    #[arg(long)]
    pub(crate) env_now: bool,
    #[command(flatten)]
    pub(crate) wait: WaitOptions,
    #[command(flatten)]
    pub(crate) globals: Globals,
}

/// What `delete` takes.
#[derive(Parser, Debug)]
#[command(name = "resume delete", override_usage = "resume delete [OPTIONS] SELECTOR…")]
#[command(about = "Stop services and forget them, their logs too")]
#[command(after_help = "Examples:
  resume delete web
  resume delete --keep-logs 'worker-*'")]
pub(crate) struct DeleteArgs {
    /// A name, a pid, a pattern, `@GROUP` or `all`
    #[arg(value_name = "SELECTOR", required = true)]
    pub(crate) selectors: Vec<String>,
    /// Leave the log
    #[arg(long)]
    pub(crate) keep_logs: bool,
    #[command(flatten)]
    pub(crate) globals: Globals,
}

/// What `ls` takes.
#[derive(Parser, Debug)]
#[command(name = "resume ls", override_usage = "resume ls [OPTIONS] [SELECTOR…]")]
#[command(about = "List services

A dead process is never shown as running: what the files say is checked against the processes that there are.")]
#[command(after_help = "States:
  starting  spawned, not up yet             exited   ended by itself, and its policy leaves it
  running   up                              failed   gave up, or could not be spawned
  stopping  being ended                     lost     its supervisor is gone and not back yet
  backoff   waits to be started again       stopped  by a person

Examples:
  resume ls
  resume ls --wide @backend
  resume ls --watch                         with `--json`, an array a line
  resume ls --json | jq -r '.[] | select(.state == \"failed\") | .name'")]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that is given or not")]
pub(crate) struct LsArgs {
    /// A name, a pid, a pattern, `@GROUP` or `all` [default: all]
    #[arg(value_name = "SELECTOR")]
    pub(crate) selectors: Vec<String>,
    /// Leave out CPU and memory, which take a look at every process
    #[arg(long)]
    pub(crate) no_usage: bool,
    /// A row for each instance
    #[arg(long)]
    pub(crate) instances: bool,
    /// Go on, and show each change; CPU is then that of the present moment. Ctrl-C ends it
    #[arg(long)]
    pub(crate) watch: bool,
    /// More columns, and nothing shortened
    #[arg(long)]
    pub(crate) wide: bool,
    #[command(flatten)]
    pub(crate) globals: Globals,
}

/// What `logs` takes.
#[derive(Parser, Debug)]
#[command(name = "resume logs", override_usage = "resume logs [OPTIONS] [SELECTOR…]")]
#[command(about = "Show what services wrote

Prints the last records of each service, all streams, merged in the order of time. A record is one entry: a line, or \
a line with those that belong to it, such as a stack trace.")]
#[command(after_help = "Examples:
  resume logs web
  resume logs -f                            all services, as they write
  resume logs -n all --output raw web > web.txt
  resume logs --stream resume web           what its supervisor did: started, exited, restarted")]
pub(crate) struct LogsArgs {
    /// A name, `name:INSTANCE`, a pid, a pattern, `@GROUP` or `all` [default: all]
    #[arg(value_name = "SELECTOR")]
    pub(crate) selectors: Vec<String>,
    /// How many records of each service: a number, or `all` [default: 20]
    #[arg(long, short = 'n', value_name = "N", value_parser = record_count)]
    pub(crate) records: Option<RecordCount>,
    /// Go on as the logs grow
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Only one stream: `stdout`, `stderr`, or `resume` for the supervisor's own account
    #[arg(long, value_name = "STREAM", value_parser = record_stream)]
    pub(crate) stream: Option<RecordStream>,
    /// Only this run of each instance, counted from 1; -1 is the one before the last
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) run: Option<i64>,
    /// Only this instance
    #[arg(long, value_name = "N")]
    pub(crate) instance: Option<u32>,
    /// `short` (time, service, text), `full` (all fields), `raw` (the program's bytes) or `json` [default: short]
    #[arg(long, value_name = "FORMAT", hide_possible_values = true)]
    pub(crate) output: Option<LogFormat>,
    #[command(flatten)]
    pub(crate) globals: Globals,
}

/// How many records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordCount {
    All,
    Last(usize),
}

/// How a record is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Short,
    Full,
    Raw,
    Json,
}

pub(crate) fn record_count(text: &str) -> Result<RecordCount, String> {
    if text == "all" {
        return Ok(RecordCount::All);
    }
    text.parse().map(RecordCount::Last).map_err(|_| "expected a number or `all`".to_owned())
}

fn record_stream(text: &str) -> Result<RecordStream, String> {
    let streams = [RecordStream::Stdout, RecordStream::Stderr, RecordStream::Resume];
    let found = streams.into_iter().find(|stream| stream.word() == text);
    found.ok_or_else(|| format!("unknown stream `{text}`, expected `stdout`, `stderr` or `resume`"))
}

fn restart_on(text: &str) -> Result<RestartOn, String> {
    match text {
        "always" => Ok(RestartOn::Always),
        "on-failure" => Ok(RestartOn::OnFailure),
        "never" => Ok(RestartOn::Never),
        other => Err(format!("unknown restart policy `{other}`, expected `never`, `on-failure` or `always`")),
    }
}

fn group_name(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty() || text.len() > resume_core::name::MAX_LEN || !text.chars().all(allowed) {
        return Err("a group's name is 1 to 64 letters, digits, `.`, `_` and `-`".to_owned());
    }
    Ok(text.to_owned())
}

fn interpreter(text: &str) -> Result<Interpreter, String> {
    match shell_words::split(text) {
        Ok(words) if words.is_empty() => Err("an interpreter has at least one word".to_owned()),
        Ok(words) => Ok(Interpreter(words)),
        Err(error) => Err(error.to_string()),
    }
}
