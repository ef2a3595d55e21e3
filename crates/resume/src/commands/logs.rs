//! `resume logs`: what services wrote, as records.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use resume_client::discover::Service;
use resume_client::home::describe;
use resume_client::selector::Target;
use resume_core::layout;
use resume_core::time::Timestamp;
use resume_logstore::{Filter, Followers, Reader, Record, RecordStream, Start};
use serde::Serialize;

use crate::args::{LogFormat, LogsArgs, RecordCount};
use crate::context::Context;
use crate::error::{CliError, Result};
use crate::exit_code::ExitCode;
use crate::render::Paint;
use crate::targets::{all, choose};

/// How many records of each service are shown if nobody says otherwise.
const DEFAULT_RECORDS: usize = 20;

pub(crate) fn logs(context: &Context, args: &LogsArgs) -> Result<ExitCode> {
    let services = context.home()?.open()?;
    let (targets, failures) = if args.selectors.is_empty() {
        let all = services.as_ref().map(all).transpose()?.unwrap_or_default();
        (all.into_iter().map(whole).collect(), Vec::new())
    } else {
        let chosen = choose(services.as_ref(), &args.selectors)?;
        (chosen.targets, chosen.failures)
    };
    for failure in &failures {
        context.report(failure);
    }
    let sources: Vec<Source> = targets.iter().flat_map(|target| sources(target, args)).collect();
    if sources.is_empty() && failures.is_empty() {
        context.remark("no services to show the log of; `resume ls` lists the services");
    }
    let printer = Printer::new(context, args);
    let shown = if args.follow && !sources.is_empty() {
        follow(&sources, args, &printer)
    } else {
        print_all(&sources, args, &printer)
    };
    shown?;
    Ok(ExitCode::of_all(failures.iter().map(|failure| failure.code)))
}

fn whole(service: Service) -> Target {
    Target { service, instances: None, by_pattern: true }
}

/// A log, and what of it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    service: String,
    /// Whether the service has several instances, so that each needs its number.
    several: bool,
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
        Some(Source { service: service.name.to_string(), several: service.instances.len() > 1, log, filter })
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
    if printer.format == LogFormat::Raw && sources.len() == 1 {
        // One log's bytes go out as they are, without a detour over records.
        let source = &sources[0];
        let reader = Reader::open(&source.log).map_err(|error| unreadable(source, &error))?;
        let filter = Filter { stream: source.filter.stream, ..source.filter.clone() };
        reader.raw(&filter, last, &mut out).map_err(|error| written_or_read(source, &error))?;
        return out.flush().map_err(|error| CliError::output(&error));
    }
    let mut merged = Merge::new(sources, last)?;
    while let Some((source, record)) = merged.next()? {
        printer.print(&mut out, source, &record).map_err(|error| CliError::output(&error))?;
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
        source.service,
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

/// Prints what is there, then what comes, until the reader of our output goes away or we are interrupted.
fn follow(sources: &[Source], args: &LogsArgs, printer: &Printer) -> Result<()> {
    let start = match args.records {
        None => Start::Last(DEFAULT_RECORDS),
        Some(RecordCount::Last(records)) => Start::Last(records),
        Some(RecordCount::All) => Start::Beginning,
    };
    let failed = |error: io::Error| CliError::failed(format!("following the logs: {}", describe(&error)));
    let mut followers = Followers::new().map_err(failed)?;
    for source in sources {
        followers.add(&source.log, source.filter.clone(), start);
    }
    let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    let mut records = followers.poll(resume_logstore::Moment::now()).map_err(failed)?;
    loop {
        records.sort_by_key(|(_, record)| record.order);
        for (at, record) in &records {
            if let Some(source) = sources.get(*at) {
                printer.print(&mut out, source, record).map_err(|error| CliError::output(&error))?;
            }
        }
        out.flush().map_err(|error| CliError::output(&error))?;
        records = followers.next(None).map_err(failed)?;
    }
}

/// How records look.
struct Printer {
    format: LogFormat,
    paint: Paint,
}

#[derive(Serialize)]
struct JsonRecord<'a> {
    time: Option<Timestamp>,
    service: &'a str,
    instance: Option<u32>,
    run: Option<u64>,
    stream: &'static str,
    text: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    lossy: bool,
}

impl Printer {
    fn new(context: &Context, args: &LogsArgs) -> Self {
        let format = args.output.unwrap_or(if context.json { LogFormat::Json } else { LogFormat::Short });
        Self { format, paint: context.paint }
    }

    fn print(&self, out: &mut impl Write, source: &Source, record: &Record) -> io::Result<()> {
        match self.format {
            LogFormat::Short => self.print_short(out, source, record),
            LogFormat::Full => self.print_full(out, source, record),
            LogFormat::Raw => print_raw(out, record),
            LogFormat::Json => print_json(out, source, record),
        }
    }

    fn print_short(&self, out: &mut impl Write, source: &Source, record: &Record) -> io::Result<()> {
        let name = match record.instance.filter(|_| source.several) {
            Some(instance) => format!("{}:{instance}", source.service),
            None => source.service.clone(),
        };
        let before = format!("{} {} ", self.paint.dim(&time(record)), self.paint.cyan(&name));
        self.print_lines(out, &before, record)
    }

    fn print_full(&self, out: &mut impl Write, source: &Source, record: &Record) -> io::Result<()> {
        let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let (instance, run) = (number(record.instance.map(u64::from)), number(record.run));
        let truncated = if record.truncated { " truncated" } else { "" };
        let fields = format!("{}:{instance} run {run} {}{truncated}", source.service, record.stream.word());
        let before = format!("{} {} ", self.paint.dim(&time(record)), self.paint.cyan(&fields));
        self.print_lines(out, &before, record)
    }

    /// The record's first line behind `before`, the others below it.
    fn print_lines(&self, out: &mut impl Write, before: &str, record: &Record) -> io::Result<()> {
        out.write_all(before.as_bytes())?;
        let text = record.text.strip_suffix(b"\r").unwrap_or(&record.text);
        let plain = String::from_utf8_lossy(text);
        match record.stream {
            RecordStream::Stdout | RecordStream::Unknown => {
                out.write_all(self.paint.dim("|").as_bytes())?;
                out.write_all(b" ")?;
                out.write_all(text)?;
            }
            RecordStream::Stderr => {
                out.write_all(self.paint.red("|").as_bytes())?;
                out.write_all(b" ")?;
                out.write_all(text)?;
            }
            RecordStream::Resume => {
                out.write_all(self.paint.yellow(&format!("- {plain}")).as_bytes())?;
            }
        }
        out.write_all(b"\n")
    }
}

fn time(record: &Record) -> String {
    record.time.map_or_else(|| format!("{:27}", "unknown"), |time| time.to_string())
}

fn print_raw(out: &mut impl Write, record: &Record) -> io::Result<()> {
    if record.stream == RecordStream::Resume {
        return Ok(());
    }
    out.write_all(&record.text)?;
    if record.newline { out.write_all(b"\n") } else { Ok(()) }
}

fn print_json(out: &mut impl Write, source: &Source, record: &Record) -> io::Result<()> {
    let text = String::from_utf8_lossy(&record.text);
    let record = JsonRecord {
        time: record.time,
        service: &source.service,
        instance: record.instance,
        run: record.run,
        stream: record.stream.word(),
        text: &text,
        truncated: record.truncated,
        // Only a text that was no UTF-8 had to be copied.
        lossy: matches!(text, std::borrow::Cow::Owned(_)),
    };
    serde_json::to_writer(&mut *out, &record)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(stream: RecordStream, text: &[u8]) -> Record {
        let time = Timestamp::from_micros(951_782_400_000_000);
        Record {
            time: Some(time),
            order: time,
            instance: Some(1),
            run: Some(3),
            stream,
            text: text.to_vec(),
            newline: true,
            truncated: false,
            complete: true,
            number: 0,
        }
    }

    fn printed(format: LogFormat, several: bool, record: &Record) -> String {
        let source = Source { service: "web".into(), several, log: "/l".into(), filter: Filter::default() };
        let mut out = Vec::new();
        Printer { format, paint: Paint::new(false) }.print(&mut out, &source, record).unwrap();
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn a_short_record_has_its_time_its_service_and_its_text() {
        let text = record(RecordStream::Stderr, b"boom\n    at x");
        assert_eq!(printed(LogFormat::Short, false, &text), "2000-02-29T00:00:00.000000Z web | boom\n    at x\n");
        assert_eq!(printed(LogFormat::Short, true, &text), "2000-02-29T00:00:00.000000Z web:1 | boom\n    at x\n");
        let account = record(RecordStream::Resume, b"started, pid 7");
        assert_eq!(printed(LogFormat::Short, false, &account), "2000-02-29T00:00:00.000000Z web - started, pid 7\n");
    }

    #[test]
    fn a_full_record_has_every_field() {
        let mut cut = record(RecordStream::Stdout, b"x");
        cut.truncated = true;
        cut.time = None;
        cut.run = None;
        assert_eq!(
            printed(LogFormat::Full, false, &cut),
            "unknown                     web:1 run - stdout truncated | x\n"
        );
    }

    #[test]
    fn raw_is_the_programs_bytes_and_never_our_own_words() {
        assert_eq!(printed(LogFormat::Raw, false, &record(RecordStream::Stdout, b"x")), "x\n");
        let open = Record { newline: false, ..record(RecordStream::Stdout, b"x") };
        assert_eq!(printed(LogFormat::Raw, false, &open), "x");
        assert_eq!(printed(LogFormat::Raw, false, &record(RecordStream::Resume, b"started")), "");
    }

    #[test]
    fn json_says_when_a_text_is_not_what_was_written() {
        assert_eq!(
            printed(LogFormat::Json, false, &record(RecordStream::Stdout, b"a\"b")),
            "{\"time\":\"2000-02-29T00:00:00.000000Z\",\"service\":\"web\",\"instance\":1,\"run\":3,\"stream\":\"stdout\",\
             \"text\":\"a\\\"b\"}\n"
        );
        let lossy = printed(LogFormat::Json, false, &record(RecordStream::Stdout, b"\xff"));
        assert!(lossy.ends_with("\"text\":\"\u{fffd}\",\"lossy\":true}\n"), "{lossy}");
    }
}
