//! What a writer finds in its folder, and how it goes on.
//!
//! A live segment that is whole is gone on with. One that is not (its index is torn, or it and the text do not agree) is
//! closed as it is, and the next begun: readers make the best of it, so nothing is repaired in place and nothing is lost.

use std::collections::VecDeque;
use std::io;

use resume_core::layout::Stream;

use crate::Source;
use crate::cursor::{Cursor, Next};
use crate::folder::{Folder, LIVE, index_name, text_name};
use crate::format::{Chain, Kind};
use crate::live::Live;
use crate::source::SourceState;
use crate::writer::Closed;

/// How a writer begins.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) live: Option<Live>,
    pub(crate) closed: VecDeque<Closed>,
    pub(crate) next_segment: u64,
    pub(crate) next_record: u64,
    pub(crate) runs: Vec<(u32, u64)>,
    /// The streams that were left within a line.
    pub(crate) sources: Vec<SourceState>,
}

/// Looks at a folder, and closes its live segment if that cannot be gone on with.
pub(crate) fn restore(folder: &Folder) -> io::Result<Restored> {
    let listing = folder.list()?;
    let mut restored = Restored {
        live: None,
        closed: VecDeque::new(),
        next_segment: listing.last() + 1,
        next_record: 0,
        runs: Vec::new(),
        sources: Vec::new(),
    };
    for found in listing.segments.iter().rev().filter(|found| found.index) {
        let survey = Survey::of(folder, found.number)?;
        if listing.live() == Some(found.number) {
            restored.live = survey.go_on(folder, found.number)?;
        }
        if restored.live.is_some() {
            restored.sources = survey.in_line.iter().map(|source| SourceState::within_a_line(*source)).collect();
        }
        // The newest index that can be read knows the runs and the number of the next record.
        if survey.chain.is_some() {
            restored.next_record = survey.next_record;
            restored.runs = survey.runs;
            break;
        }
    }
    let live = restored.live.as_ref().map(|live| live.number);
    for found in listing.segments.iter().filter(|found| Some(found.number) != live) {
        if listing.live() == Some(found.number) && listing.live_text {
            folder.number_live(found.number)?;
        }
        let bytes = folder.size(&index_name(found.number)) + folder.size(&text_name(found.number));
        restored.closed.push_back(Closed { number: found.number, bytes });
    }
    Ok(restored)
}

/// What the index of a segment amounts to.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// None if not even the header can be read.
    chain: Option<Chain>,
    /// Whether every byte of the index could be read.
    whole: bool,
    index_len: u64,
    text_len: u64,
    next_record: u64,
    /// The program's records that start here.
    pub(crate) records: u64,
    pub(crate) dropped_records: u64,
    /// The highest run of each instance.
    pub(crate) runs: Vec<(u32, u64)>,
    /// The streams that end within a line.
    in_line: Vec<Source>,
}

impl Survey {
    pub(crate) fn of(folder: &Folder, number: u64) -> io::Result<Self> {
        let Some(file) = folder.read(&index_name(number))? else { return Ok(Self::default()) };
        let mut cursor = Cursor::new(file);
        let Some(header) = cursor.header()? else { return Ok(Self::default()) };
        let mut survey = Self { next_record: header.first_record, ..Self::default() };
        while let Next::Entry(entry) = cursor.peek()? {
            survey.take(&entry.kind);
            cursor.take();
        }
        survey.chain = cursor.chain();
        survey.index_len = cursor.offset();
        survey.whole = survey.index_len == folder.size(&index_name(number));
        Ok(survey)
    }

    /// Whether at least the header could be read.
    pub(crate) fn is_readable(&self) -> bool {
        self.chain.is_some()
    }

    fn take(&mut self, kind: &Kind) {
        match kind {
            Kind::Batch(batch) => {
                self.text_len = self.text_len.saturating_add(batch.length);
                self.next_record = self.next_record.saturating_add(batch.starts);
                self.records = self.records.saturating_add(batch.starts);
                self.know_run(batch.source.instance, batch.source.run);
                let Source { instance, stream, .. } = batch.source;
                self.in_line.retain(|source| (source.instance, source.stream) != (instance, stream));
                if batch.open_line {
                    self.in_line.push(batch.source);
                }
            }
            Kind::Note { about: Some((instance, run)), .. } => self.know_run(*instance, *run),
            Kind::Opened { runs } => {
                for known in runs {
                    self.know_run(known.instance, known.run);
                    self.in_line.retain(|source| source.instance != known.instance);
                    let source = |stream| Source { instance: known.instance, run: known.run, stream };
                    let in_line = Stream::ALL.into_iter().zip(known.in_line).filter(|(_, in_line)| *in_line);
                    self.in_line.extend(in_line.map(|(stream, _)| source(stream)));
                }
            }
            Kind::End { instance, .. } => self.in_line.retain(|source| source.instance != *instance),
            Kind::Dropped { source: Some(dropped), records, .. } => {
                self.dropped_records = self.dropped_records.saturating_add(*records);
                // The rest of a line whose middle was dropped was dropped as well.
                self.in_line.retain(|source| source != dropped);
            }
            Kind::Note { about: None, .. } | Kind::Dropped { source: None, .. } | Kind::Unknown => {}
        }
    }

    fn know_run(&mut self, instance: u32, run: u64) {
        match self.runs.iter_mut().find(|known| known.0 == instance) {
            Some(known) => known.1 = known.1.max(run),
            None => self.runs.push((instance, run)),
        }
    }

    /// Opens the live segment for more, if its two files are whole and agree.
    fn go_on(&self, folder: &Folder, number: u64) -> io::Result<Option<Live>> {
        let agree = self.whole && folder.exists(LIVE) && folder.size(LIVE) == self.text_len;
        match self.chain.filter(|_| agree) {
            Some(chain) => Live::resume(folder, number, self.index_len, self.text_len, chain).map(Some),
            None => Ok(None),
        }
    }
}
