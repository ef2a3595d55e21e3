//! From batches to records: which pieces of text belong together, and which of them are wanted.
//!
//! What is asked of the index is decided here once, for showing records as for giving out raw bytes; what becomes of a
//! record is the [`Output`]'s.

use std::io::{self, Read};

use resume_core::layout::Stream;

use crate::format::{Batch, Entry, Kind, MarkReader};
use crate::segment::{CHUNK, Text, Unindexed};
use crate::select::Selection;
use crate::source::{RECORD_LIMIT, SILENCE_MICROS};
use crate::{RecordStream, Source};

/// What is known of a record when it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    /// When it was captured; none if that is lost.
    pub(crate) micros: Option<u64>,
    /// The best that is known of when.
    pub(crate) order: u64,
    pub(crate) run: Option<(u32, u64)>,
    pub(crate) stream: RecordStream,
    pub(crate) number: u64,
}

/// What becomes of wanted records. A record is named by its key; keys count up, in the order in which records begin.
pub(crate) trait Output {
    /// A record begins.
    fn begin(&mut self, key: u64, head: Head);
    /// Some of its text, line ends included.
    fn text(&mut self, key: u64, text: &[u8]) -> io::Result<()>;
    /// It will not grow any more.
    fn close(&mut self, key: u64, truncated: bool);
    /// It stands within a line and has done so for a while: what began after it need not wait for it.
    fn park(&mut self, key: u64);
}

/// The record of a stream to which the next piece may belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// There is none.
    Nothing,
    /// One that is not wanted, or whose beginning was never seen.
    Hidden,
    Wanted {
        key: u64,
        length: usize,
        torn: bool,
    },
}

/// What is known of one stream of one instance.
#[derive(Debug)]
struct View {
    /// None for text of which nothing is known.
    source: Option<Source>,
    last_micros: u64,
    open: Open,
    /// Whether it stands within a line.
    in_line: bool,
}

/// Puts records together.
#[derive(Debug)]
pub(crate) struct Grouper<O> {
    pub(crate) selection: Selection,
    pub(crate) output: O,
    /// So many wanted records are passed over first.
    pub(crate) skip: u64,
    views: Vec<View>,
    next_key: u64,
    /// The time of the last entry.
    micros: u64,
    chunk: Vec<u8>,
}

impl<O: Output> Grouper<O> {
    pub(crate) fn new(selection: Selection, output: O) -> Self {
        Self { selection, output, skip: 0, views: Vec::new(), next_key: 0, micros: 0, chunk: Vec::new() }
    }

    /// Takes an entry, its text as far as it is there, and the number of the first record in it.
    pub(crate) fn entry(&mut self, entry: &Entry, mut text: Text<'_>, number: u64) -> io::Result<()> {
        self.micros = entry.micros;
        self.close_silent(entry.micros, SILENCE_MICROS);
        match &entry.kind {
            Kind::Batch(batch) => self.batch(batch, &mut text, number),
            Kind::Note { about, text } => self.account(*about, text, number),
            Kind::Dropped { source, records, bytes, cause, torn } => {
                if let Some(source) = source {
                    self.close_source(*source, *torn);
                }
                let (about, of) = match source {
                    Some(source) => (Some((source.instance, source.run)), source.stream.word()),
                    None => (None, "resume"),
                };
                let text = format!("dropped {records} records ({bytes} bytes) of {of}: {}", cause.words());
                self.account(about, &text, number)
            }
            Kind::End { instance, run } => {
                for stream in Stream::ALL {
                    self.close_source(Source { instance: *instance, run: *run, stream }, false);
                }
                Ok(())
            }
            Kind::Opened { .. } | Kind::Unknown => Ok(()),
        }
    }

    /// Takes text that no entry owns.
    pub(crate) fn unindexed(&mut self, mut text: Text<'_>, number: u64) -> io::Result<()> {
        if !self.selection.takes(RecordStream::Unknown, None) {
            return Ok(());
        }
        let at = self.view(None);
        let mut lines = Unindexed::default();
        while let Some((bytes, marks, _)) = lines.next(&mut text)? {
            self.pieces(at, bytes, &mut true, &mut marks.read(), &mut { number })?;
        }
        self.close(at, false);
        Ok(())
    }

    /// Says that something is missing here, in words for a person.
    pub(crate) fn gap(&mut self, text: &str, number: u64) -> io::Result<()> {
        for at in 0..self.views.len() {
            self.close(at, true);
        }
        self.views.clear();
        self.account(None, text, number)
    }

    /// Closes the records whose stream has been silent for so long, and parks those that stand within a line.
    pub(crate) fn close_silent(&mut self, micros: u64, silence: u64) {
        for at in 0..self.views.len() {
            let view = &self.views[at];
            if micros.abs_diff(view.last_micros) < silence {
                continue;
            }
            match view.open {
                Open::Wanted { key, .. } if view.in_line => self.output.park(key),
                Open::Wanted { .. } => self.close(at, false),
                Open::Nothing | Open::Hidden => {}
            }
        }
    }

    /// The time of the oldest last piece of a record that only waits for silence; none if no record does.
    pub(crate) fn waits_since(&self) -> Option<u64> {
        let waits = |view: &&View| matches!(view.open, Open::Wanted { .. }) && !view.in_line;
        self.views.iter().filter(waits).map(|view| view.last_micros).min()
    }

    fn batch(&mut self, batch: &Batch, text: &mut Text<'_>, mut number: u64) -> io::Result<()> {
        if !self.selection.takes_source(batch.source) {
            return Ok(());
        }
        let at = self.view(Some(batch.source));
        let whole = text.left() == batch.length;
        let unwanted = (self.skip > 0 && self.skip >= batch.starts) || !self.selection.takes_time(self.micros);
        if unwanted && whole && !matches!(self.views[at].open, Open::Wanted { .. }) {
            // Nothing of it is wanted, so that the text need not be read.
            if self.selection.takes_time(self.micros) {
                self.skip -= batch.starts;
            }
            self.views[at].open = Open::Hidden;
        } else {
            let mut chunk = std::mem::take(&mut self.chunk);
            chunk.resize(CHUNK, 0);
            let (mut marks, mut begins) = (batch.marks.read(), true);
            let result = loop {
                match text.read(&mut chunk) {
                    Ok(0) => break Ok(()),
                    Ok(read) => {
                        if let Err(error) = self.pieces(at, &chunk[..read], &mut begins, &mut marks, &mut number) {
                            break Err(error);
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => break Err(error),
                }
            };
            self.chunk = chunk;
            result?;
        }
        self.views[at].in_line = batch.open_line;
        self.views[at].last_micros = self.micros;
        Ok(())
    }

    /// Takes some text of a batch. `begins` says whether it begins a new piece or goes on with one.
    fn pieces(
        &mut self,
        at: usize,
        text: &[u8],
        begins: &mut bool,
        marks: &mut MarkReader<'_>,
        number: &mut u64,
    ) -> io::Result<()> {
        let mut rest = text;
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
            let (piece, after) = rest.split_at(end);
            if *begins && marks.next() {
                self.close(at, self.views[at].in_line);
                self.views[at].open = self.begin(at, *number, false);
                *number = number.saturating_add(1);
            }
            self.piece(at, piece, *number)?;
            *begins = piece.last() == Some(&b'\n');
            self.views[at].in_line = !*begins;
            rest = after;
        }
        Ok(())
    }

    /// Takes a piece that belongs to the open record.
    fn piece(&mut self, at: usize, piece: &[u8], number: u64) -> io::Result<()> {
        if self.views[at].open == Open::Nothing {
            // The index says that it goes on with a record, but there is none: some of the log was damaged.
            self.views[at].open = self.begin(at, number, true);
        }
        if let Open::Wanted { key, length, torn } = &mut self.views[at].open {
            // No writer makes a longer one, but not every index is what a writer made.
            let room = RECORD_LIMIT.saturating_sub(*length).min(piece.len());
            *length += room;
            *torn |= room < piece.len();
            let key = *key;
            self.output.text(key, &piece[..room])?;
        }
        Ok(())
    }

    /// Begins a record of a stream, if it is wanted.
    fn begin(&mut self, at: usize, number: u64, torn: bool) -> Open {
        let source = self.views[at].source;
        let head = Head {
            micros: source.map(|_| self.micros),
            order: self.micros,
            run: source.map(|source| (source.instance, source.run)),
            stream: source.map_or(RecordStream::Unknown, |source| source.stream.into()),
            number,
        };
        match self.wanted(head) {
            Some(key) => Open::Wanted { key, length: 0, torn },
            None => Open::Hidden,
        }
    }

    /// Whether a record is wanted, and under which key.
    fn wanted(&mut self, head: Head) -> Option<u64> {
        if !self.selection.takes_time(head.order) {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        let key = self.next_key;
        self.next_key += 1;
        self.output.begin(key, head);
        Some(key)
    }

    fn account(&mut self, run: Option<(u32, u64)>, text: &str, number: u64) -> io::Result<()> {
        if !self.selection.takes(RecordStream::Resume, run) {
            return Ok(());
        }
        let (micros, stream) = (self.micros, RecordStream::Resume);
        if let Some(key) = self.wanted(Head { micros: Some(micros), order: micros, run, stream, number }) {
            self.output.text(key, text.as_bytes())?;
            self.output.close(key, false);
        }
        Ok(())
    }

    /// Finds the view of a source's stream. Another run closes what the one before it left open.
    fn view(&mut self, source: Option<Source>) -> usize {
        let stream = |source: Option<Source>| source.map(|source| (source.instance, source.stream));
        let Some(at) = self.views.iter().position(|view| stream(view.source) == stream(source)) else {
            // A first piece that goes on with a record goes on with one that is not to be seen.
            self.views.push(View { source, last_micros: self.micros, open: Open::Hidden, in_line: false });
            return self.views.len() - 1;
        };
        if self.views[at].source != source {
            self.close(at, false);
            self.views[at].source = source;
        }
        at
    }

    fn close_source(&mut self, source: Source, truncated: bool) {
        if let Some(at) = self.views.iter().position(|view| view.source == Some(source)) {
            self.close(at, truncated);
            self.views[at].open = Open::Nothing;
        }
    }

    /// Closes the open record of a stream.
    fn close(&mut self, at: usize, truncated: bool) {
        let view = &mut self.views[at];
        if let Open::Wanted { key, torn, .. } = view.open {
            self.output.close(key, truncated || torn);
            view.open = Open::Nothing;
        }
        view.in_line = false;
    }
}
