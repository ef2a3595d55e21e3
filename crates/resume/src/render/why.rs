//! Runs, how each ended, and what it wrote last.
//!
//! ```text
//! run 12  exited with code 1
//!         began 2026-11-22 16:01:07, lasted 2h14m, ended 3m ago, peak memory 24.1M
//!         | Error: listen EADDRINUSE: address already in use :::3000
//!         |     at Server.setupListenHandle (node:net:1463:16)
//! ```

use resume_client::runs::{Run, RunEnd};
use resume_core::name::ServiceName;
use resume_core::time::Timestamp;
use resume_logstore::{Record, RecordStream};
use serde::Serialize;

use crate::render::Paint;
use crate::render::text::{cut, harmless, width};
use crate::render::time::{ago, short_span, size, to_second};

/// So many lines of one record are shown: a stack trace is told by its beginning.
const MAX_LINES: usize = 12;

/// A run with its last words.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) run: Run,
    pub(crate) words: Vec<Record>,
    /// Whether it is the one that there is now.
    pub(crate) present: bool,
}

/// How it is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// Whether the service has several instances, so that each run needs its instance.
    pub(crate) several: bool,
    /// How many columns there are; none is no limit.
    pub(crate) room: Option<usize>,
    pub(crate) paint: Paint,
    pub(crate) now: Timestamp,
}

/// The runs as text, an empty line between two.
pub(crate) fn runs(told: &[Told], look: Look) -> String {
    told.iter().map(|told| run(told, look)).collect::<Vec<_>>().join("\n")
}

fn run(told: &Told, look: Look) -> String {
    let Told { run, words, present } = told;
    let number = format!("run {}", run.number);
    let title = if look.several { format!("{} {number}", run.instance) } else { number };
    let indent = " ".repeat(width(&title) + 2);
    let verdict = match (&run.end, present) {
        (Some(end), _) => painted(end, look.paint),
        (None, true) => look.paint.state(resume_core::status::StateWord::Running, "still runs"),
        (None, false) => look.paint.yellow("how it ended is unknown"),
    };
    let mut text = format!("{}  {verdict}\n", look.paint.bold(&title));
    for line in flow(&facts(run, look.now), look.room.map(|room| room.saturating_sub(indent.len()))) {
        push_line(&mut text, &indent, &look.paint.dim(&line));
    }
    for record in words {
        push_words(&mut text, &indent, record, look);
    }
    text
}

/// How it ended, in words.
fn verdict(end: &RunEnd) -> String {
    let how = match (end.code, &end.signal) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => format!("killed by {signal}"),
        (None, None) => "ended, how is unknown".to_owned(),
    };
    match end.reason.as_str() {
        "exit" | "signal" | "unknown" => how,
        "out-of-memory" => format!("out of memory: {how}, by the kernel"),
        "stopped" => format!("stopped by a person: {how}"),
        "restarted" => format!("restarted by a person: {how}"),
        "not-ready" => format!("not ready in time: {how}"),
        spawn if spawn.starts_with("spawn") => match &end.detail {
            Some(detail) => format!("could not be spawned: {}", harmless(detail)),
            None => format!("could not be spawned ({})", harmless(spawn)),
        },
        other => format!("{how} ({})", harmless(other)),
    }
}

fn painted(end: &RunEnd, paint: Paint) -> String {
    let text = verdict(end);
    let well = end.code == Some(0) || matches!(end.reason.as_str(), "stopped" | "restarted");
    if well { text } else { paint.red(&text) }
}

/// When and how long, in pieces that a narrow screen may put on lines of their own.
fn facts(run: &Run, now: Timestamp) -> Vec<String> {
    let mut facts = Vec::new();
    facts.extend(run.began_at.map(|began| format!("began {}", to_second(began))));
    if let Some(end) = &run.end {
        facts.push(format!("lasted {}", short_span(end.uptime_ms)));
        facts.push(format!("ended {}", ago(end.at, now)));
        facts.extend(end.peak_memory_bytes.map(|bytes| format!("peak memory {}", size(bytes))));
    } else {
        facts.extend(run.began_at.map(|began| ago(began, now)));
        facts.extend(run.pid.map(|pid| format!("pid {pid}")));
    }
    facts
}

/// Joins the pieces by commas, into as few lines of at most `room` columns as they take.
fn flow(pieces: &[String], room: Option<usize>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for piece in pieces {
        match lines.last_mut() {
            Some(line) if room.is_none_or(|room| width(line) + width(piece) + 3 <= room) => {
                line.push_str(", ");
                line.push_str(piece);
            }
            Some(line) => {
                line.push(',');
                lines.push(piece.clone());
            }
            None => lines.push(piece.clone()),
        }
    }
    lines
}

fn push_words(text: &mut String, indent: &str, record: &Record, look: Look) {
    let bar = match record.stream {
        RecordStream::Stderr => look.paint.red("|"),
        RecordStream::Stdout | RecordStream::Resume | RecordStream::Unknown => look.paint.dim("|"),
    };
    let words = String::from_utf8_lossy(&record.text);
    let lines: Vec<&str> = words.lines().collect();
    let room = look.room.map(|room| room.saturating_sub(indent.len() + 2));
    for line in lines.iter().take(MAX_LINES) {
        let line = expanded(line);
        let line = harmless(&line);
        let line = room.map_or_else(|| line.clone(), |room| cut(&line, room).into_owned().into());
        push_line(text, indent, format!("{bar} {line}").trim_end());
    }
    if let Some(more) = lines.len().checked_sub(MAX_LINES).filter(|more| *more > 0) {
        push_line(text, indent, &format!("{bar} … {more} more lines"));
    }
}

fn push_line(text: &mut String, indent: &str, line: &str) {
    text.push_str(indent);
    text.push_str(line);
    text.push('\n');
}

/// The text with its tabs as a terminal would show them, for they have no width of their own.
fn expanded(line: &str) -> String {
    line.trim_end_matches('\r').replace('\t', "    ")
}

#[derive(Serialize)]
struct JsonRun<'a> {
    service: &'a ServiceName,
    instance: u32,
    run: u64,
    pid: Option<i32>,
    began_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    uptime_ms: Option<u64>,
    code: Option<u8>,
    signal: Option<&'a str>,
    reason: Option<&'a str>,
    detail: Option<&'a str>,
    peak_memory_bytes: Option<u64>,
    last_words: Vec<JsonWords<'a>>,
}

#[derive(Serialize)]
struct JsonWords<'a> {
    time: Option<Timestamp>,
    stream: &'static str,
    text: std::borrow::Cow<'a, str>,
}

/// The runs as JSON objects. One that there is now has an end of null throughout; one that nobody saw the end of has the
/// reason `unknown`.
pub(crate) fn json<'a>(service: &'a ServiceName, told: &'a [Told]) -> impl Iterator<Item = impl Serialize + use<'a>> {
    told.iter().map(move |Told { run, words, present }| {
        let end = run.end.as_ref();
        JsonRun {
            service,
            instance: run.instance,
            run: run.number,
            pid: run.pid,
            began_at: run.began_at,
            ended_at: end.map(|end| end.at),
            uptime_ms: end.map(|end| end.uptime_ms),
            code: end.and_then(|end| end.code),
            signal: end.and_then(|end| end.signal.as_deref()),
            reason: end.map(|end| end.reason.as_str()).or((!present).then_some("unknown")),
            detail: end.and_then(|end| end.detail.as_deref()),
            peak_memory_bytes: end.and_then(|end| end.peak_memory_bytes),
            last_words: words.iter().map(json_words).collect(),
        }
    })
}

fn json_words(record: &Record) -> JsonWords<'_> {
    JsonWords { time: record.time, stream: record.stream.word(), text: String::from_utf8_lossy(&record.text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::present::tests::at;

    fn ended(code: Option<u8>, signal: Option<&str>, reason: &str) -> RunEnd {
        RunEnd {
            at: at(180),
            code,
            signal: signal.map(str::to_owned),
            reason: reason.into(),
            uptime_ms: 8_045_000,
            peak_memory_bytes: Some(25_300_000),
            detail: None,
        }
    }

    fn told(end: Option<RunEnd>, words: &[(RecordStream, &str)]) -> Told {
        let record = |(stream, text): &(RecordStream, &str)| Record {
            time: Some(at(181)),
            order: at(181),
            instance: Some(0),
            run: Some(12),
            stream: *stream,
            text: text.as_bytes().to_vec(),
            newline: true,
            truncated: false,
            complete: true,
            number: 0,
        };
        let run = Run { instance: 0, number: 12, pid: Some(7), began_at: Some(at(8_225)), end };
        Told { run, words: words.iter().map(record).collect(), present: false }
    }

    fn look(room: Option<usize>) -> Look {
        Look { several: false, room, paint: Paint::new(false), now: at(0) }
    }

    #[test]
    fn a_run_is_told_with_its_end_its_times_and_its_last_words() {
        let words = [(RecordStream::Stdout, "listening"), (RecordStream::Stderr, "Error: x\n\tat y (z.js:1)")];
        assert_eq!(
            runs(&[told(Some(ended(Some(1), None, "exit")), &words)], look(Some(80))),
            "\
run 12  exited with code 1
        began 1970-01-01 00:29:35, lasted 2h14m, ended 3m ago,
        peak memory 24.1M
        | listening
        | Error: x
        |     at y (z.js:1)
"
        );
    }

    #[test]
    fn a_narrow_screen_breaks_between_facts_and_cuts_words() {
        let words = [(RecordStream::Stdout, "a line that is far too long for it")];
        assert_eq!(
            runs(&[told(Some(ended(Some(1), None, "exit")), &words)], look(Some(36))),
            "\
run 12  exited with code 1
        began 1970-01-01 00:29:35,
        lasted 2h14m, ended 3m ago,
        peak memory 24.1M
        | a line that is far too lo…
"
        );
    }

    #[test]
    fn every_kind_of_end_has_its_words() {
        for (end, expected) in [
            (ended(Some(0), None, "exit"), "exited with code 0"),
            (ended(None, Some("SIGSEGV"), "signal"), "killed by SIGSEGV"),
            (ended(None, Some("SIGKILL"), "out-of-memory"), "out of memory: killed by SIGKILL, by the kernel"),
            (ended(None, Some("SIGTERM"), "stopped"), "stopped by a person: killed by SIGTERM"),
            (ended(Some(0), None, "restarted"), "restarted by a person: exited with code 0"),
            (ended(None, None, "unknown"), "ended, how is unknown"),
            (ended(None, None, "spawn: cwd"), "could not be spawned (spawn: cwd)"),
            (ended(Some(1), None, "health"), "exited with code 1 (health)"),
        ] {
            assert_eq!(verdict(&end), expected);
        }
        let detail = Some("executing `/x`: no such file or directory".to_owned());
        let end = RunEnd { detail, ..ended(None, None, "spawn: program") };
        assert_eq!(verdict(&end), "could not be spawned: executing `/x`: no such file or directory");
    }

    #[test]
    fn a_run_without_an_end_is_the_present_one_or_unknown() {
        let lost = told(None, &[]);
        let present = Told { present: true, ..lost.clone() };
        let text = runs(&[lost, present], Look { several: true, ..look(None) });
        assert_eq!(
            text,
            "\
0 run 12  how it ended is unknown
          began 1970-01-01 00:29:35, 2h17m ago, pid 7

0 run 12  still runs
          began 1970-01-01 00:29:35, 2h17m ago, pid 7
"
        );
    }

    #[test]
    fn a_long_record_is_told_by_its_beginning_and_nothing_in_it_moves_the_cursor() {
        let long: Vec<String> = (1..=20).map(|line| format!("line {line}")).collect();
        let text = runs(&[told(None, &[(RecordStream::Stderr, &long.join("\n"))])], look(None));
        assert!(text.contains("| line 12\n        | … 8 more lines\n") && !text.contains("line 13"), "{text}");
        let text = runs(&[told(None, &[(RecordStream::Stderr, "\x1b[2Jx")])], look(None));
        assert!(text.contains("| \\u{1b}[2Jx\n"), "{text}");
    }

    #[test]
    fn json_has_a_field_for_each_fact() {
        let name = ServiceName::new("web").unwrap();
        let told = [told(Some(ended(Some(1), None, "exit")), &[(RecordStream::Stderr, "boom")])];
        let text = serde_json::to_string(&json(&name, &told).collect::<Vec<_>>()).unwrap();
        assert_eq!(
            text,
            r#"[{"service":"web","instance":0,"run":12,"pid":7,"began_at":"1970-01-01T00:29:35.000000Z","ended_at":"1970-01-01T02:43:40.000000Z","uptime_ms":8045000,"code":1,"signal":null,"reason":"exit","detail":null,"peak_memory_bytes":25300000,"last_words":[{"time":"1970-01-01T02:43:39.000000Z","stream":"stderr","text":"boom"}]}]"#
        );
    }
}
