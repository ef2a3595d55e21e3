//! `resume events`: what happens, as it is put on record.

use std::io::{self, BufWriter, Write};
use std::os::fd::{AsFd, BorrowedFd};

use resume_client::discover::Service;
use resume_client::histories::Histories;
use resume_client::history::{Since, StoredEvent};
use resume_client::home::describe;
use resume_client::selector::{Selector, Target};
use resume_client::services::Services;
use resume_core::signal::Signal;
use resume_sys::poll::{Event, Interest, Poller};
use resume_sys::signal::SignalPipe;

use crate::args_looking::EventsArgs;
use crate::context::Context;
use crate::error::{CliError, Result};
use crate::exit_code::ExitCode;
use crate::targets::{all, choose};

/// What wakes us: a change of the files, a signal, the reader of our output.
const FILES: u64 = 0;
const SIGNALS: u64 = 1;
const READER: u64 = 2;

pub(crate) fn events(context: &Context, args: &EventsArgs) -> Result<ExitCode> {
    let home = context.home()?;
    let mut services = home.open()?;
    let selectors = selectors(args)?;
    let waits = !args.no_follow && selectors.as_ref().is_none_or(|all| all.iter().any(|(_, it)| it.is_pattern()));
    if services.is_none() && waits {
        // Only what is there can be watched for the services to come.
        services = Some(home.create()?);
    }
    let (targets, failures) = if selectors.is_none() {
        let all = services.as_ref().map(all).transpose()?.unwrap_or_default();
        (all.into_iter().map(whole).collect(), Vec::new())
    } else {
        let chosen = choose(services.as_ref(), &args.selectors)?;
        (chosen.targets, chosen.failures)
    };
    for failure in &failures {
        context.report(failure);
    }
    let code = ExitCode::of_all(failures.iter().map(|failure| failure.code));
    let Some(services) = services.filter(|_| waits || !targets.is_empty()) else { return Ok(code) };
    let since = match (args.since, args.no_follow) {
        (Some(seq), _) => Since::After(seq),
        (None, true) => Since::After(0),
        (None, false) => Since::Now,
    };
    stream(&services, selectors, targets, since, !args.no_follow)?;
    Ok(code)
}

fn selectors(args: &EventsArgs) -> Result<Option<Vec<(String, Selector)>>> {
    if args.selectors.is_empty() {
        return Ok(None);
    }
    let parsed = args.selectors.iter().map(|word| Ok((word.clone(), Selector::parse(word)?)));
    parsed.collect::<Result<_>>().map(Some)
}

fn whole(service: Service) -> Target {
    Target { service, instances: None, by_pattern: true }
}

/// Prints what is there, then what comes, until we are interrupted or the reader of our output goes away.
fn stream(
    services: &Services,
    selectors: Option<Vec<(String, Selector)>>,
    targets: Vec<Target>,
    since: Since,
    follow: bool,
) -> Result<()> {
    let failed = |error: io::Error| unwatched(&error);
    // Before anything is watched, so that no interruption is lost.
    let signals = SignalPipe::install(&[Signal::INT.number(), Signal::TERM.number()]).map_err(failed)?;
    let mut histories = Histories::new(services, selectors, targets, since).map_err(failed)?;
    let poller = Poller::new().map_err(failed)?;
    poller.add(histories.as_fd(), FILES, Interest::READ).map_err(failed)?;
    poller.add(signals.as_fd(), SIGNALS, Interest::READ).map_err(failed)?;
    let mut out = BufWriter::new(io::stdout().lock());
    watch_reader(&poller, io::stdout().as_fd());
    let mut woken = Vec::new();
    loop {
        print(&mut out, &histories.poll().map_err(failed)?).map_err(|error| CliError::output(&error))?;
        if !follow {
            return Ok(());
        }
        poller.wait(&mut woken, None).map_err(failed)?;
        if woken.iter().any(|event: &Event| event.key != FILES) {
            return Ok(());
        }
    }
}

/// Has the end of a pipe that nobody reads any more wake us. A file cannot be waited for, and never goes away.
fn watch_reader(poller: &Poller, stdout: BorrowedFd<'_>) {
    let _ = poller.add(stdout, READER, Interest::NONE);
}

fn print(out: &mut impl Write, events: &[StoredEvent]) -> io::Result<()> {
    for event in events {
        out.write_all(&event.line)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

fn unwatched(error: &io::Error) -> CliError {
    let failure = CliError::failed(format!("following the events: {}", describe(error)));
    if error.kind() == io::ErrorKind::StorageFull {
        return failure.hint("`fs.inotify.max_user_watches` (sysctl) bounds how much a user can watch");
    }
    failure
}
