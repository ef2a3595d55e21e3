//! Asking a log, by its files alone.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use crate::collect::{Collector, Raw};
use crate::folder::{Folder, Found, Listing, index_name, text_name};
use crate::group::{Grouper, Output};
use crate::restore::Survey;
use crate::segment::{Segment, Step, Until};
use crate::select::{self, Place, Selection};
use crate::source::SILENCE_MICROS;
use crate::{Filter, Moment, Record};

/// What a whole log amounts to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bytes on disk, text and index.
    pub disk_bytes: u64,
    /// The program's records that are still there.
    pub records: u64,
    /// Records that could not be written and were dropped.
    pub dropped_records: u64,
    /// The number of segments.
    pub segments: usize,
}

/// Reads a log as it stands.
#[derive(Debug)]
pub struct Reader {
    /// None if there is no log.
    folder: Option<Folder>,
}

impl Reader {
    /// Opens the log in the folder `dir`. A folder that is missing or empty is an empty log.
    pub fn open(dir: &Path) -> io::Result<Self> {
        match Folder::open(dir) {
            Ok(folder) => Ok(Self { folder: Some(folder) }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self { folder: None }),
            Err(error) => Err(error),
        }
    }

    /// The records that `filter` lets through, in the order in which they began; with `last`, only so many of them, the
    /// newest.
    ///
    /// What is written after this call is left out. The last record may be incomplete. A record whose line stood
    /// unfinished for long comes where its line was finished.
    pub fn records(&self, filter: &Filter, last: Option<usize>) -> io::Result<Records> {
        let selection = Selection { filter: filter.clone(), account: true };
        let walk = Walk::new(self.folder.clone(), Grouper::new(selection, Collector::default()), last)?;
        Ok(Records { walk, ended: false })
    }

    /// Writes the program's bytes alone, exactly and in the order in which they were written, of the records that
    /// [`Reader::records`] would give.
    pub fn raw(&self, filter: &Filter, last: Option<usize>, sink: &mut dyn Write) -> io::Result<()> {
        let selection = Selection { filter: filter.clone(), account: false };
        let mut walk = Walk::new(self.folder.clone(), Grouper::new(selection, Raw { sink }), last)?;
        while walk.step()? {}
        Ok(())
    }

    /// The highest number of a run of this instance that the log knows.
    pub fn last_run(&self, instance: u32) -> io::Result<Option<u64>> {
        let Some(folder) = &self.folder else { return Ok(None) };
        for found in folder.list()?.segments.iter().rev().filter(|found| found.index) {
            let survey = Survey::of(folder, found.number)?;
            if survey.is_readable() {
                return Ok(survey.runs.iter().find(|known| known.0 == instance).map(|known| known.1));
            }
        }
        Ok(None)
    }

    /// The sums over the whole log.
    pub fn totals(&self) -> io::Result<Totals> {
        let mut totals = Totals::default();
        let Some(folder) = &self.folder else { return Ok(totals) };
        let listing = folder.list()?;
        for found in &listing.segments {
            let survey = Survey::of(folder, found.number)?;
            let text = if found.text { text_name(found.number) } else { crate::folder::LIVE.to_owned() };
            totals.disk_bytes += folder.size(&index_name(found.number)) + folder.size(&text);
            totals.records = totals.records.saturating_add(survey.records);
            totals.dropped_records = totals.dropped_records.saturating_add(survey.dropped_records);
        }
        totals.segments = listing.segments.len();
        Ok(totals)
    }
}

/// The records that were asked for; see [`Reader::records`].
pub struct Records {
    walk: Walk<Collector>,
    ended: bool,
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl Iterator for Records {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.walk.grouper.output.next() {
                return Some(Ok(record));
            }
            if self.ended {
                return None;
            }
            match self.walk.step() {
                Ok(true) => {}
                Ok(false) => {
                    self.ended = true;
                    // What has been silent for long is closed, whether or not something came after it.
                    self.walk.grouper.close_silent(Moment::now().wall_micros, SILENCE_MICROS);
                    self.walk.grouper.output.finish();
                }
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

/// Goes through a log from some place to where it ended when it was asked.
struct Walk<O> {
    folder: Option<Folder>,
    rest: VecDeque<Found>,
    until: Until,
    segment: Option<Segment>,
    record: u64,
    grouper: Grouper<O>,
}

impl<O: Output> Walk<O> {
    fn new(folder: Option<Folder>, mut grouper: Grouper<O>, last: Option<usize>) -> io::Result<Self> {
        let listing = folder.as_ref().map_or_else(|| Ok(Listing::default()), Folder::list)?;
        let mut until = Until::Offset(0);
        let mut place = Place::default();
        if let Some(folder) = &folder {
            until = Until::Offset(listing.live().map_or(0, |live| folder.size(&index_name(live))));
            place = match last {
                Some(wanted) => select::last(folder, &listing, &grouper.selection, until, wanted)?,
                None => select::since(folder, &listing, &grouper.selection)?,
            };
        }
        grouper.skip = place.skip;
        let rest = listing.segments.into_iter().skip(place.index).collect();
        Ok(Self { folder, rest, until, segment: None, record: 0, grouper })
    }

    /// Goes one entry further; false at the end.
    fn step(&mut self) -> io::Result<bool> {
        let Some(folder) = &self.folder else { return Ok(false) };
        let Some(segment) = &mut self.segment else {
            let Some(found) = self.rest.pop_front() else { return Ok(false) };
            // One that was deleted meanwhile is passed over.
            self.segment = Segment::open(folder, found, self.record)?;
            return Ok(true);
        };
        match segment.step(Some(folder), self.until)? {
            Step::Entry(entry, range, number) => self.grouper.entry(&entry, segment.text(range), number)?,
            Step::Unindexed(range) => self.grouper.unindexed(segment.text(range), segment.record())?,
            Step::Pending | Step::End => {
                self.record = segment.record();
                self.segment = None;
            }
        }
        Ok(true)
    }
}
