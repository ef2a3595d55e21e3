//! A log in a folder of its own, with a clock that only the test moves.

#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test, in its helpers too")]
#![allow(dead_code, reason = "each test file uses a part of this")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use resume_core::layout::Stream;
use resume_logstore::{Filter, Moment, Reader, Record, RecordStream, Retention, Source, Writer};

/// When the made-up clock starts: in 2026.
pub(crate) const EPOCH: u64 = 1_795_359_845_000_000;

/// Standard output of run 1 of instance 0.
pub(crate) const OUT: Source = Source { instance: 0, run: 1, stream: Stream::Stdout };
/// Its standard error.
pub(crate) const ERR: Source = Source { instance: 0, run: 1, stream: Stream::Stderr };

/// A log being written.
pub(crate) struct Log {
    folder: tempfile::TempDir,
    /// The writer; none between two of them.
    pub(crate) writer: Option<Writer>,
    /// Microseconds since the start.
    pub(crate) micros: u64,
    pub(crate) retention: Retention,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self::with_max(64 << 20)
    }

    pub(crate) fn with_max(max_bytes: u64) -> Self {
        let retention = Retention { max_bytes };
        let mut log = Self { folder: tempfile::tempdir().unwrap(), writer: None, micros: 0, retention };
        log.reopen();
        log
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    pub(crate) fn now(&self) -> Moment {
        moment(self.micros)
    }

    pub(crate) fn writer(&mut self) -> &mut Writer {
        self.writer.as_mut().unwrap()
    }

    /// Ends the writer as a kill would, without a word, and opens another.
    pub(crate) fn reopen(&mut self) {
        self.writer = None;
        self.writer = Some(Writer::open(&self.dir(), self.retention, self.now()).unwrap());
    }

    pub(crate) fn append(&mut self, source: Source, text: impl AsRef<[u8]>) {
        let now = self.now();
        self.writer().append(now, source, text.as_ref());
    }

    pub(crate) fn note(&mut self, text: &str) {
        let now = self.now();
        self.writer().note(now, Some((0, 1)), text);
    }

    /// Lets time pass, and the writer do what is then due.
    pub(crate) fn pass(&mut self, millis: u64) {
        let end = self.micros + millis * 1000;
        while let Some(due) = self.writer().deadline().filter(|due| *due <= moment(end).boottime) {
            self.micros = u64::try_from(due.as_micros()).unwrap() - 1_000_000;
            let now = self.now();
            self.writer().tick(now);
        }
        self.micros = end;
    }

    pub(crate) fn end_of_run(&mut self, run: u64) {
        let now = self.now();
        self.writer().end_of_run(now, 0, run);
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::open(&self.dir()).unwrap()
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        records(&self.dir(), &Filter::default(), None)
    }

    /// Stream and text of all records.
    pub(crate) fn texts(&self) -> Vec<(RecordStream, String)> {
        self.records().into_iter().map(|record| (record.stream, String::from_utf8(record.text).unwrap())).collect()
    }

    pub(crate) fn last(&self, count: usize) -> Vec<String> {
        let records = records(&self.dir(), &Filter::default(), Some(count));
        records.into_iter().map(|record| String::from_utf8(record.text).unwrap()).collect()
    }

    pub(crate) fn raw(&self) -> Vec<u8> {
        self.raw_of(&Filter::default(), None)
    }

    pub(crate) fn raw_of(&self, filter: &Filter, last: Option<usize>) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.reader().raw(filter, last, &mut bytes).unwrap();
        bytes
    }

    pub(crate) fn disk_bytes(&self) -> u64 {
        fs::read_dir(self.dir()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
    }

    /// All text files, oldest first, put together.
    pub(crate) fn text_files(&self) -> Vec<u8> {
        let mut names: Vec<_> = fs::read_dir(self.dir()).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.retain(|name| name.extension().is_some_and(|ending| ending == "log"));
        // Digits sort before letters, so that the live one comes last.
        names.sort();
        names.into_iter().flat_map(|name| fs::read(name).unwrap()).collect()
    }

    /// The names of the files, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// A moment of the made-up clock.
pub(crate) fn moment(micros: u64) -> Moment {
    Moment { wall_micros: EPOCH + micros, boottime: Duration::from_secs(1) + Duration::from_micros(micros) }
}

pub(crate) fn records(dir: &Path, filter: &Filter, last: Option<usize>) -> Vec<Record> {
    Reader::open(dir).unwrap().records(filter, last).unwrap().map(Result::unwrap).collect()
}
