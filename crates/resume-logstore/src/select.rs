//! Which records are asked for, and where in a log they begin.

use std::io;

use crate::folder::{Folder, Listing};
use crate::format::{Batch, Entry, Kind};
use crate::segment::{Segment, Step, Text, Unindexed, Until};
use crate::{Filter, RecordStream, Source};

/// A filter, and whether the supervisor's own account is wanted at all.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    pub(crate) filter: Filter,
    pub(crate) account: bool,
}

impl Selection {
    /// Whether records of this origin are wanted, whenever they came.
    pub(crate) fn takes(&self, stream: RecordStream, run: Option<(u32, u64)>) -> bool {
        let Filter { stream: only, instance: of, run: within, .. } = &self.filter;
        (self.account || stream != RecordStream::Resume)
            && only.is_none_or(|only| only == stream)
            && of.is_none_or(|of| run.is_some_and(|run| run.0 == of))
            && within.is_none_or(|within| run.is_some_and(|run| run.1 == within))
    }

    pub(crate) fn takes_source(&self, source: Source) -> bool {
        self.takes(source.stream.into(), Some((source.instance, source.run)))
    }

    /// Whether records of this time are wanted.
    pub(crate) fn takes_time(&self, micros: u64) -> bool {
        self.filter.since.is_none_or(|since| since.as_micros() <= micros)
            && self.filter.until.is_none_or(|until| micros < until.as_micros())
    }

    /// How many wanted records start in an entry. `text` is its text, as far as it is there.
    fn starts_in(&self, entry: &Entry, length: u64, text: Text<'_>) -> io::Result<u64> {
        if !self.takes_time(entry.micros) {
            return Ok(0);
        }
        Ok(match &entry.kind {
            Kind::Batch(batch) if !self.takes_source(batch.source) => 0,
            // A crash may have kept some of its text from being written.
            Kind::Batch(batch) if length < batch.length => starts_in_piece(batch, text)?,
            Kind::Batch(batch) => batch.starts,
            Kind::Note { about, .. } => u64::from(self.takes(RecordStream::Resume, *about)),
            Kind::Dropped { source, .. } => {
                let about = source.map(|source| (source.instance, source.run));
                u64::from(self.takes(RecordStream::Resume, about))
            }
            Kind::Opened { .. } | Kind::End { .. } | Kind::Unknown => 0,
        })
    }
}

fn starts_in_piece(batch: &Batch, mut text: Text<'_>) -> io::Result<u64> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut text, &mut bytes)?;
    let mut marks = batch.marks.read();
    Ok(bytes.split_inclusive(|byte| *byte == b'\n').map(|_| u64::from(marks.next())).sum())
}

/// Where to begin: with which segment of a listing, and how many wanted records of it to pass over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) index: usize,
    pub(crate) skip: u64,
}

/// Finds where the last so many wanted records begin. Only indexes are read, from the newest back.
pub(crate) fn last(
    folder: &Folder,
    listing: &Listing,
    selection: &Selection,
    until: Until,
    wanted: usize,
) -> io::Result<Place> {
    let wanted = wanted as u64;
    let mut found = 0_u64;
    let oldest = since(folder, listing, selection)?.index;
    for (index, segment) in listing.segments.iter().enumerate().skip(oldest).rev() {
        let Some(segment) = Segment::open(folder, *segment, 0)? else { continue };
        found = found.saturating_add(starts_in_segment(folder, segment, selection, until)?);
        if found >= wanted {
            return Ok(Place { index, skip: found - wanted });
        }
    }
    Ok(Place { index: oldest, skip: 0 })
}

/// Finds the segment in which the first record since the filter's moment may be.
pub(crate) fn since(folder: &Folder, listing: &Listing, selection: &Selection) -> io::Result<Place> {
    let Some(since) = selection.filter.since else { return Ok(Place::default()) };
    for (index, found) in listing.segments.iter().enumerate().rev() {
        let Some(mut segment) = Segment::open(folder, *found, 0)? else { continue };
        if segment.begun()?.is_some_and(|begun| begun < since.as_micros()) {
            return Ok(Place { index, skip: 0 });
        }
    }
    Ok(Place::default())
}

fn starts_in_segment(folder: &Folder, mut segment: Segment, selection: &Selection, until: Until) -> io::Result<u64> {
    let mut starts = 0_u64;
    loop {
        let here = match segment.step(Some(folder), until)? {
            Step::Entry(entry, range, _) => {
                selection.starts_in(&entry, range.end - range.start, segment.text(range))?
            }
            Step::Unindexed(range) if selection.takes(RecordStream::Unknown, None) => {
                let mut text = segment.text(range);
                let mut lines = Unindexed::default();
                let mut found = 0;
                while let Some((_, _, scan)) = lines.next(&mut text)? {
                    found += scan.starts;
                }
                found
            }
            Step::Unindexed(_) => 0,
            Step::Pending | Step::End => return Ok(starts),
        };
        starts = starts.saturating_add(here);
    }
}
