//! What can be typed behind the verbs that do a small thing to services that are there.

use clap::Parser;
use resume_core::signal::Signal;

use crate::args::Globals;

/// What `signal` takes.
#[derive(Parser, Debug)]
#[command(name = "resume signal", override_usage = "resume signal [OPTIONS] SIGNAL SELECTOR…")]
#[command(about = "Send a signal to services

It goes to the main process of each instance, or with `--tree` to every process of it. What it does is the program's \
own affair: one that ends of it is started again as its restart policy has it.")]
#[command(after_help = "Examples:
  resume signal HUP web                     many programs then read their files
  resume signal USR1 'worker-*'
  resume signal --tree SIGSTOP web          halt it, with all that it started
  resume signal --tree CONT web             let it go on

To end a service for good: `resume stop`.")]
pub(crate) struct SignalArgs {
    /// Which: `SIGHUP`, `hup` or 1
    #[arg(value_name = "SIGNAL")]
    pub(crate) signal: Signal,
    /// A name, `name:INSTANCE`, a pid, a pattern, `@GROUP` or `all`
    #[arg(value_name = "SELECTOR", required = true)]
    pub(crate) selectors: Vec<String>,
    /// Send it to every process of the tree, not to the main one alone
    #[arg(long)]
    pub(crate) tree: bool,
    #[command(flatten)]
    pub(crate) globals: Globals,
}

/// What `reset` takes.
#[derive(Parser, Debug)]
#[command(name = "resume reset", override_usage = "resume reset [OPTIONS] SELECTOR…")]
#[command(about = "Zero the counters of services

That is the restarts that `resume ls` shows and the short runs in a row, of which too many make a service give up. \
Nothing is started or stopped.")]
#[command(after_help = "Examples:
  resume reset web
  resume reset all")]
pub(crate) struct ResetArgs {
    /// A name, `name:INSTANCE`, a pid, a pattern, `@GROUP` or `all`
    #[arg(value_name = "SELECTOR", required = true)]
    pub(crate) selectors: Vec<String>,
    #[command(flatten)]
    pub(crate) globals: Globals,
}

/// What `flush` takes.
#[derive(Parser, Debug)]
#[command(name = "resume flush", override_usage = "resume flush [OPTIONS] SELECTOR…")]
#[command(about = "Empty the logs of services

What was written so far is gone for good; what is written from now on is kept as before. The history that `resume why` \
and `resume events` show is left, but without last words.")]
#[command(after_help = "Examples:
  resume flush web
  resume flush all")]
pub(crate) struct FlushArgs {
    /// A name, a pid, a pattern, `@GROUP` or `all`
    #[arg(value_name = "SELECTOR", required = true)]
    pub(crate) selectors: Vec<String>,
    #[command(flatten)]
    pub(crate) globals: Globals,
}
