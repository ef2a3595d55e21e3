//! `resume logs`: what services wrote, as records.

use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use resume_client::discover::Service;
use resume_client::home::describe;
use resume_client::selector::{Selector, Target};
use resume_client::services::Services;
use resume_core::layout;
use resume_core::signal::Signal;
use resume_logstore::{Filter, Followers, Moment, Reader, Record, Start};
use resume_sys::poll::{Interest, Poller};
use resume_sys::signal::SignalPipe;
use resume_sys::watch::{Kinds, Watcher};

use crate::args::{LogFormat, LogsArgs, RecordCount};
use crate::context::Context;
use crate::error::{CliError, Result};
use crate::exit_code::ExitCode;
use crate::render::record::{Origin, Printer};
use crate::targets::{all, choose};

/// How many records of each service are shown if nobody says otherwise.
const DEFAULT_RECORDS: usize = 20;

pub(crate) fn logs(context: &Context, args: &LogsArgs) -> Result<ExitCode> {
    let home = context.home()?;
    let waits = args.follow && takes_newcomers(&args.selectors)?;
    // Only what is there can be watched for the services to come.
    let services = if waits { Some(home.create()?) } else { home.open()? };
    let (sources, failures) = find(services.as_ref(), args)?;
    for failure in &failures {
        context.report(failure);
    }
    if sources.is_empty() && failures.is_empty() {
        let follows = if waits { "; what is started is shown from then on" } else { "" };
        context.remark(&format!("no services to show the log of{follows}; `resume ls` lists the services"));
    }
    let format = args.output.unwrap_or(if context.json { LogFormat::Json } else { LogFormat::Short });
    let names = sources.iter().map(|source| &source.of);
    let printer = Printer::new(format, context.paint, names);
    match &services {
        Some(services) if waits => follow(sources, args, &printer, Some(services))?,
        Some(_) if args.follow && !sources.is_empty() => follow(sources, args, &printer, None)?,
        Some(_) | None => print_all(&sources, args, &printer)?,
    }
    Ok(ExitCode::of_all(failures.iter().map(|failure| failure.code)))
}

/// Whether services that come later are asked for as well.
fn takes_newcomers(selectors: &[String]) -> Result<bool> {
    let patterns = selectors.iter().map(|word| Ok(Selector::parse(word)?.is_pattern()));
    let patterns: Vec<bool> = patterns.collect::<Result<_>>()?;
    Ok(patterns.is_empty() || patterns.contains(&true))
}

/// What is asked for, of the services that there are now, and the words that select nothing.
fn find(services: Option<&Services>, args: &LogsArgs) -> Result<(Vec<Source>, Vec<CliError>)> {
    let (targets, failures) = if args.selectors.is_empty() {
        let all = services.map(all).transpose()?.unwrap_or_default();
        (all.into_iter().map(whole).collect(), Vec::new())
    } else {
        let chosen = choose(services, &args.selectors)?;
        (chosen.targets, chosen.failures)
    };
    let sources = targets.iter().flat_map(|target: &Target| sources(target, args)).collect();
    Ok((sources, failures))
}

fn whole(service: Service) -> Target {
    Target { service, instances: None, by_pattern: true }
}

/// A log, and what of it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    of: Origin,
    log: PathBuf,
    filter: Filter,
}

/// What a target comes to: one source, or one for each instance or run that it names.
fn sources(target: &Target, args: &LogsArgs) -> Vec<Source> {
    let service = &target.service;
    let instances: Vec<Option<u32>> = match (&target.instances, args.instance) {
        (_, Some(instance)) => vec![Some(instance)],
        (Some(instances), None) => instances.iter().copied().map(Some).collect(),
        // A run that is counted from the last is another for each instance.
        (None, None) if args.run.is_some_and(|run| run <= 0) => {
            service.instances.iter().map(|instance| Some(instance.index)).collect()
        }
        (None, None) => vec![None],
    };
    let source = |instance: Option<u32>| {
        let run = args.run.and_then(|run| number_of_run(service, instance, run));
        if args.run.is_some() && run.is_none() {
            return None;
        }
        let filter = Filter { stream: args.stream, instance, run, ..Filter::default() };
        let log = service.directory.join(layout::LOG);
        let instances = service.instances.len();
        Some(Source { of: Origin { service: service.name.to_string(), instances }, log, filter })
    };
    instances.into_iter().filter_map(source).collect()
}

/// The run that is meant: 1 is the first, 0 the last, -1 the one before; `None` if there is none.
fn number_of_run(service: &Service, instance: Option<u32>, run: i64) -> Option<u64> {
    if run > 0 {
        return u64::try_from(run).ok();
    }
    let status = service.instances.iter().find(|status| Some(status.index) == instance)?;
    status.run.checked_add_signed(run).filter(|run| *run > 0)
}

fn print_all(sources: &[Source], args: &LogsArgs, printer: &Printer) -> Result<()> {
    let last = match args.records {
        None => Some(DEFAULT_RECORDS),
        Some(RecordCount::Last(records)) => Some(records),
        Some(RecordCount::All) => None,
    };
    let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    if printer.format() == LogFormat::Raw && sources.len() == 1 {
        // One log's bytes go out as they are, without a detour over records.
        let source = &sources[0];
        let reader = Reader::open(&source.log).map_err(|error| unreadable(source, &error))?;
        reader.raw(&source.filter, last, &mut out).map_err(|error| written_or_read(source, &error))?;
        return out.flush().map_err(|error| CliError::output(&error));
    }
    let mut merged = Merge::new(sources, last)?;
    while let Some((source, record)) = merged.next()? {
        printer.print(&mut out, &source.of, &record).map_err(|error| CliError::output(&error))?;
    }
    out.flush().map_err(|error| CliError::output(&error))
}

/// The reader of our output may have gone away, or the log be unreadable.
fn written_or_read(source: &Source, error: &io::Error) -> CliError {
    if error.kind() == io::ErrorKind::BrokenPipe { CliError::output(error) } else { unreadable(source, error) }
}

fn unreadable(source: &Source, error: &io::Error) -> CliError {
    CliError::failed(format!(
        "reading the log of `{}` in `{}`: {}",
        source.of.service,
        source.log.display(),
        describe(error)
    ))
}

/// The records of several logs in the order of time.
struct Merge<'a> {
    logs: Vec<(&'a Source, resume_logstore::Records, Option<Record>)>,
}

impl<'a> Merge<'a> {
    fn new(sources: &'a [Source], last: Option<usize>) -> Result<Self> {
        let mut logs = Vec::with_capacity(sources.len());
        for source in sources {
            let records = Reader::open(&source.log).and_then(|reader| reader.records(&source.filter, last));
            let mut records = records.map_err(|error| unreadable(source, &error))?;
            let first = records.next().transpose().map_err(|error| unreadable(source, &error))?;
            logs.push((source, records, first));
        }
        Ok(Self { logs })
    }

    fn next(&mut self) -> Result<Option<(&'a Source, Record)>> {
        // Of records of one moment the first log's comes first, and no log's own order is ever changed.
        let heads = self.logs.iter().enumerate().filter_map(|(at, (_, _, head))| Some((head.as_ref()?.order, at)));
        let Some((_, at)) = heads.min() else { return Ok(None) };
        let (source, records, head) = &mut self.logs[at];
        let next = records.next().transpose().map_err(|error| unreadable(source, &error))?;
        Ok(std::mem::replace(head, next).map(|record| (*source, record)))
    }
}

/// Prints what is there, then what comes, until we are interrupted or the reader of our output goes away. With
/// `newcomers`, what is asked for of services that are made there later is shown too.
fn follow(mut sources: Vec<Source>, args: &LogsArgs, printer: &Printer, newcomers: Option<&Services>) -> Result<()> {
    let start = match args.records {
        None => Start::Last(DEFAULT_RECORDS),
        Some(RecordCount::Last(records)) => Start::Last(records),
        Some(RecordCount::All) => Start::Beginning,
    };
    let failed = |error: io::Error| CliError::failed(format!("following the logs: {}", describe(&error)));
    let end = EndOfFollowing::new().map_err(failed)?;
    let mut followers = Followers::new().map_err(failed)?;
    end.poller.add(followers.as_fd(), FOLLOWERS, Interest::READ).map_err(failed)?;
    let births = newcomers.map(Births::watch).transpose().map_err(failed)?;
    if let Some(births) = &births {
        end.poller.add(births.watcher.as_fd(), BIRTHS, Interest::READ).map_err(failed)?;
    }
    for source in &sources {
        followers.add(&source.log, source.filter.clone(), start);
    }
    let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    loop {
        if let Some(births) = &births
            && births.happened().map_err(failed)?
        {
            for source in find(newcomers, args)?.0 {
                if !sources.contains(&source) {
                    followers.add(&source.log, source.filter.clone(), Start::Beginning);
                    sources.push(source);
                }
            }
        }
        let mut records = followers.poll(Moment::now()).map_err(failed)?;
        records.sort_by_key(|(_, record)| record.order);
        for (at, record) in &records {
            if let Some(source) = sources.get(*at) {
                printer.print(&mut out, &source.of, record).map_err(|error| CliError::output(&error))?;
            }
        }
        out.flush().map_err(|error| CliError::output(&error))?;
        if end.wait(followers.deadline()).map_err(failed)? {
            return Ok(());
        }
    }
}

/// Tells of services that are made.
struct Births {
    watcher: Watcher,
}

impl Births {
    fn watch(services: &Services) -> io::Result<Self> {
        let watcher = Watcher::new()?;
        watcher.add(&services.home().join(layout::SERVICES), Kinds::CREATE.or(Kinds::MOVED_TO))?;
        Ok(Self { watcher })
    }

    /// Whether there was one since the last call.
    fn happened(&self) -> io::Result<bool> {
        self.watcher.read().map(|events| !events.is_empty())
    }
}

/// The keys of what comes from the logs, the signals that end us, our output, and services that are made.
const FOLLOWERS: u64 = 0;
const SIGNALS: u64 = 1;
const OUTPUT: u64 = 2;
const BIRTHS: u64 = 3;

/// Waits for more to print, or for a reason to end.
struct EndOfFollowing {
    poller: Poller,
    /// Held, for without it the signals would end us in the middle of a record.
    _signals: SignalPipe,
}

impl EndOfFollowing {
    fn new() -> io::Result<Self> {
        let signals = SignalPipe::install(&[Signal::INT, Signal::TERM, Signal::HUP].map(Signal::number))?;
        let poller = Poller::new()?;
        poller.add(signals.as_fd(), SIGNALS, Interest::READ)?;
        // A pipe whose reader is gone says so even if nothing is written; what cannot be polled, a file, has no reader.
        let _ = poller.add(io::stdout().as_fd(), OUTPUT, Interest::NONE);
        Ok(Self { poller, _signals: signals })
    }

    /// Returns once there may be more, or at the deadline (since boot), or whether it is time to end.
    fn wait(&self, deadline: Option<Duration>) -> io::Result<bool> {
        let mut events = Vec::new();
        self.poller.wait(&mut events, deadline.map(|deadline| deadline.saturating_sub(Moment::now().boottime)))?;
        Ok(events.iter().any(|event| matches!(event.key, SIGNALS | OUTPUT)))
    }
}
