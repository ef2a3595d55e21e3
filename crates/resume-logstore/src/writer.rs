//! The one process that writes a log.
//!
//! What a program writes is cut into batches at line ends; a line that is not finished is held back for a moment, so
//! that two streams do not cut each other's lines in the text. Nothing that goes wrong here is the caller's to handle:
//! what cannot be written is dropped in whole records, counted, and the count is written when that is possible again.

mod segments;

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use resume_core::layout::Stream;
use resume_core::record::LOOK;

use crate::folder::Folder;
use crate::format::{Batch, Cause, Entry, Kind, Known, MAX_NOTE, Marks};
use crate::live::Live;
use crate::retention::Limits;
use crate::source::{Dropped, Scan, SourceState};
use crate::{Moment, Retention, Source};

/// Why a log cannot be written at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its folder cannot be made or opened, or not be read.
    #[error("cannot open the log `{path}`: {source}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What a writer has counted since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// The program's bytes that were written.
    pub bytes: u64,
    /// The program's records that began.
    pub records: u64,
    /// Records that could not be written and were dropped.
    pub dropped_records: u64,
    /// The bytes of those.
    pub dropped_bytes: u64,
}

/// How often, while output comes, the writer looks whether somebody else has changed the files.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// A closed segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closed {
    pub(crate) number: u64,
    pub(crate) bytes: u64,
}

/// Writes a log; there must be one alone for a folder, which the lock of the service's directory sees to.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    folder: Folder,
    /// Whether what was there before has been looked at. As long as it cannot be, nothing is begun beside it.
    restored: bool,
    limits: Limits,
    /// None if it could not be begun yet; each write tries again.
    live: Option<Live>,
    closed: VecDeque<Closed>,
    closed_bytes: u64,
    next_segment: u64,
    next_record: u64,
    /// The highest run of each instance.
    runs: Vec<(u32, u64)>,
    sources: Vec<SourceState>,
    marks: Marks,
    failure: Option<(Cause, String)>,
    dropped_notes: Dropped,
    checked_at: Duration,
    stats: Stats,
}

impl Writer {
    /// Opens the log in the folder `dir`, which is made if it is missing, and mends what a crash left there.
    ///
    /// A full disk is no error: what cannot be written is dropped and counted until it can be.
    pub fn open(dir: &Path, retention: Retention, now: Moment) -> Result<Self, OpenError> {
        let folder = Folder::create(dir).map_err(|source| OpenError::Io { path: dir.to_owned(), source })?;
        let mut writer = Self {
            path: dir.to_owned(),
            folder,
            restored: false,
            limits: Limits::from(retention),
            live: None,
            closed: VecDeque::new(),
            closed_bytes: 0,
            next_segment: 1,
            next_record: 0,
            runs: Vec::new(),
            sources: Vec::new(),
            marks: Marks::default(),
            failure: None,
            dropped_notes: Dropped::default(),
            checked_at: now.boottime,
            stats: Stats::default(),
        };
        writer.begin(now);
        writer.make_room(0);
        Ok(writer)
    }

    /// Takes what a program wrote. Nothing that goes wrong here is the caller's to handle; see [`Writer::problem`].
    pub fn append(&mut self, now: Moment, source: Source, bytes: &[u8]) {
        self.check_files(now);
        let at = self.source(now, source);
        for chunk in bytes.chunks(self.limits.batch) {
            self.take(now, at, chunk);
        }
    }

    /// Adds a line of the supervisor's own account, about an instance and its run or about the service.
    ///
    /// At most 4096 bytes of it are kept.
    pub fn note(&mut self, now: Moment, about: Option<(u32, u64)>, text: &str) {
        self.check_files(now);
        if let Some((instance, run)) = about {
            self.know_run(instance, run);
        }
        let text = text[..text.floor_char_boundary(MAX_NOTE)].to_owned();
        if !self.add(now, Kind::Note { about, text }) {
            self.dropped_notes.add(1, 0, self.cause());
        }
    }

    /// Says that a run has ended and all its output was appended: its unfinished lines are written as they stand.
    pub fn end_of_run(&mut self, now: Moment, instance: u32, run: u64) {
        let mut wrote = false;
        for at in 0..self.sources.len() {
            let source = self.sources[at].source;
            if (source.instance, source.run) == (instance, run) {
                self.write_held(now, at);
                wrote |= self.sources[at].wrote();
                self.sources[at].close();
            }
        }
        if wrote {
            self.add(now, Kind::End { instance, run });
        }
    }

    /// The moment (since boot) at which [`Writer::tick`] is due; none while nothing waits.
    pub fn deadline(&self) -> Option<Duration> {
        self.sources.iter().filter_map(SourceState::deadline).min()
    }

    /// Does what is due: writes lines that have stood unfinished for too long.
    pub fn tick(&mut self, now: Moment) {
        for at in 0..self.sources.len() {
            if self.sources[at].deadline().is_some_and(|due| due <= now.boottime) {
                self.write_held(now, at);
            }
        }
    }

    /// Writes whatever is still held, finished or not. To be called before the supervisor leaves or is replaced: the
    /// next writer goes on within the line.
    pub fn flush(&mut self, now: Moment) {
        for at in 0..self.sources.len() {
            self.write_held(now, at);
        }
        self.account_for_dropped(now);
    }

    /// Forgets everything written so far and begins an empty log. Numbers of segments and records go on.
    pub fn clear(&mut self, now: Moment) {
        self.rotate(now);
        while let Some(oldest) = self.closed.pop_front() {
            self.forget(oldest);
        }
    }

    /// Sets other bounds, from now on.
    pub fn set_retention(&mut self, retention: Retention) {
        self.limits = Limits::from(retention);
        self.make_room(0);
    }

    /// The highest number of a run of this instance that the log knows.
    pub fn last_run(&self, instance: u32) -> Option<u64> {
        self.runs.iter().find(|known| known.0 == instance).map(|known| known.1)
    }

    /// Why nothing can be written at present, in words for a person; none while all is well.
    pub fn problem(&self) -> Option<String> {
        self.failure.as_ref().map(|(_, words)| words.clone())
    }

    /// What was counted since the log was opened.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// The bytes on disk at present, text and index.
    pub fn disk_bytes(&self) -> u64 {
        self.closed_bytes + self.live.as_ref().map_or(0, Live::len)
    }

    /// Finds the state of a source's stream; a new run ends what the one before it left open.
    fn source(&mut self, now: Moment, source: Source) -> usize {
        let same =
            |known: &SourceState| (known.source.instance, known.source.stream) == (source.instance, source.stream);
        let Some(at) = self.sources.iter().position(same) else {
            self.know_run(source.instance, source.run);
            self.sources.push(SourceState::new(source));
            return self.sources.len() - 1;
        };
        if self.sources[at].source.run != source.run {
            self.write_held(now, at);
            self.know_run(source.instance, source.run);
            self.sources[at].begin_run(source.run);
        }
        at
    }

    fn know_run(&mut self, instance: u32, run: u64) {
        match self.runs.iter_mut().find(|known| known.0 == instance) {
            Some(known) => known.1 = known.1.max(run),
            None => self.runs.push((instance, run)),
        }
    }

    /// What the next segment must know of what came before it.
    fn known(&self) -> Vec<Known> {
        let in_line = |instance, run, stream| {
            let source = Source { instance, run, stream };
            self.sources.iter().any(|known| known.source == source && known.is_in_line_on_disk())
        };
        let known = |(instance, run): &(u32, u64)| Known {
            instance: *instance,
            run: *run,
            in_line: Stream::ALL.map(|stream| in_line(*instance, *run, stream)),
        };
        self.runs.iter().map(known).collect()
    }

    /// Writes the whole lines of a chunk and holds the rest, unless that is too long.
    fn take(&mut self, now: Moment, at: usize, chunk: &[u8]) {
        let whole = memchr::memrchr(b'\n', chunk).map_or(0, |newline| newline + 1);
        let source = &mut self.sources[at];
        if whole == 0 && source.held_len() + chunk.len() < self.limits.batch {
            source.hold(chunk, now.boottime);
            return;
        }
        let mut held = source.take_held();
        // The held line gets its end, so that it is looked at as one; or at least as much as it can be told by.
        let newline = memchr::memchr(b'\n', chunk).map(|newline| newline + 1);
        let first = if held.is_empty() { 0 } else { newline.unwrap_or(chunk.len().min(LOOK)) };
        held.extend_from_slice(&chunk[..first]);
        let end = if whole == 0 { chunk.len() } else { whole };
        self.write(now, at, [&held, &chunk[first..end]]);
        self.sources[at].put_back(held);
        self.sources[at].hold(&chunk[end..], now.boottime);
    }

    fn write_held(&mut self, now: Moment, at: usize) {
        let held = self.sources[at].take_held();
        if !held.is_empty() {
            self.write(now, at, [&held, &[]]);
        }
        self.sources[at].put_back(held);
    }

    /// Writes text of a source, in as many batches as it takes.
    fn write(&mut self, now: Moment, at: usize, mut text: [&[u8]; 2]) {
        for source in &mut self.sources {
            source.close_if_silent(now.wall_micros);
        }
        while text[0].len() + text[1].len() > 0 {
            let mut scan = Scan::default();
            self.marks.clear();
            let source = &mut self.sources[at];
            let _ =
                source.scan(text[0], &mut scan, &mut self.marks) && source.scan(text[1], &mut scan, &mut self.marks);
            let (batch, rest) = cut(text, scan.end);
            let (_, batch) = cut(batch, scan.skipped);
            self.write_batch(now, at, batch, scan);
            text = rest;
        }
    }

    fn write_batch(&mut self, now: Moment, at: usize, text: [&[u8]; 2], scan: Scan) {
        let length = (text[0].len() + text[1].len()) as u64;
        if scan.skipped > 0 {
            self.sources[at].dropped.bytes += scan.skipped as u64;
            self.stats.dropped_bytes += scan.skipped as u64;
        }
        if length == 0 {
            return;
        }
        let size = self.live.as_ref().map_or(0, Live::len);
        let enough = size >= self.limits.segment && scan.first_starts;
        if size > 0 && (enough || size + length > self.limits.hard) {
            self.rotate(now);
        }
        self.make_room(length);
        self.account_for_dropped(now);
        let batch = Batch {
            source: self.sources[at].source,
            length,
            starts: scan.starts,
            open_line: scan.open_line,
            marks: std::mem::take(&mut self.marks),
        };
        let entry = Entry { micros: now.wall_micros, kind: Kind::Batch(batch) };
        let written = self.put(now, &entry, text);
        if let Kind::Batch(batch) = entry.kind {
            self.marks = batch.marks;
        }
        if written {
            self.sources[at].written(now.wall_micros, scan.open_line);
            self.next_record = self.next_record.saturating_add(scan.starts);
            self.stats.records += scan.starts;
            self.stats.bytes += length;
        } else {
            let cause = self.cause();
            self.sources[at].not_written(scan, length, cause);
            self.stats.dropped_records += scan.starts;
            self.stats.dropped_bytes += length;
        }
    }

    /// Adds an entry that owns no text; false if that failed.
    fn add(&mut self, now: Moment, kind: Kind) -> bool {
        for source in &mut self.sources {
            source.close_if_silent(now.wall_micros);
        }
        // Where nothing but notes is written they fill a segment as well; a little later, to end it before a record.
        if self.live.as_ref().is_some_and(|live| live.len() >= self.limits.segment + self.limits.segment / 4) {
            self.rotate(now);
        }
        self.make_room(MAX_NOTE as u64);
        self.account_for_dropped(now);
        self.put(now, &Entry { micros: now.wall_micros, kind }, [&[], &[]])
    }

    /// Writes an entry and its text; false if that failed.
    fn put(&mut self, now: Moment, entry: &Entry, text: [&[u8]; 2]) -> bool {
        if self.live.as_ref().is_some_and(Live::is_broken) {
            self.rotate(now);
        } else if self.live.is_none() {
            self.begin(now);
        }
        let Some(live) = &mut self.live else { return false };
        let written = live.write(entry, text);
        match written {
            Ok(()) => {
                // An account of what was dropped is small, and says nothing about room for more.
                if !matches!(entry.kind, Kind::Dropped { .. }) {
                    self.failure = None;
                }
                true
            }
            Err(error) => {
                self.fail(&error);
                false
            }
        }
    }

    fn fail(&mut self, error: &io::Error) {
        let cause = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Cause::NoSpace,
            _ => Cause::Failure,
        };
        self.failure = Some((cause, format!("writing the log `{}`: {error}", self.path.display())));
    }

    /// Writes down what was dropped, if anything was and if it can be.
    fn account_for_dropped(&mut self, now: Moment) {
        for at in 0..self.sources.len() {
            let Dropped { records, bytes, cause, torn } = self.sources[at].dropped;
            let source = Some(self.sources[at].source);
            if bytes > 0 && self.put_dropped(now, Kind::Dropped { source, records, bytes, cause, torn }) {
                self.sources[at].dropped = Dropped { cause, ..Dropped::default() };
            }
        }
        let Dropped { records, cause, .. } = self.dropped_notes;
        let notes = Kind::Dropped { source: None, records, bytes: 0, cause, torn: false };
        if records > 0 && self.put_dropped(now, notes) {
            self.dropped_notes = Dropped::default();
        }
    }

    fn put_dropped(&mut self, now: Moment, kind: Kind) -> bool {
        self.put(now, &Entry { micros: now.wall_micros, kind }, [&[], &[]])
    }

    fn cause(&self) -> Cause {
        self.failure.as_ref().map_or(Cause::Failure, |failure| failure.0)
    }
}

/// Cuts a text in two parts after so many bytes.
fn cut(text: [&[u8]; 2], at: usize) -> ([&[u8]; 2], [&[u8]; 2]) {
    let first = at.min(text[0].len());
    let second = at - first;
    ([&text[0][..first], &text[1][..second]], [&text[0][first..], &text[1][second..]])
}
