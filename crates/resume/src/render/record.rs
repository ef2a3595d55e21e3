//! Records of a log as text and as JSON.

use std::io::{self, Write};

use resume_core::time::Timestamp;
use resume_logstore::{Record, RecordStream};
use serde::Serialize;

use crate::args::LogFormat;
use crate::render::Paint;

/// How wide a time is.
const TIME_WIDTH: usize = 27;

/// Where records come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The service's name.
    pub(crate) service: String,
    /// How many instances it has; where there are several, each record needs its number.
    pub(crate) instances: usize,
}

impl Origin {
    fn title(&self, instance: Option<u32>) -> String {
        match instance.filter(|_| self.instances > 1) {
            Some(instance) => format!("{}:{instance}", self.service),
            None => self.service.clone(),
        }
    }
}

/// Prints records in one format.
pub(crate) struct Printer {
    format: LogFormat,
    paint: Paint,
    /// The width of the longest name, so that all texts begin in one column.
    name_width: usize,
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
    /// For records of these origins.
    pub(crate) fn new<'a>(format: LogFormat, paint: Paint, origins: impl Iterator<Item = &'a Origin>) -> Self {
        let longest = |origin: &Origin| origin.title(u32::try_from(origin.instances.saturating_sub(1)).ok()).len();
        Self { format, paint, name_width: origins.map(longest).max().unwrap_or(0) }
    }

    pub(crate) fn format(&self) -> LogFormat {
        self.format
    }

    pub(crate) fn print(&self, out: &mut impl Write, origin: &Origin, record: &Record) -> io::Result<()> {
        match self.format {
            LogFormat::Short => self.print_short(out, origin, record),
            LogFormat::Full => self.print_full(out, origin, record),
            LogFormat::Raw => print_raw(out, record),
            LogFormat::Json => print_json(out, origin, record),
        }
    }

    fn print_short(&self, out: &mut impl Write, origin: &Origin, record: &Record) -> io::Result<()> {
        let name = format!("{:width$}", origin.title(record.instance), width = self.name_width);
        write!(out, "{} {} ", self.paint.dim(&time(record)), self.paint.cyan(&name))?;
        self.print_lines(out, TIME_WIDTH + name.len() + 2, record)
    }

    fn print_full(&self, out: &mut impl Write, origin: &Origin, record: &Record) -> io::Result<()> {
        let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let (instance, run) = (number(record.instance.map(u64::from)), number(record.run));
        let truncated = if record.truncated { " truncated" } else { "" };
        let fields = format!("{}:{instance} run {run} {}{truncated}", origin.service, record.stream.word());
        write!(out, "{} {} ", self.paint.dim(&time(record)), self.paint.cyan(&fields))?;
        self.print_lines(out, TIME_WIDTH + fields.len() + 2, record)
    }

    /// The text of a record, its further lines below its first, behind a bar that says by its colour which stream it is.
    /// The supervisor's own account has a dash instead.
    fn print_lines(&self, out: &mut impl Write, indent: usize, record: &Record) -> io::Result<()> {
        let bar = match record.stream {
            RecordStream::Stdout | RecordStream::Unknown => self.paint.dim("|"),
            RecordStream::Stderr => self.paint.red("|"),
            RecordStream::Resume => self.paint.yellow("-"),
        };
        for (nth, line) in record.text.split(|byte| *byte == b'\n').enumerate() {
            if nth > 0 {
                write!(out, "{:indent$}", "")?;
            }
            out.write_all(bar.as_bytes())?;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.is_empty() {
                out.write_all(b" ")?;
                out.write_all(line)?;
            }
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

fn time(record: &Record) -> String {
    record.time.map_or_else(|| format!("{:TIME_WIDTH$}", "unknown"), |time| time.to_string())
}

fn print_raw(out: &mut impl Write, record: &Record) -> io::Result<()> {
    if record.stream == RecordStream::Resume {
        return Ok(());
    }
    out.write_all(&record.text)?;
    if record.newline { out.write_all(b"\n") } else { Ok(()) }
}

fn print_json(out: &mut impl Write, origin: &Origin, record: &Record) -> io::Result<()> {
    let text = String::from_utf8_lossy(&record.text);
    let record = JsonRecord {
        time: record.time,
        service: &origin.service,
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

    fn printed(format: LogFormat, instances: usize, record: &Record) -> String {
        let origin = Origin { service: "web".into(), instances };
        let mut out = Vec::new();
        let printer = Printer::new(format, Paint::new(false), std::iter::once(&origin));
        printer.print(&mut out, &origin, record).unwrap();
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn a_short_record_has_its_time_its_service_and_its_text() {
        let text = record(RecordStream::Stderr, b"boom");
        assert_eq!(printed(LogFormat::Short, 1, &text), "2000-02-29T00:00:00.000000Z web | boom\n");
        assert_eq!(printed(LogFormat::Short, 20, &text), "2000-02-29T00:00:00.000000Z web:1  | boom\n");
        let account = record(RecordStream::Resume, b"started, pid 7");
        assert_eq!(printed(LogFormat::Short, 1, &account), "2000-02-29T00:00:00.000000Z web - started, pid 7\n");
    }

    #[test]
    fn the_lines_of_one_record_stand_below_each_other() {
        let text = record(RecordStream::Stderr, b"Error: boom\r\n\n    at x");
        let shown = "\
2000-02-29T00:00:00.000000Z web | Error: boom
                                |
                                |     at x
";
        assert_eq!(printed(LogFormat::Short, 1, &text), shown);
    }

    #[test]
    fn a_full_record_has_every_field() {
        let cut = Record { truncated: true, time: None, run: None, ..record(RecordStream::Stdout, b"x") };
        let shown = "unknown                     web:1 run - stdout truncated | x\n";
        assert_eq!(printed(LogFormat::Full, 1, &cut), shown);
    }

    #[test]
    fn raw_is_the_programs_bytes_and_never_our_own_words() {
        assert_eq!(printed(LogFormat::Raw, 1, &record(RecordStream::Stdout, b"x")), "x\n");
        let open = Record { newline: false, ..record(RecordStream::Stdout, b"x") };
        assert_eq!(printed(LogFormat::Raw, 1, &open), "x");
        assert_eq!(printed(LogFormat::Raw, 1, &record(RecordStream::Resume, b"started")), "");
    }

    #[test]
    fn json_says_when_a_text_is_not_what_was_written() {
        assert_eq!(
            printed(LogFormat::Json, 1, &record(RecordStream::Stdout, b"a\"b")),
            "{\"time\":\"2000-02-29T00:00:00.000000Z\",\"service\":\"web\",\"instance\":1,\"run\":3,\"stream\":\"stdout\",\
             \"text\":\"a\\\"b\"}\n"
        );
        let lossy = printed(LogFormat::Json, 1, &record(RecordStream::Stdout, b"\xff"));
        assert!(lossy.ends_with("\"text\":\"\u{fffd}\",\"lossy\":true}\n"), "{lossy}");
    }
}
