//! Reading on as a log grows.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::collect::Collector;
use crate::folder::Folder;
use crate::group::Grouper;
use crate::segment::{Segment, Step, Until};
use crate::select::{self, Selection};
use crate::source::SILENCE_MICROS;
use crate::{Filter, Moment, Record};

/// Where a follower begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the oldest record.
    Beginning,
    /// With so many of the records that are there; 0 for only what comes from now on.
    Last(usize),
}

/// After so long a silence a record is taken for closed. A little more than the writer's own measure, so that what it
/// has only just written is seen before.
const SILENCE: u64 = SILENCE_MICROS + 20_000;

/// Follows one log over rotation, restarts, and deletion and re-creation of its folder.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    start: Start,
    grouper: Grouper<Collector>,
    /// The segment that is read. Only its files are held, never the folder: a folder that is held is not told of when it
    /// is deleted.
    segment: Option<Segment>,
    /// The folder in which that was found, and the number of the last segment that was opened.
    seen: Option<((u64, u64), u64)>,
    record: u64,
    deadline: Option<Duration>,
}

impl Follower {
    /// Begins to follow the log in the folder `dir`, which need not exist yet. Nothing is read before the first
    /// [`Follower::poll`].
    pub fn new(dir: &Path, filter: Filter, start: Start) -> Self {
        Self {
            path: dir.to_owned(),
            start,
            grouper: Grouper::new(Selection { filter, account: true }, Collector::default()),
            segment: None,
            seen: None,
            record: 0,
            deadline: None,
        }
    }

    /// Adds to `records` those that were closed since the last call, in order. Never waits.
    ///
    /// Where segments were deleted before they could be read, a record of the stream `resume` says so.
    pub fn poll(&mut self, now: Moment, records: &mut Vec<Record>) -> io::Result<()> {
        while self.read(records)? {}
        self.grouper.close_silent(now.wall_micros, SILENCE);
        self.hand_out(records);
        self.deadline = self.grouper.waits_since().map(|since| {
            let silent = now.wall_micros.abs_diff(since);
            now.boottime + Duration::from_micros(SILENCE.saturating_sub(silent))
        });
        Ok(())
    }

    /// The moment (since boot) at which a record that is open now may be taken for closed; none if there is none.
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    fn hand_out(&mut self, records: &mut Vec<Record>) {
        while let Some(record) = self.grouper.output.next() {
            records.push(record);
        }
    }

    /// Reads to the end of what is there; true if there may be more, in another segment.
    fn read(&mut self, records: &mut Vec<Record>) -> io::Result<bool> {
        let folder = match Folder::open(&self.path) {
            Ok(folder) => Some(folder),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let identity = folder.as_ref().map(Folder::identity).transpose()?;
        if let Some(segment) = &mut self.segment {
            let here = folder.as_ref().filter(|_| identity == self.seen.map(|seen| seen.0));
            let ended = drain(segment, here, &mut self.grouper)?;
            self.record = segment.record();
            if !ended {
                // Whatever was to be passed over was there before, however many records the index said it had.
                self.grouper.skip = 0;
                return Ok(false);
            }
            self.segment = None;
            // The next segment is opened when the records of this one are handed out, so that they do not pile up.
            self.hand_out(records);
        }
        let (Some(folder), Some(identity)) = (folder, identity) else {
            self.forget(records);
            return Ok(false);
        };
        self.open_next(&folder, identity, records)
    }

    /// Opens the segment after the last one; false if there is none yet.
    fn open_next(&mut self, folder: &Folder, identity: (u64, u64), records: &mut Vec<Record>) -> io::Result<bool> {
        if self.seen.is_some_and(|seen| seen.0 != identity) {
            self.forget(records);
        }
        let listing = folder.list()?;
        if self.seen.is_none() {
            let place = match self.start {
                Start::Beginning => select::since(folder, &listing, &self.grouper.selection)?,
                Start::Last(wanted) => select::last(folder, &listing, &self.grouper.selection, Until::Ever, wanted)?,
            };
            // What comes into being later was not there, so it is shown from its beginning.
            self.start = Start::Beginning;
            self.grouper.skip = place.skip;
            let first = listing.segments.get(place.index).map_or(1, |found| found.number);
            self.seen = Some((identity, first - 1));
        }
        let last = self.seen.map_or(0, |seen| seen.1);
        let Some(found) = listing.segments.iter().find(|found| found.number > last) else { return Ok(false) };
        if last > 0 && found.number > last + 1 {
            self.grouper.gap("some of the log was deleted before it could be shown", self.record)?;
        }
        self.segment = Segment::open(folder, *found, self.record)?;
        if self.segment.is_some() {
            self.seen = Some((identity, found.number));
        }
        // If it was deleted since it was listed, the next listing shows that.
        Ok(true)
    }

    /// The folder is gone: what was open stays as it is, and whatever comes is another log.
    fn forget(&mut self, records: &mut Vec<Record>) {
        self.grouper.output.finish();
        self.hand_out(records);
        let selection = self.grouper.selection.clone();
        self.grouper = Grouper::new(selection, Collector::default());
        self.start = Start::Beginning;
        self.seen = None;
        self.record = 0;
    }
}

/// Reads what is there of a segment; true if nothing will follow in it. Without its folder it is as good as closed.
fn drain(segment: &mut Segment, folder: Option<&Folder>, grouper: &mut Grouper<Collector>) -> io::Result<bool> {
    loop {
        match segment.step(folder, Until::Ever)? {
            Step::Entry(entry, range, number) => grouper.entry(&entry, segment.text(range), number)?,
            Step::Unindexed(range) => grouper.unindexed(segment.text(range), segment.record())?,
            Step::Pending => return Ok(false),
            Step::End => return Ok(true),
        }
    }
}
