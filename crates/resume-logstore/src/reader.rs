//! Asking a log.

use std::io::{self, Write};
use std::path::Path;

use crate::{Filter, Record};

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
pub struct Reader {}

impl Reader {
    /// Opens the log in the folder `dir`. A folder that is missing or empty is an empty log.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let _ = dir;
        Ok(Self {})
    }

    /// The records that `filter` lets through, oldest first; with `last`, only so many of them, the newest.
    pub fn records(&self, filter: &Filter, last: Option<usize>) -> io::Result<Records> {
        let _ = (filter, last);
        Ok(Records {})
    }

    /// Writes the program's bytes alone, exactly, of the records that [`Reader::records`] would give.
    pub fn raw(&self, filter: &Filter, last: Option<usize>, sink: &mut dyn Write) -> io::Result<()> {
        let _ = (filter, last, sink);
        Ok(())
    }

    /// The highest number of a run of this instance that the log knows.
    pub fn last_run(&self, instance: u32) -> io::Result<Option<u64>> {
        let _ = instance;
        Ok(None)
    }

    /// The sums over the whole log.
    pub fn totals(&self) -> io::Result<Totals> {
        Ok(Totals::default())
    }
}

/// An iterator over records.
#[derive(Debug)]
pub struct Records {}

impl Iterator for Records {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        None
    }
}
