//! Reading on as a log grows.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::{Filter, Moment, Record};

/// Where a follower begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the oldest record.
    Beginning,
    /// With so many of the records that are there; 0 for only what comes from now on.
    Last(usize),
}

/// Follows one log over rotation, restarts, and deletion and re-creation of its folder.
#[derive(Debug)]
pub struct Follower {}

impl Follower {
    /// Begins to follow the log in the folder `dir`, which need not exist yet.
    pub fn new(dir: &Path, filter: Filter, start: Start) -> Self {
        let _ = (dir, filter, start);
        Self {}
    }

    /// Adds to `records` those that were closed since the last call, in order. Never waits.
    pub fn poll(&mut self, now: Moment, records: &mut Vec<Record>) -> io::Result<()> {
        let _ = (now, records);
        Ok(())
    }

    /// The moment (since boot) at which a record that is open now may be taken for closed; none if there is none.
    pub fn deadline(&self) -> Option<Duration> {
        None
    }
}
