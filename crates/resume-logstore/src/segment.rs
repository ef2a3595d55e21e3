//! One segment, as a reader goes through it.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use resume_core::layout::Stream;

use crate::Source;
use crate::cursor::{Cursor, Next};
use crate::folder::{Folder, Found, LIVE, index_name, text_name};
use crate::format::{Entry, Kind, Marks};
use crate::source::{Scan, SourceState};

/// A place in a segment.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    /// None if the segment has no index.
    cursor: Option<Cursor>,
    text: Option<File>,
    /// Where the text of the next entry begins.
    at: u64,
    /// How long the text was when it was opened, before anything of the index was read. As an entry is written before
    /// its text, the index then knew of all of it.
    opened_len: u64,
    /// How long the text was when we last looked.
    text_len: u64,
    /// The number of the next record.
    record: u64,
    /// Whether nothing is added to it any more.
    closed: bool,
    /// Whether everything in it was passed.
    ended: bool,
}

/// What comes next in a segment.
#[derive(Debug)]
pub(crate) enum Step {
    /// An entry, where its text stands, as far as it is there, and the number of the first record in it.
    Entry(Entry, Range<u64>, u64),
    /// Text that no entry owns.
    Unindexed(Range<u64>),
    /// Nothing yet.
    Pending,
    /// Nothing ever.
    End,
}

/// How far to go in the live segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// So many bytes of the index; what was written later is left out.
    Offset(u64),
    /// On and on, waiting for what is not there yet.
    Ever,
}

impl Segment {
    /// Opens a segment; none if it was deleted meanwhile. `record` is the number to go on with if it does not know.
    pub(crate) fn open(folder: &Folder, found: Found, record: u64) -> io::Result<Option<Self>> {
        let index = folder.read(&index_name(found.number))?;
        let mut segment = Self {
            number: found.number,
            closed: index.is_none(),
            cursor: index.map(Cursor::new),
            text: None,
            at: 0,
            opened_len: 0,
            text_len: 0,
            record,
            ended: false,
        };
        if !segment.find_text(folder)? {
            return Ok(None);
        }
        segment.opened_len = segment.text_len;
        if let Some(header) = segment.cursor.as_mut().map_or(Ok(None), Cursor::header)? {
            segment.record = header.first_record;
        }
        Ok(Some(segment))
    }

    /// Opens the text, if it is there already; false if the segment was deleted.
    fn find_text(&mut self, folder: &Folder) -> io::Result<bool> {
        let name = text_name(self.number);
        let live = folder.read(LIVE)?;
        // The live text that we opened is this segment's if that is live still, now that it is open. If it was closed
        // meanwhile, its text has its number, or is deleted; and then its index is deleted, too, and was so before.
        self.text = folder.read(&name)?;
        if self.text.is_some() {
            self.closed = true;
        } else if !self.closed {
            self.closed = folder.list()?.live() != Some(self.number);
            if !folder.exists(&index_name(self.number)) {
                return Ok(false);
            }
            self.text = live.filter(|_| !self.closed);
        }
        self.text_len = self.text.as_ref().map_or(Ok(0), length)?;
        Ok(self.text.is_some() || self.cursor.is_some())
    }

    /// When the segment was begun; none if that cannot be read.
    pub(crate) fn begun(&mut self) -> io::Result<Option<u64>> {
        let header = self.cursor.as_mut().map_or(Ok(None), Cursor::header)?;
        Ok(header.map(|header| header.base_micros))
    }

    /// The number of the record after the last that was passed.
    pub(crate) fn record(&self) -> u64 {
        self.record
    }

    /// Whether its files still have their names.
    fn has_name(&self) -> bool {
        self.cursor.as_ref().is_none_or(Cursor::has_name)
    }

    /// Goes on to what comes next. `folder` is where the segment was opened; none if that is gone.
    pub(crate) fn step(&mut self, folder: Option<&Folder>, until: Until) -> io::Result<Step> {
        loop {
            if self.ended {
                return Ok(Step::End);
            }
            let limit_reached = match until {
                Until::Offset(limit) => !self.closed && self.offset() >= limit,
                Until::Ever => false,
            };
            let next = self.cursor.as_mut().map_or(Ok(Next::Damaged), Cursor::peek)?;
            let length = match next {
                Next::Entry(_) if limit_reached => {
                    self.ended = true;
                    return Ok(Step::End);
                }
                Next::Entry(Entry { kind: Kind::Batch(batch), .. }) => Some(batch.length),
                Next::Entry(_) => Some(0),
                Next::Nothing | Next::Damaged => None,
            };
            let there = length.map_or(Ok(false), |length| self.is_there(folder, length))?;
            match length {
                Some(length) if there || self.closed || until != Until::Ever => return Ok(self.pass(length)),
                Some(_) | None if self.was_closed_meanwhile(folder)? => {}
                Some(_) | None if !self.closed && until == Until::Ever => {
                    self.cursor.iter_mut().for_each(Cursor::forget);
                    return Ok(Step::Pending);
                }
                Some(_) | None => {
                    self.ended = true;
                    let end = if self.closed { self.text_len } else { self.opened_len };
                    if self.at < end {
                        return Ok(Step::Unindexed(self.at..end));
                    }
                }
            }
        }
    }

    fn offset(&self) -> u64 {
        self.cursor.as_ref().map_or(0, Cursor::offset)
    }

    /// Whether so many bytes of text are there.
    fn is_there(&mut self, folder: Option<&Folder>, length: u64) -> io::Result<bool> {
        let end = self.at.saturating_add(length);
        if end > self.text_len {
            match (&self.text, folder) {
                (Some(text), _) => self.text_len = self::length(text)?,
                // A writer makes the index first: when we opened it, there may have been no text.
                (None, Some(folder)) if !self.closed => drop(self.find_text(folder)?),
                (None, _) => {}
            }
        }
        Ok(end <= self.text_len)
    }

    /// Takes the entry that was looked at.
    fn pass(&mut self, length: u64) -> Step {
        let Some(entry) = self.cursor.as_mut().and_then(Cursor::take) else { return Step::End };
        let start = self.at.min(self.text_len);
        self.at = self.at.saturating_add(length);
        let record = self.record;
        if let Kind::Batch(batch) = &entry.kind {
            self.record = self.record.saturating_add(batch.starts);
        }
        Step::Entry(entry, start..self.at.min(self.text_len), record)
    }

    /// Whether it is closed since we last looked; then what was not there yet may be there.
    fn was_closed_meanwhile(&mut self, folder: Option<&Folder>) -> io::Result<bool> {
        let is_live = |folder: &Folder| self.has_name() && !folder.exists(&text_name(self.number));
        if self.closed || folder.is_some_and(is_live) {
            return Ok(false);
        }
        self.closed = true;
        self.cursor.iter_mut().for_each(Cursor::forget);
        self.text_len = self.text.as_ref().map_or(Ok(0), length)?;
        Ok(true)
    }

    /// The bytes of a range of the text.
    pub(crate) fn text(&self, range: Range<u64>) -> Text<'_> {
        Text { file: self.text.as_ref(), range }
    }
}

fn length(file: &File) -> io::Result<u64> {
    Ok(file.metadata()?.len())
}

/// Reads a range of a text.
#[derive(Debug)]
pub(crate) struct Text<'a> {
    file: Option<&'a File>,
    range: Range<u64>,
}

impl Text<'_> {
    /// How many bytes are left to read.
    pub(crate) fn left(&self) -> u64 {
        self.range.end - self.range.start
    }
}

impl Read for Text<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.left()).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let (Some(file), 1..) = (self.file, wanted) else { return Ok(0) };
        let read = file.read_at(&mut buffer[..wanted], self.range.start)?;
        self.range.start += read as u64;
        Ok(read)
    }
}

/// How much text is looked at together.
pub(crate) const CHUNK: usize = 64 << 10;

/// Finds the records in text of which nothing is known, not even of which stream it is.
#[derive(Debug)]
pub(crate) struct Unindexed {
    state: SourceState,
    marks: Marks,
    chunk: Vec<u8>,
    used: usize,
}

impl Default for Unindexed {
    fn default() -> Self {
        // The splitter wants to be told of some source; nobody hears of this one.
        let nobody = Source { instance: 0, run: 0, stream: Stream::Stdout };
        Self { state: SourceState::new(nobody), marks: Marks::default(), chunk: Vec::new(), used: 0 }
    }
}

impl Unindexed {
    /// The next lines, as in a batch: their bytes, their marks and what was found in them; none at the end.
    pub(crate) fn next(&mut self, text: &mut Text<'_>) -> io::Result<Option<(&[u8], &Marks, Scan)>> {
        if self.used == self.chunk.len() {
            self.chunk.clear();
            self.used = 0;
            text.take(CHUNK as u64).read_to_end(&mut self.chunk)?;
        }
        if self.chunk.is_empty() {
            return Ok(None);
        }
        let mut scan = Scan::default();
        self.marks.clear();
        self.state.scan(&self.chunk[self.used..], &mut scan, &mut self.marks);
        let start = self.used;
        self.used += scan.end;
        Ok(Some((&self.chunk[start..self.used], &self.marks, scan)))
    }
}
