//! What can be typed behind the verbs that look closely at services.

use clap::{Parser, ValueEnum};

use crate::args::{Globals, RecordCount, record_count};

/// What `show` takes.
#[derive(Parser, Debug)]
#[command(name = "resume show", override_usage = "resume show [OPTIONS] SELECTOR")]
#[command(about = "Show everything about a service

What was asked for, what is true, its processes as a tree, where it listens, its files and the size of its log. The \
values of its environment are shown only if they are asked for.")]
#[command(after_help = "Examples:
  resume show web
  resume show --env web                     with the values of its environment
  resume show --json web | jq '.[0].ports'")]
pub(crate) struct ShowArgs {
    /// A name, `name:INSTANCE`, a pid, a pattern, `@GROUP` or `all`
    #[arg(value_name = "SELECTOR", required = true)]
    pub(crate) selectors: Vec<String>,
    /// Show the values of its environment, which may be secret
    #[arg(long)]
    pub(crate) env: bool,
    #[command(flatten)]
    pub(crate) globals: Globals,
}

/// What `why` takes.
#[derive(Parser, Debug)]
#[command(name = "resume why", override_usage = "resume why [OPTIONS] SELECTOR")]
#[command(about = "Show the runs of a service and why each ended

The newest is last, each with its last words: the end of what it wrote. What is true now comes below them.")]
#[command(after_help = "Examples:
  resume why web
  resume why -n 1 web                       the last run only
  resume why --json web | jq -r '.[].reason'")]
pub(crate) struct WhyArgs {
    /// A name, `name:INSTANCE`, a pid, a pattern, `@GROUP` or `all`
    #[arg(value_name = "SELECTOR", required = true)]
    pub(crate) selectors: Vec<String>,
    /// How many runs of each service: a number, or `all` [default: 10]
    #[arg(long, short = 'n', value_name = "N", value_parser = record_count)]
    pub(crate) runs: Option<RecordCount>,
    #[command(flatten)]
    pub(crate) globals: Globals,
}

/// What `events` takes.
#[derive(Parser, Debug)]
#[command(name = "resume events", override_usage = "resume events [OPTIONS] [SELECTOR…]")]
#[command(about = "Print what happens to services, one JSON object a line

Each change of state and each end of a run is an event with a number, `seq`, that is one higher than that of the \
service's event before. It begins with those to come and goes on until it is interrupted; services that are made \
meanwhile join in.")]
#[command(after_help = "Examples:
  resume events
  resume events web --since 41              what came after that, and goes on
  resume events --no-follow | jq -c 'select(.event == \"ended\")'

Fields:
  seq time service instance run   every event has
  state pid detail                a change of state has (event: state)
  code signal reason uptime_ms    the end of a run has (event: ended)
  peak_memory_bytes detail        and these, where they are known
Readers should pass over events and fields that they do not know.")]
pub(crate) struct EventsArgs {
    /// A name, `name:INSTANCE`, a pid, a pattern, `@GROUP` or `all` [default: all]
    #[arg(value_name = "SELECTOR")]
    pub(crate) selectors: Vec<String>,
    /// Begin with those of a higher number, as far as they are kept; of several services, for each
    #[arg(long, value_name = "SEQ")]
    pub(crate) since: Option<u64>,
    /// End after those that are there; without `--since`, all of them
    #[arg(long)]
    pub(crate) no_follow: bool,
    #[command(flatten)]
    pub(crate) globals: Globals,
}

/// What `completions` takes.
#[derive(Parser, Debug)]
#[command(name = "resume completions", override_usage = "resume completions [OPTIONS] SHELL")]
#[command(about = "Print the script that completes command lines of resume

It asks resume itself at each TAB, so it knows the services that there are, and need not be made again when resume is \
updated.")]
#[command(after_help = "Set up:
  bash  echo 'source <(resume completions bash)' >> ~/.bashrc
  zsh   echo 'source <(resume completions zsh)' >> ~/.zshrc     behind `compinit`
  fish  resume completions fish > ~/.config/fish/completions/resume.fish")]
pub(crate) struct CompletionsArgs {
    /// `bash`, `zsh` or `fish`
    #[arg(value_name = "SHELL", hide_possible_values = true)]
    pub(crate) shell: Shell,
    #[command(flatten)]
    pub(crate) globals: Globals,
}

/// A shell that completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// What `man` takes.
#[derive(Parser, Debug)]
#[command(name = "resume man", override_usage = "resume man [OPTIONS]")]
#[command(about = "Print the page of the manual, as man(1) reads it")]
#[command(after_help = "Examples:
  resume man | man -l -
  resume man > ~/.local/share/man/man1/resume.1")]
pub(crate) struct ManArgs {
    #[command(flatten)]
    pub(crate) globals: Globals,
}
